"""A reload reads every database again, says what is another there, and does nothing when one does not answer."""

from __future__ import annotations

import dataclasses

import pytest
from reload_examples import DATABASE, Reloading, config, from_database, running, static
from services_examples import account, policy

from sipbridge.ports import SourceUnavailable
from sipbridge.services.operate.reload_text import format_plan

AWAY = SourceUnavailable("pool Pool: cannot connect to db.example: refused")


@pytest.fixture
def bridge() -> Reloading:
    """Alice and Bob are in the database, Zoe in the file."""
    made = running(from_database(), static("zoe", with_=policy("Other")))
    made.databases["Pool"] = (account("alice"), account("bob"))
    made.load_again()
    made.settle()
    made.forget_commands()
    return made


def shown(bridge: Reloading, *, dry_run: bool = False) -> list[str]:
    result = bridge.reload(config(from_database(), static("zoe", with_=policy("Other"))), dry_run=dry_run)
    assert result.plan is not None
    return format_plan(result.plan, is_dry_run=dry_run).splitlines()


def users(bridge: Reloading) -> list[str]:
    return [line.account.uri.user for line in bridge.services.pools["Pool"]]


def test_what_is_the_same_changes_nothing(bridge: Reloading) -> None:
    assert shown(bridge) == ["nothing changes"]
    bridge.databases["Pool"] = (account("bob"), account("alice"))
    assert shown(bridge) == ["nothing changes"], "the order of rows means nothing"


def test_inserted_changed_and_deleted_rows_are_seen(bridge: Reloading) -> None:
    bridge.databases["Pool"] = (account("bob", "another"), account("carol"))
    would_be = shown(bridge, dry_run=True)
    assert would_be == [
        "account pools",
        "  ~ Pool",
        "      accounts: 1 would be added, 1 would be changed, 1 would be removed",
        "      + sip:carol@provider.example.net",
        "      ~ sip:bob@provider.example.net: secret",
        "      - sip:alice@provider.example.net",
        "gateways: 1 would be added, 1 would be replaced, 1 would be removed",
    ]
    assert users(bridge) == ["alice", "bob"]
    assert shown(bridge) == [line.replace("would be ", "") for line in would_be]
    assert users(bridge) == ["bob", "carol"]
    bridge.settle()
    assert bridge.touched() == (["bob", "carol"], ["alice", "bob"])


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_database_that_does_not_answer_ends_it_with_nothing_changed(bridge: Reloading, dry_run: bool) -> None:
    bridge.fault = AWAY
    wanted = config(from_database(), static("yves", with_=policy("Other")))
    with pytest.raises(SourceUnavailable, match="pool Pool: cannot connect"):
        bridge.reload(wanted, dry_run=dry_run)
    bridge.settle()
    assert users(bridge) == ["alice", "bob"]
    assert [line.account.uri.user for line in bridge.services.pools["Other"]] == ["zoe"]
    assert bridge.touched() == ([], [])
    bridge.fault = None
    assert bridge.reload(wanted, dry_run=dry_run).plan, "the next one is not refused"


def test_a_row_that_cannot_register_is_not_counted(bridge: Reloading) -> None:
    assert bridge.services.pools["Pool"].policy.registration_required
    bridge.databases["Pool"] += (account("dora", "col:on"), account("alice", "the second row"))
    assert shown(bridge) == ["nothing changes"]


def test_a_new_pool_shows_how_many_its_database_has(bridge: Reloading) -> None:
    bridge.databases["New"] = (account("nora"),)
    new = from_database(dataclasses.replace(DATABASE, init_query="SELECT 2"), policy("New"))
    result = bridge.reload(config(from_database(), static("zoe", with_=policy("Other")), new))
    assert result.plan is not None
    assert format_plan(result.plan).splitlines()[-4:] == [
        "  + New",
        "      accounts: 1 added",
        "      accounts: from its database",
        "gateways: 1 added",
    ]
