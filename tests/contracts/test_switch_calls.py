"""Calls through the `Switch` port: the contract for every switch."""

from __future__ import annotations

import pytest
from contract_world import RIGHT_PASSWORD, ArrivedInvite, PlacedCall, World, eventually
from listener import Listener

from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.core.accounts.account import Account, SecretType, account_id
from sipbridge.core.calls.dial_string import format_dial_string
from sipbridge.core.calls.events import CallEnded, CallParked, GatewayAdded, GatewayStateChanged
from sipbridge.core.calls.routing import Bridge
from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.media import MediaEncryption, media_offer
from sipbridge.core.providers.provider import (
    Always,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.core.sip.uri import parse_name_addr, parse_sip_uri
from sipbridge.ports import CommandRefused, Outcome

ALICE = "sip:alice@far.example.org"
CALLER = '"Zoé \\"Z\\" M" <sip:zo%40e@inside.example.org;x-y=1>'
_LINE_POOL = AccountPool(PoolPolicy("pool", parse_sip_uri("sip:127.0.0.1"), False, 10))


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


def gateway_to(world: World, switch: FreeSwitch, *, registers: bool = False, password: str = RIGHT_PASSWORD) -> Gateway:
    """The gateway of alice at the far side."""
    policy = PoolPolicy("pool", parse_sip_uri(f"sip:{world.far_side}"), registers, 10)
    account = Account(parse_sip_uri(ALICE), secret=password, secret_type=SecretType.CLEAR_TEXT)
    return gateway_for(account_id("pool", account.uri), account, policy, switch.gateway_salt(), 3600)


@pytest.fixture
def gateway(world: World, switch: FreeSwitch, listener: Listener) -> Gateway:
    """A gateway that need not register."""
    gateway = gateway_to(world, switch)
    if gateway.name not in switch.gateways()[0]:
        switch.add_gateways([gateway])
        listener.wait_for(GatewayAdded, lambda added: added.name == gateway.name)
    return gateway


def _line() -> Line:
    """The line that calls hold, as far as the switch knows."""
    return next(iter(_LINE_POOL), None) or _LINE_POOL.add(Account(parse_sip_uri(ALICE)))


def dial_string(world: World, gateway: GatewayName | None, callee: str = "answers") -> str:
    """Alice calls `callee`."""
    template = parse_template(ALICE, TemplateScope.INVITE)
    invite = OutgoingInvite(to=template, from_=template)
    provider = Provider("p", "pool", Always(), RandomAccount(), OnAccountNotFound.DECLINE, invite)
    media = media_offer(MediaEncryption.NONE, None, has_edge=False)
    assert media is not None
    bridge = Bridge(
        provider=provider,
        line=_line(),
        to=parse_name_addr(f"sip:{callee}@far.example.org;user=phone"),
        from_=parse_name_addr('"Alice, A" <sip:alice@far.example.org>'),
        next_hop=parse_sip_uri(f"sip:{world.far_side}"),
        uses_gateway=gateway is not None,
        media=media,
        trace=(),
    )
    return format_dial_string(bridge, gateway, "providers")


def call_once(world: World) -> PlacedCall:
    """A call from our side."""
    return world.call("sip:+33%23@inside.example.org:5070;user=phone", CALLER, "<sip:b,$b@x.example.org>")


def park(world: World, listener: Listener) -> tuple[CallParked, PlacedCall]:
    """A call that waits, and its caller's view of it."""
    call = call_once(world)
    return listener.wait_for(CallParked), call


def test_parked_call_tells_its_addresses_as_they_were_sent(
    world: World, switch: FreeSwitch, listener: Listener, outcomes: list[Outcome]
) -> None:
    parked, _ = park(world, listener)

    assert parked.request.request_uri_text == "sip:+33%23@inside.example.org:5070;user=phone"
    assert parked.request.from_header.startswith(CALLER + ";tag=")
    assert parked.request.from_.display_name == 'Zoé "Z" M'
    assert parked.request.to_header == "<sip:b,$b@x.example.org>"
    assert (parked.sofia_profile, parked.gateway) == ("inside", "")
    assert parked.call_id
    switch.respond(parked.channel_uuid, "488 Not Acceptable Here", outcomes.append)
    listener.wait_for(CallEnded)


def test_escaped_caller_is_who_he_is_in_the_providers_file(
    world: World, switch: FreeSwitch, listener: Listener, outcomes: list[Outcome]
) -> None:
    """FreeSWITCH resolves escapes that RFC 3261 lets mean another user."""
    written = "sip:%2B33%3bx%40%61@inside.example.org"
    world.call("sip:bob@inside.example.org", f"<{written}>", "<sip:bob@inside.example.org>")

    parked = listener.wait_for(CallParked)
    assert parked.request.from_header.startswith("<sip:+33;x%40a@inside.example.org>;tag=")
    assert parked.request.from_.uri.equivalent(parse_sip_uri(written))
    switch.respond(parked.channel_uuid, "488 Not Acceptable Here", outcomes.append)
    listener.wait_for(CallEnded)


def test_declined_call_gets_the_status(
    world: World, switch: FreeSwitch, listener: Listener, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)

    switch.respond(parked.channel_uuid, "403 Not today", outcomes.append)

    ended = listener.wait_for(CallEnded)
    assert ended == CallEnded(parked.channel_uuid, ended.hangup_cause, answered=False)
    assert eventually("answered", call.statuses) == [403]
    assert outcomes == [None]


def test_bridged_call_is_the_invite_that_was_decided(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    arrived_before = len(world.invites())
    parked, call = park(world, listener)

    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name), outcomes.append)

    eventually("answered", lambda: 200 in call.statuses())
    assert outcomes == [None]
    assert world.invites()[arrived_before:] == [
        ArrivedInvite(
            "sip:answers@far.example.org;user=phone",
            "<sip:answers@far.example.org;user=phone>",
            '"Alice, A" <sip:alice@far.example.org>',
        )
    ]
    call.hang_up()
    ended = listener.wait_for(CallEnded)
    assert ended == CallEnded(parked.channel_uuid, "NORMAL_CLEARING", answered=True, sip_status=200)
    assert 0 < ended.times.received <= ended.times.progress <= ended.times.answered <= ended.times.ended


