"""A reload has the same result as a restart, touches nothing else, and delays no call."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from memory_switch import FakeScheduler
from reload_examples import DATABASE, config, from_database, running, static
from services_examples import BY_ALIAS, account, outbound, policy

from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.providers.provider import OnAccountNotFound
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.services.operate import reload
from sipbridge.services.operate.drain import Drain
from sipbridge.services.operate.operator_commands import OperatorCommands
from sipbridge.services.operate.reload import ReloadBusy, ReloadResult
from sipbridge.services.operate.reload_plan import plan_accounts
from sipbridge.services.operate.reload_text import format_plan

ERROR = Diagnostic("providers.json", 3, 14, Severity.ERROR, '"pattern" is no regular expression')
WARNING = Diagnostic("providers.json", 9, 2, Severity.WARNING, "finds nothing")
OTHER_PROXY = parse_sip_uri("sip:other.example.net")


def text(result: ReloadResult) -> list[str]:
    assert result.plan is not None
    return format_plan(result.plan).splitlines()


# The file


def test_a_file_with_errors_is_refused_and_all_stays(caplog: pytest.LogCaptureFixture) -> None:
    bridge = running(static("alice"))
    table = bridge.services.table
    result = bridge.reload(None, ERROR, WARNING)
    assert result == ReloadResult((ERROR, WARNING), None)
    assert bridge.services.table is table
    assert bridge.services.switch.log == []
    assert [record.getMessage() for record in caplog.records] == [
        f"reload: {ERROR}",
        f"reload: {WARNING}",
        "reload: the file has errors; the previous configuration stays in use",
    ]


def test_the_same_file_changes_nothing() -> None:
    bridge = running(static("alice", "bob"))
    table = bridge.services.table
    result = bridge.reload(config(static("alice", "bob")), WARNING)
    assert text(result) == ["nothing changes"]
    assert result.diagnostics == (WARNING,)
    assert bridge.services.table is table
    bridge.settle()
    assert bridge.touched() == ([], [])


def test_a_dry_run_shows_the_plan_and_changes_nothing() -> None:
    bridge = running(static("alice", "bob"))
    wanted = config(static("alice", "carol"), static("dave", with_=policy("New")))
    shown = text(bridge.reload(wanted, dry_run=True))
    bridge.settle()
    assert bridge.touched() == ([], [])
    assert list(bridge.services.pools) == ["Pool"]
    assert len(bridge.followed) == 1
    assert text(bridge.reload(wanted)) == shown, "what was shown is what is done"


def test_two_at_once_are_refused() -> None:
    bridge = running(static("alice"))
    refused: list[str] = []

    def again() -> None:
        with pytest.raises(ReloadBusy) as refusal:
            bridge.service.reload()
        refused.append(str(refusal.value))

    bridge.scheduler.while_apart.append(again)
    bridge.reload(config(static("alice", "bob")))
    assert refused == ["another reload is in progress"]
    bridge.reload(config(static("alice")))
    assert len(bridge.services.pools["Pool"]) == 1


def test_the_plan_is_shown_and_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first, second, third = outbound("One"), outbound("Two"), outbound("Three")
    bridge = running(
        static("alice", "bob", "carol", with_=policy("One")),
        static("dave", with_=policy("Two")),
        from_database(with_=policy("Three")),
        providers=(first, second, third),
    )
    caplog.clear()
    result = bridge.reload(
        config(
            static("alice", account("bob", "n3w s3cret"), "erin", with_=policy("One", max_calls_per_line=7)),
            from_database(dataclasses.replace(DATABASE, connection="db=b password='Gandalf'"), policy("Three")),
            static(*(f"user{number}" for number in range(12)), with_=policy("Four")),
            providers=(
                third,
                dataclasses.replace(first, on_account_not_found=OnAccountNotFound.DECLINE),
                dataclasses.replace(outbound("Four"), name="a name\x1b[31m\non two lines\U000e0041"),
            ),
        )
    )
    shown = text(result)
    assert shown == [
        "providers",
        "  ~ through One: onAccountNotFound nextProvider → decline",
        "  + a name\\u001b[31m\\non two lines\\udb40\\udc41",
        "  - through Two",
        "  order changed",
        "account pools",
        "  ~ One: maxCallsPerLine 2 → 7",
        "      accounts: 1 added, 1 changed, 1 removed",
        "      + sip:erin@provider.example.net",
        "      ~ sip:bob@provider.example.net: secret",
        "      - sip:carol@provider.example.net",
        "  ~ Three: loader",
        "  + Four",
        "      accounts: 12 added",
        "  - Two",
        "      accounts: 1 removed",
        "gateways: 13 added, 1 replaced, 2 removed",
    ]
    assert [record.getMessage() for record in caplog.records if "reload: " in record.getMessage()] == [
        *(f"reload: {line}" for line in shown),
        "reload: done",
    ]
    assert not any(secret in caplog.text for secret in ("s3cret", "Gandalf", "Mellon"))
    bridge.settle()
    assert bridge.touched() == (
        sorted(["bob", "erin", *(f"user{number}" for number in range(12))]),
        ["bob", "carol", "dave"],
    )


def test_many_accounts_are_not_all_shown() -> None:
    bridge = running(static(*(f"old{number}" for number in range(25))))
    shown = text(bridge.reload(config(static()), dry_run=True))
    assert shown[3:5] == ["      - sip:old0@provider.example.net", "      - sip:old1@provider.example.net"]
    assert shown[-2:] == ["      - and 15 more", "gateways: 25 removed"]


def test_what_freeswitch_need_not_know_touches_no_gateway() -> None:
    bridge = running(static("alice"))
    changed = dataclasses.replace(account("alice"), alias=None)
    shown = text(bridge.reload(config(static(changed, with_=policy(max_calls_per_line=3)))))
    assert shown[-1] == "gateways: unchanged"
    bridge.settle()
    assert bridge.touched() == ([], [])
    assert bridge.services.line("alice").free_slots == 3


def test_as_a_command() -> None:
    bridge = running(static("alice"))
    drain = Drain(bridge.services.calls, bridge.services.session, FakeScheduler())
    commands = OperatorCommands(bridge.service.reload, drain, lambda: False)
    bridge.services.file = dataclasses.replace(
        bridge.services.file, config=config(static("alice", "bob")), diagnostics=(WARNING,)
    )
    diagnostics = ["providers.json:9:2: warning: finds nothing"]
    plan = "account pools\n  ~ Pool\n      accounts: 1 added\n      + sip:bob@provider.example.net\ngateways: 1 added"
    would_be = {"diagnostics": diagnostics, "plan": plan.replace("1 added", "1 would be added")}
    assert commands.reload({"dry_run": True}) == would_be
    assert len(bridge.services.pools["Pool"]) == 1
    assert commands.reload({}) == {"diagnostics": diagnostics, "plan": plan}
    assert commands.reload({"dry_run": True})["plan"] == "nothing would change"
    assert len(bridge.services.pools["Pool"]) == 2
    bridge.services.file = dataclasses.replace(bridge.services.file, config=None, diagnostics=(ERROR,))
    assert commands.reload({}) == {"diagnostics": [str(ERROR)], "plan": None}


# Calls


def test_calls_in_progress_keep_their_lines_and_their_counts() -> None:
    bridge = running(static("alice", "bob", "carol"))
    services = bridge.services
    for number, user in enumerate(("alice", "bob", "bob", "carol")):
        services.park(f"call-{number}", user)
    bridge.reload(config(static(account("alice", "new"), "bob")))
    assert (services.line("alice").calls, services.line("bob").calls) == (1, 2)
    bridge.settle()
    services.park("one-more", "bob")
    assert services.declined() == [("one-more", "lines-taken")]
    bridge.reload(config(static("alice", "bob", "carol")))
    assert services.line("carol").calls == 1, "an account that comes back while it has calls"
    for number in range(4):
        services.end(f"call-{number}")
    assert services.calls.calls_in_progress == 0
    assert all(line.calls == 0 for each in services.pools.values() for line in each)


def test_another_limit_holds_for_accounts_that_have_calls() -> None:
    bridge = running(static("alice"))
    services = bridge.services
    services.park("call-1", "alice")
    for limit, is_available in ((1, False), (2, True), (0, False), (5, True)):
        bridge.reload(config(static("alice", with_=policy(max_calls_per_line=limit))))
        assert services.line("alice").is_available == is_available
        assert services.line("alice").calls == 1


def test_a_pool_that_comes_back_counts_the_calls_that_it_has() -> None:
    one, two = policy("One"), policy("Two")
    bridge = running(static("alice", with_=one), static("bob", with_=two))
    bridge.services.park("call-1", "bob")
    bridge.reload(config(static("alice", with_=one)))
    bridge.settle()
    assert bridge.touched() == ([], ["bob"])
    bridge.reload(config(static("alice", with_=one), static("bob", with_=two)))
    assert bridge.services.line("bob").calls == 1
    bridge.services.end("call-1")
    assert bridge.services.line("bob").calls == 0
    bridge.settle()
    assert bridge.services.line("bob").is_available


def test_calls_are_decided_by_the_new_providers_from_the_end_of_the_reload() -> None:
    bridge = running(static("alice"))
    services = bridge.services
    by_user = dataclasses.replace(
        outbound(),
        account_to_use=dataclasses.replace(
            outbound().account_to_use,  # type: ignore[type-var]
            by=parse_template("{uri.user}", TemplateScope.BY),
            source=parse_template("{from.user}", TemplateScope.SOURCE),
        ),
    )
    services.park("call-1", "alice")
    bridge.reload(config(static("alice"), providers=[by_user]))
    services.park("call-2", "alice")
    with pytest.raises(KeyError):
        services.pools["Pool"].find(BY_ALIAS, "nobody looks for this any more")
    bridge.reload(config(static("alice"), providers=[]))
    services.park("call-3", "alice")
    assert services.bridged() == ["call-1", "call-2"]
    assert services.declined() == [("call-3", "no-provider")]


def test_what_is_drained_stays_so_as_long_as_it_exists() -> None:
    bridge = running(static("alice", "bob"))
    drain = Drain(bridge.services.calls, bridge.services.session, FakeScheduler())
    drain.account("sip:alice@provider.example.net")
    drain.provider("through Pool")
    bridge.reload(config(static(account("alice", "new"), "carol")))
    assert bridge.services.line("alice").is_drained
    assert bridge.services.table.drained == {"through Pool"}
    bridge.reload(config(static("carol"), providers=[dataclasses.replace(outbound(), name="another")]))
    assert bridge.services.table.drained == frozenset()


# Databases


def test_pools_of_databases_are_followed_before_other_accounts_change() -> None:
    bridge = running(static("alice", with_=policy("File")), from_database(with_=policy("Database")))
    wanted = config(from_database(with_=policy("File")), static("bob", with_=policy("Database")))
    bridge.databases["File"] = (account("alice"), account("carol"))
    bridge.reload(wanted)
    (_, (followed, pools)) = bridge.followed
    assert followed is wanted
    assert pools == bridge.services.pools
    bridge.settle()
    assert bridge.touched() == (["bob", "carol"], [])


def test_what_a_database_tells_while_its_pool_moves_to_the_file_does_not_stay() -> None:
    bridge = running(from_database())
    bridge.databases["Pool"] = (account("alice"), account("bob"))

    def database_tells() -> None:
        bridge.follow(*bridge.followed[0])

    bridge.scheduler.while_apart.append(database_tells)
    bridge.reload(config(static("bob", "carol")))
    assert [line.account.uri.user for line in bridge.services.pools["Pool"]] == ["bob", "carol"]


def test_the_policy_of_a_database_pool_is_that_of_the_file() -> None:
    bridge = running(from_database())
    bridge.databases["Pool"] = (account("alice"), dataclasses.replace(account("bob"), outbound_proxy=OTHER_PROXY))
    bridge.follow(*bridge.followed[0])
    bridge.settle()
    bridge.forget_commands()
    moved = dataclasses.replace(policy(), outbound_proxy=OTHER_PROXY)
    shown = text(bridge.reload(config(from_database(with_=moved))))
    assert shown == [
        "account pools",
        "  ~ Pool: outboundProxy sip:proxy.example.net → sip:other.example.net",
        "gateways: 1 replaced",
    ]
    bridge.settle()
    assert bridge.touched() == (["alice"], ["alice"])
    assert bridge.services.line("alice").is_available


# Others run meanwhile


def many(*except_: int) -> list[str]:
    return [f"user{number}" for number in range(1_000) if number not in except_]


def test_thousands_of_accounts_are_changed_in_slices() -> None:
    bridge = running(static(*many()))
    services = bridge.services
    progress: list[tuple[int, int]] = []

    def call() -> None:
        services.park(f"call-{len(progress)}", "user0")
        services.end(f"call-{len(progress)}")
        progress.append((len(services.bridged()), len(services.pools["Pool"])))

    bridge.scheduler.at_breath = call
    bridge.reload(config(static("user0", *(account(user, "new") for user in many(0, *range(1, 1_000, 2))))))
    # All but user0 are changed or removed.
    assert len(progress) >= 999 // reload._SLICE
    sizes = [size for _, size in progress]
    assert max(before - after for before, after in zip([1_000, *sizes], [*sizes, 500], strict=True)) <= reload._SLICE
    assert progress[-1][0] == len(progress), "each call was decided, and found its account"


def test_a_pool_takes_the_edge_when_a_provider_asks_for_its_media_and_leaves_it_again() -> None:
    edge = Edge(parse_sip_uri("sip:127.0.0.1:5090"))
    direct, through = policy(edge=edge), policy(edge=dataclasses.replace(edge, takes_all=EdgeReason.MEDIA))
    bridge = running(static("alice", "bob", with_=direct))
    table = bridge.services.keeper.edge_table
    assert len(table) == 0

    shown = text(bridge.reload(config(static("alice", "bob", with_=through))))
    assert "  ~ Pool: edge sip:127.0.0.1:5090 → sip:127.0.0.1:5090 (all accounts)" in shown
    assert shown[-1] == "gateways: 2 replaced"
    assert len(table) == 2
    table.note_put(table.due(2))
    bridge.settle()
    assert bridge.touched() == (["alice", "bob"], ["alice", "bob"])
    assert all(each.edge_entry for each in bridge.services.gateways())

    bridge.forget_commands()
    bridge.reload(config(static("alice", "bob", with_=direct)))
    bridge.settle()
    assert bridge.touched() == (["alice", "bob"], ["alice", "bob"])
    assert len(table) == 0


def test_a_connection_that_breaks_meanwhile_changes_nothing_in_the_end() -> None:
    bridge = running(static(*many()))
    services = bridge.services

    def breaks_and_stands_again() -> None:
        # While the new connection is reconciled, it stands.
        bridge.scheduler.at_breath = lambda: None
        services.disconnect()
        services.switch.salt += b"+"
        services.connect()
        bridge.scheduler.at_breath = breaks_and_stands_again

    bridge.scheduler.at_breath = breaks_and_stands_again
    bridge.reload(config(static(*many(1, 2, 3), "erin", with_=policy(max_calls_per_line=9))))
    assert services.switch.salt.count(b"+") > 5
    bridge.settle()
    assert [line.account.uri.user for line in services.pools["Pool"]] == [*many(1, 2, 3), "erin"]
    assert {services.keeper.gateway_of(line) for line in services.pools["Pool"]} == services.switch.up
    assert not services.switch.down
    assert all(line.is_available for line in services.pools["Pool"])


def test_an_account_that_moves_registers_after_it_has_unregistered() -> None:
    bridge = running(static("alice", with_=policy("One")), static("bob", with_=policy("Two")))
    bridge.reload(config(static("alice", with_=policy("Three")), static("bob", with_=policy("Two"))))
    for _ in range(3):
        bridge.services.step(1.0)
    assert bridge.touched() == ([], ["alice"]), "while the old one is there"
    bridge.settle()
    assert bridge.touched() == (["alice"], ["alice"])
    assert bridge.services.line("alice").is_available


def test_plan_of_accounts_tells_their_order_where_it_is_another() -> None:
    alice, bob, carol = account("alice"), account("bob"), account("carol")
    assert plan_accounts([alice, bob], [alice, bob, carol]).order == ()
    assert plan_accounts([alice, bob, carol], [alice, carol]).order == ()
    assert plan_accounts([alice, bob], [carol, alice, bob]).order == (carol, alice, bob)
    assert plan_accounts([alice, bob], [bob, alice]).order == (bob, alice)
