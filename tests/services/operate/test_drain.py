"""Drained providers, accounts and bridges accept no new calls; calls in progress continue."""

from __future__ import annotations

import pytest
from memory_switch import FakeScheduler
from services_examples import Services, outbound, policy, pool

from sipbridge.services.operate.drain import Drain, NotKnown
from sipbridge.services.operate.operator_commands import CommandError, OperatorCommands
from sipbridge.services.operate.reload import ReloadResult

ALICE = "sip:alice@provider.example.net"


@pytest.fixture
def services() -> Services:
    """Alice and bob are in one pool, carol in another; the providers are named after the pools."""
    services = Services(pool("alice", "bob", with_=policy("One")), pool("carol", with_=policy("Two")))
    services.connect_and_register()
    return services


@pytest.fixture
def drain(services: Services) -> Drain:
    return Drain(services.calls, services.session, FakeScheduler())


def calls_that_are_bridged(services: Services) -> list[str]:
    """One more call of each; which ones are not declined, nor held up."""
    before = len(services.bridged())
    for user in ("alice", "bob", "carol"):
        services.park(f"{user}-{len(services.switch.log)}", user)
    return [channel.partition("-")[0] for channel in services.bridged()[before:]]


def test_a_drained_account_declines_and_keeps_its_calls(services: Services, drain: Drain) -> None:
    services.park("call-1", "alice")
    drained = drain.account(ALICE)
    assert str(drained) == f"account {ALICE} accepts no new calls; 1 call in progress"
    assert calls_that_are_bridged(services) == ["bob", "carol"]
    assert services.declined()[0][1] == "draining"
    assert services.line("alice").calls == 1
    services.end("call-1")
    assert services.line("alice").calls == 0
    assert str(drain.account(ALICE, undo=True)) == f"account {ALICE} accepts new calls again; 0 calls in progress"
    assert calls_that_are_bridged(services) == ["alice", "bob", "carol"]


def test_an_account_is_known_by_any_equivalent_uri_and_in_all_its_pools() -> None:
    services = Services(pool("alice", with_=policy("One")), pool("alice", with_=policy("Two")))
    services.connect_and_register()
    Drain(services.calls, services.session, FakeScheduler()).account("sip:%61lice@PROVIDER.example.net;transport=tcp")
    assert [line.is_drained for each in services.pools.values() for line in each] == [True, True]


def test_a_drained_provider_declines(services: Services, drain: Drain) -> None:
    services.park("call-1", "alice")
    drained = drain.provider("through One")
    assert str(drained) == (
        'provider "through One" accepts no new calls; 1 call in progress on the accounts of its pool'
    )
    assert calls_that_are_bridged(services) == ["carol"]
    assert services.line("alice").calls == 1
    drain.provider("through Two")
    drain.provider("through One", undo=True)
    assert calls_that_are_bridged(services) == ["alice", "bob"]


def test_a_drained_bridge_lets_the_switch_refuse_calls(services: Services, drain: Drain) -> None:
    services.park("call-1", "alice")
    assert str(drain.bridge()) == "the bridge accepts no new calls; 1 call in progress"
    assert services.switch.log[-1] == "end_lease"
    services.step(60.0)
    assert services.switch.log.count("renew_lease") == services.switch.log[
        : services.switch.log.index("end_lease")
    ].count("renew_lease")
    assert str(drain.bridge(undo=True)) == "the bridge accepts new calls again; 1 call in progress"
    assert services.switch.log[-1] == "renew_lease"


def test_what_is_drained_twice_takes_calls_again_after_one_undo(services: Services, drain: Drain) -> None:
    for undo in (False, False, True):
        drain.account(ALICE, undo=undo)
        drain.provider("through Two", undo=undo)
    assert calls_that_are_bridged(services) == ["alice", "bob", "carol"]


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("through one", 'unknown provider "through one"; did you mean "through One"?'),
        ("Jabiru", 'unknown provider "Jabiru"'),
        ("", 'unknown provider ""'),
    ],
)
def test_a_provider_that_is_not_there(services: Services, drain: Drain, provider: str, message: str) -> None:
    with pytest.raises(NotKnown) as refusal:
        drain.provider(provider)
    assert str(refusal.value) == message
    assert calls_that_are_bridged(services) == ["alice", "bob", "carol"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sip:alcie@provider.example.net", f'; did you mean "{ALICE}"?'),
        ("alice@provider.example.net", f'; did you mean "{ALICE}"?'),
        ("sip:alice@home.example.org", f'; did you mean "{ALICE}"?'),
        ("sip:zoe@elsewhere.example.com", ""),
        ("", ""),
    ],
)
def test_an_account_that_is_not_there(services: Services, drain: Drain, uri: str, message: str) -> None:
    with pytest.raises(NotKnown) as refusal:
        drain.account(uri)
    assert str(refusal.value) == f'unknown account "{uri}"{message}'
    assert not any(line.is_drained for each in services.pools.values() for line in each)


# As a command


def no_reload(*, dry_run: bool) -> ReloadResult:
    raise AssertionError("nobody asked for this")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({}, "the bridge accepts no new calls"),
        ({"undo": True}, "the bridge accepts new calls again"),
        ({"provider": "through One"}, 'provider "through One" accepts no new calls'),
        ({"account": ALICE, "undo": True}, f"account {ALICE} accepts new calls again"),
    ],
)
def test_the_command(drain: Drain, arguments: dict[str, object], what: str) -> None:
    assert OperatorCommands(no_reload, drain, lambda: False).drain(arguments).startswith(f"{what}; ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"provider": "a", "account": "b"}, "drain a provider or an account, not both at once"),
        ({"acount": "b"}, "unknown argument 'acount'; known are provider, account, undo"),
        ({"provider": 1}, "provider must be a string"),
        ({"undo": "yes"}, "undo must be true or false"),
    ],
)
def test_a_command_that_does_not_do(drain: Drain, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(CommandError) as refusal:
        OperatorCommands(no_reload, drain, lambda: False).drain(arguments)
    assert str(refusal.value) == message


def test_it_is_too_late_when_the_bridge_stops(drain: Drain) -> None:
    commands = OperatorCommands(no_reload, drain, lambda: True)
    for command in (commands.drain, commands.reload):
        with pytest.raises(CommandError, match="the bridge is stopping"):
            command({})


def test_two_providers_of_one_name_are_drained_together() -> None:
    services = Services(pool("alice"), providers=(outbound("Pool"), outbound("Pool")))
    services.connect_and_register()
    Drain(services.calls, services.session, FakeScheduler()).provider("through Pool")
    services.park("call-1", "alice")
    assert services.declined() == [("call-1", "draining")]