def test_busy_callee_reaches_the_caller(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)

    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name, "busy"), outcomes.append)

    ended = listener.wait_for(CallEnded)
    assert ended == CallEnded(parked.channel_uuid, "USER_BUSY", answered=False, sip_status=486)
    assert ended.times.answered == 0 < ended.times.received < ended.times.ended
    assert eventually("a final response", call.statuses)[-1] == 486


def test_ringing_reaches_the_caller_and_a_kill_does_not_break_the_line(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)

    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name, "rings"), outcomes.append)

    eventually("ringing", lambda: 180 in call.statuses())
    assert switch.accounts_of([parked.channel_uuid]) == {parked.channel_uuid: _line().id}


def test_caller_that_gives_up_ends_the_call(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)
    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name, "rings"), outcomes.append)
    eventually("ringing", lambda: 180 in call.statuses())

    call.give_up()

    ended = listener.wait_for(CallEnded)
    assert (ended.hangup_cause, ended.answered) == ("ORIGINATOR_CANCEL", False)
    assert eventually("a final response", lambda: [status for status in call.statuses() if status >= 200]) == [487]


def test_call_to_the_contact_of_a_gateway_tells_which(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    call = world.call_contact(gateway.name, CALLER, f"<{ALICE}>")

    parked = listener.wait_for(CallParked)
    assert (parked.sofia_profile, parked.gateway) == ("providers", gateway.name)
    assert parked.request.request_uri.uri.user == f"gw+{gateway.name}"
    assert parked.request.to.uri == parse_sip_uri(ALICE)
    switch.respond(parked.channel_uuid, "488 Not Acceptable Here", outcomes.append)
    assert eventually("a final response", call.statuses) == [488]


def test_gateway_that_failed_to_register_ends_the_call(
    world: World, switch: FreeSwitch, listener: Listener, outcomes: list[Outcome]
) -> None:
    gateway = gateway_to(world, switch, registers=True, password="wrong")
    switch.add_gateways([gateway])
    listener.wait_for(GatewayStateChanged, lambda one: (one.name, one.state) == (gateway.name, "FAILED"), 15)
    parked, call = park(world, listener)

    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name), outcomes.append)

    assert listener.wait_for(CallEnded) == CallEnded(parked.channel_uuid, "GATEWAY_DOWN", answered=False)
    assert eventually("a final response", call.statuses)[-1] == 503


def test_unknown_gateway_ends_the_call_with_a_status_that_sends_the_caller_elsewhere(
    world: World, switch: FreeSwitch, listener: Listener, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)

    switch.bridge(parked.channel_uuid, dial_string(world, GatewayName("sipbridge.no.0")), outcomes.append)

    assert listener.wait_for(CallEnded) == CallEnded(parked.channel_uuid, "NORMAL_TEMPORARY_FAILURE", answered=False)
    assert eventually("a final response", call.statuses) == [503]


