"""From any configuration to any other, any number of times, a reload has the same result as a restart."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from reload_examples import DATABASE, Reloading
from services_examples import policy

from sipbridge.core.accounts.account import Account, AccountId, SecretType
from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.calls.routing_table import pool_keys
from sipbridge.core.providers.provider import (
    Always,
    FindInPool,
    MatchRegex,
    OnAccountNotFound,
    OutgoingInvite,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import Template, TemplateScope, parse_template
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.services.operate import reload
from sipbridge.services.operate.reload_plan import ReloadPlan

POOLS = ("One", "Two")
USERS = ("alice", "bob", "carol", "dave")
PROXIES = st.sampled_from([None, *(parse_sip_uri(f"sip:{name}.example.net") for name in ("this", "that"))])
BY = [parse_template(text, TemplateScope.BY) for text in ("{uri}", "{alias}", "{uri.user}")]
ADDRESS = parse_template("{account.uri}", TemplateScope.INVITE)


def accounts_of(user: str) -> st.SearchStrategy[Account]:
    """Several of them share an alias, so that the first one counts; URIs may be written in two ways."""
    return st.builds(
        Account,
        st.sampled_from([f"sip:{user}@a.example.net", f"sip:{user}@A.example.net"]).map(parse_sip_uri),
        alias=st.sampled_from(["sip:x@home.example.org", "sip:y@home.example.org"]).map(parse_sip_uri),
        secret=st.sampled_from(["one", "two"]),
        secret_type=st.just(SecretType.CLEAR_TEXT),
        outbound_proxy=PROXIES,
    )


loaders = st.lists(st.sampled_from(USERS), unique=True).flatmap(
    lambda users: st.tuples(*(accounts_of(user) for user in users))
)
policies = st.fixed_dictionaries(
    {
        "registration_required": st.booleans(),
        "max_calls_per_line": st.integers(1, 3),
        "registration_interval_ms": st.sampled_from([0, 5]),
        "registrar": PROXIES,
    }
)
providers = st.builds(
    Provider,
    name=st.sampled_from(["first", "second", "third"]),
    account_pool=st.sampled_from(POOLS),
    trigger=st.sampled_from([Always(), MatchRegex("sip:.*", lambda _: True)]),
    account_to_use=st.just(RandomAccount())
    | st.builds(FindInPool, st.sampled_from(BY), st.just(parse_template("{from}", TemplateScope.SOURCE))),
    on_account_not_found=st.sampled_from(OnAccountNotFound),
    outgoing_invite=st.just(OutgoingInvite(ADDRESS, ADDRESS)),
)


@st.composite
def configurations(draw: st.DrawFn, with_databases: bool = True) -> BridgeConfig:
    names = draw(st.lists(st.sampled_from(POOLS), unique=True, min_size=1))
    from_file_or_database = loaders | st.just(DATABASE) if with_databases else loaders
    pools = {
        name: PoolConfig(policy(name, **draw(policies)), draw(from_file_or_database))  # type: ignore[arg-type]
        for name in names
    }
    drawn = draw(st.lists(providers, max_size=4))
    return BridgeConfig(tuple(each for each in drawn if each.account_pool in pools), pools)


def start(config: BridgeConfig, database: tuple[Account, ...]) -> Reloading:
    bridge = Reloading(config)
    bridge.databases = dict.fromkeys(POOLS, database)
    bridge.follow(config, bridge.services.pools)
    bridge.services.connect()
    bridge.settle()
    return bridge


def state(bridge: Reloading, config: BridgeConfig) -> dict[str, Any]:
    """All that calls and the switch can see."""
    services = bridge.services
    pools = {}
    for name, pool in services.pools.items():
        lines = [(line.account, line.registration, line.is_available, line.pool is pool) for line in pool]
        # A database has no order of its own: a row that is there already stays where it is.
        in_order = lines if isinstance(config.pools[name].loader, tuple) else sorted(lines, key=lambda one: one[0].uri)
        pools[name] = (pool.policy, in_order, pool.available_count, _found(bridge, config, name))
    return {
        "providers": services.table.providers,
        "pools": pools,
        "order of pools": list(services.pools),
        "gateways": services.switch.up,
        "others": services.switch.down,
        "leaving": services.keeper.pending_removals,
    }


def _found(bridge: Reloading, config: BridgeConfig, name: str) -> dict[tuple[str, str], Account | None]:
    if not isinstance(config.pools[name].loader, tuple):
        return {}
    pool, keys = bridge.services.pools[name], pool_keys(config)[name]
    return {(by.text, value): line.account if (line := pool.find(by, value)) else None for by, value in _asked(keys)}


def _asked(keys: list[Template]) -> set[tuple[Template, str]]:
    """All values that any account has."""
    values = [f"sip:{user}@a.example.net" for user in USERS] + [f"sip:{each}@home.example.org" for each in "xy"]
    return {(by, value) for by in keys for value in (*values, *USERS)}


@given(st.lists(configurations(), min_size=2, max_size=4), loaders, st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_it_comes_to_what_a_start_comes_to(
    configs: list[BridgeConfig], database: tuple[Account, ...], accounts_at_once: int
) -> None:
    bridge = start(configs[0], database)
    before, reload._SLICE = reload._SLICE, accounts_at_once
    try:
        for config in configs[1:]:
            expected = start(config, database)
            present = set(bridge.services.switch.up)
            bridge.forget_commands()
            bridge.reload(config)
            bridge.settle()
            assert state(bridge, config) == state(expected, config)
            # Nothing else was touched.
            after = expected.services.switch.up
            assert Counter(bridge.services.switch.removed) == Counter(present - after)
            assert Counter(gateway.name for gateway in bridge.services.switch.added) == Counter(after - present)
            # A second time there is nothing to do.
            bridge.forget_commands()
            assert not bridge.reload(config).plan
            bridge.settle()
            assert bridge.touched() == ([], [])
    finally:
        reload._SLICE = before


@given(configurations(with_databases=False), configurations(with_databases=False))
@settings(max_examples=100, deadline=None)
def test_the_plan_counts_the_gateways_that_are_touched(before: BridgeConfig, after: BridgeConfig) -> None:
    bridge = start(before, ())
    bridge.forget_commands()
    plan = bridge.reload(after).plan
    assert isinstance(plan, ReloadPlan)
    bridge.settle()
    added, removed = bridge.touched()
    gateways = plan.gateways
    assert (gateways.added + gateways.replaced, gateways.removed + gateways.replaced) == (len(added), len(removed))


@given(st.lists(configurations(), min_size=2, max_size=4), loaders, st.lists(st.sampled_from(USERS), max_size=8))
@settings(max_examples=100, deadline=None)
def test_calls_are_counted_with_their_accounts_as_long_as_they_last(
    configs: list[BridgeConfig], database: tuple[Account, ...], callers: list[str]
) -> None:
    bridge = start(configs[0], database)
    services = bridge.services
    held: dict[ChannelUuid, AccountId] = {}
    for number, user in enumerate(callers):
        for line in [line for pool in services.pools.values() for line in pool if line.account.uri.user == user]:
            held[ChannelUuid(f"{number}-{line.id}")] = line.id
    services.switch.table |= held
    services.switch.alive |= held.keys()
    services.calls.reconcile()
    for config in configs[1:]:
        bridge.reload(config)
        counted = {line.id: line.calls for pool in services.pools.values() for line in pool}
        expected = Counter(held.values())
        assert counted == {id_: expected[id_] for id_ in counted}
    for channel in held:
        services.end(channel)
    assert services.calls.calls_in_progress == 0
    assert all(line.calls == 0 for pool in services.pools.values() for line in pool)