def test_call_in_progress_tells_its_account_until_it_ends(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)
    uuid, nobody = parked.channel_uuid, ChannelUuid("12345678-1234-1234-1234-123456789abc")
    assert switch.accounts_of([uuid, nobody]) == {uuid: None}

    switch.bridge(uuid, dial_string(world, gateway.name), outcomes.append)
    eventually("answered", lambda: 200 in call.statuses())

    assert switch.accounts_of([uuid, nobody]) == {uuid: _line().id}
    eventually("in the table, too", lambda: uuid in switch.channels())

    call.hang_up()
    listener.wait_for(CallEnded, lambda ended: ended.channel_uuid == uuid)
    eventually("gone", lambda: not switch.accounts_of([uuid]))
    eventually("gone from the table, too", lambda: uuid not in switch.channels())


def test_call_that_is_gone_refuses_commands(switch: FreeSwitch, gateway: Gateway, outcomes: list[Outcome]) -> None:
    gone = ChannelUuid("12345678-1234-1234-1234-123456789abc")

    switch.bridge(gone, "{a=b}sofia/gateway/x/y", outcomes.append)
    switch.respond(gone, "488 Not Acceptable Here", outcomes.append)

    eventually("both refused", lambda: len(outcomes) == 2)
    assert [type(outcome) for outcome in outcomes] == [CommandRefused, CommandRefused]
    assert "invalid session id" in str(outcomes[0])


def test_calls_get_503_at_once_without_a_lease(world: World, switch: FreeSwitch, listener: Listener) -> None:
    switch.end_lease()
    switch.channels()  # answered after the lease has ended

    call = world.call("sip:a@inside.example.org", "<sip:b@inside.example.org>", "<sip:a@inside.example.org>")

    assert eventually("a response", call.statuses) == [503]
    assert listener.of(CallParked) == []


def test_held_calls_get_503_and_nobody_hears_of_them(world: World, switch: FreeSwitch, listener: Listener) -> None:
    switch.hold_calls()
    switch.channels()  # answered after calls are held

    held = world.call("sip:a@inside.example.org", "<sip:b@inside.example.org>", "<sip:a@inside.example.org>")

    assert eventually("a response", held.statuses) == [503]
    switch.release_calls()
    switch.channels()
    parked, _ = park(world, listener)
    assert listener.of(CallParked) == [parked]
    switch.respond(parked.channel_uuid, "488 Not Acceptable Here", lambda _: None)
    listener.wait_for(CallEnded)


def test_declined_with_retry_after(world: World, switch: FreeSwitch, listener: Listener) -> None:
    parked, call = park(world, listener)

    switch.respond(parked.channel_uuid, "503 Service Unavailable", lambda _: None, retry_after_s=5)

    assert eventually("a response", call.statuses) == [503]
    assert call.retry_after() == "5"
    assert not listener.wait_for(CallEnded).answered


def test_call_that_nobody_decides_gets_503(world: World, switch: FreeSwitch, listener: Listener) -> None:
    parked, call = park(world, listener)

    assert listener.wait_for(CallEnded) == CallEnded(parked.channel_uuid, "NORMAL_TEMPORARY_FAILURE", answered=False)
    assert eventually("a response", call.statuses) == [503]


@pytest.mark.parametrize(("callee", "state"), [("answers", "ACTIVE"), ("rings", "RINGING")])
def test_the_state_of_a_call_is_told_when_somebody_asks(
    world: World,
    switch: FreeSwitch,
    listener: Listener,
    gateway: Gateway,
    outcomes: list[Outcome],
    callee: str,
    state: str,
) -> None:
    parked, call = park(world, listener)
    uuid = parked.channel_uuid
    eventually("it is parked", lambda: switch.call_states().get(uuid) == "RINGING")
    switch.bridge(uuid, dial_string(world, gateway.name, callee), outcomes.append)
    eventually("it goes on", lambda: {180, 200} & set(call.statuses()))
    eventually("it is told", lambda: switch.call_states().get(uuid) == state)


def test_no_call_comes_while_the_switch_waits_for_its_last_to_end(
    world: World, switch: FreeSwitch, listener: Listener, gateway: Gateway, outcomes: list[Outcome]
) -> None:
    parked, call = park(world, listener)
    switch.bridge(parked.channel_uuid, dial_string(world, gateway.name), outcomes.append)
    eventually("answered", lambda: 200 in call.statuses())

    world.shut_down_when_free()
    eventually("it says so", lambda: switch.api("fsctl shutdown_check") == "true")
    for _ in range(2):
        switch.renew_lease()
        assert switch.api("status")  # answered after the lease
    assert eventually("refused", call_once(world).statuses) == [503]

    world.shut_down_when_free(cancel=True)
    switch.renew_lease()
    eventually("it says so", lambda: switch.api("fsctl shutdown_check") == "false")
    switch.renew_lease()
    assert switch.api("status")
    park(world, listener)
    call.hang_up()
