"""Which calls FreeSWITCH parks for the controller, and what it answers to the others by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.freeswitch import FreeSwitch
from support.parked_call import place_call
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

TRUNK = "127.251.251.1"
GATEWAY = "sipbridge.dialplan.4f0c"


@pytest.fixture
def without_lease(freeswitch: FreeSwitch, request: pytest.FixtureRequest) -> Iterator[None]:
    """The variable alone: what the dialplan does by itself."""
    freeswitch.event_socket.api(f"global_setvar sipbridge_lease={request.param}")
    yield
    freeswitch.take_calls()


@pytest.fixture(scope="module")
def gateway(freeswitch: FreeSwitch) -> str:
    parameters = {"username": "alice", "realm": GATEWAY, "proxy": "jabiru.example.org", "register": "false"}
    freeswitch.add_gateway(GATEWAY, **parameters)
    freeswitch.add_gateway("carrier", **parameters | {"realm": "carrier"})
    return GATEWAY


def send(peer: SipPeer, method: str, request_uri: str, hostport: str) -> SipMessage:
    request = peer.new_request(
        method,
        request_uri,
        from_="<sip:carol@jabiru.example.org>",
        to="<sip:alice@jabiru.example.org>",
        headers=[("Event", "presence")],
        body=sdp() if method == "INVITE" else "",
    )
    peer.send(request, hostport)
    return request


def is_parked(freeswitch: FreeSwitch, peer: SipPeer, invite: SipMessage) -> bool:
    """Whether a call waits; if so, it is declined."""
    try:
        event = freeswitch.event_socket.event(
            lambda one: one["Event-Name"] == "CHANNEL_PARK" and one["variable_sip_call_id"] == invite["Call-ID"], 0.5
        )
    except TimeoutError:
        return False
    freeswitch.event_socket.execute(event["Unique-ID"], "respond", "488 Not Acceptable Here")
    assert peer.final_response(invite).status == 488
    return True


def test_starts_without_a_controller_and_reloads_without_complaint(tmp_path: Path, caller: SipPeer) -> None:
    freeswitch = FreeSwitch(tmp_path / "fs")
    try:
        for method in ("OPTIONS", "INVITE"):
            request = send(caller, method, f"sip:{freeswitch.inside}", freeswitch.inside)
            assert caller.final_response(request).status == 503
        for _ in range(2):
            assert "+OK scan complete" in freeswitch.event_socket.api("sofia profile providers rescan")
        assert freeswitch.complaints(freeswitch.log()) == []
    finally:
        freeswitch.kill()


@pytest.mark.parametrize("without_lease", ["", "false"], indirect=True)
@pytest.mark.usefixtures("without_lease")
def test_no_controller_is_503_at_once(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    started = time.monotonic()
    invite = send(caller, "INVITE", "sip:bob@flexisip.example.org", freeswitch.inside)
    final = caller.final_response(invite, timeout_s=1)
    assert time.monotonic() - started < 1
    assert (final.status, final["Retry-After"]) == (503, "5")


def test_controller_that_does_nothing_is_503_after_three_seconds(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    call = place_call(freeswitch, caller)
    assert call.final_response(timeout_s=4).status == 503


def test_call_to_the_contact_of_a_registration_is_parked(freeswitch: FreeSwitch, caller: SipPeer, gateway: str) -> None:
    invite = send(caller, "INVITE", f"sip:gw+{gateway}@{freeswitch.providers};gw={gateway}", freeswitch.providers)
    assert is_parked(freeswitch, caller, invite)


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    "user", ["bob", "gw+sipbridge.dialplan.guess", "gw+carrier"], ids=["nobody", "a guess", "a gateway not ours"]
)
def test_stranger_is_403(freeswitch: FreeSwitch, caller: SipPeer, user: str) -> None:
    invite = send(caller, "INVITE", f"sip:{user}@{freeswitch.providers}", freeswitch.providers)
    assert caller.final_response(invite).status == 403
    assert not is_parked(freeswitch, caller, invite)


@pytest.fixture
def trunk(freeswitch: FreeSwitch) -> Iterator[SipPeer]:
    """A peer whose address is in the list of providers that need no registration, and not in that of our side."""
    file = freeswitch.directory / "conf/local/trunk.xml"
    with SipPeer(ip=TRUNK) as peer:
        file.write_text(
            f"""<include>
            <X-PRE-PROCESS cmd="set" data="sipbridge_inside_networks=127.0.0.0/16"/>
            <X-PRE-PROCESS cmd="set" data="sipbridge_providers_networks=192.0.2.0/24,{TRUNK}/32"/>
            </include>"""
        )
        assert "+OK" in freeswitch.event_socket.api("reloadacl")
        yield peer
        file.unlink()
        assert "+OK" in freeswitch.event_socket.api("reloadacl")


def test_addresses_decide_who_may_call_without_a_registration(freeswitch: FreeSwitch, trunk: SipPeer) -> None:
    invite = send(trunk, "INVITE", "sip:alice@jabiru.example.org", freeswitch.providers)
    assert is_parked(freeswitch, trunk, invite)
    invite = send(trunk, "INVITE", "sip:alice@jabiru.example.org", freeswitch.inside)
    assert trunk.final_response(invite).status == 403
    assert not is_parked(freeswitch, trunk, invite)


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "PUBLISH", "REFER"])
def test_nothing_but_calls_is_accepted(freeswitch: FreeSwitch, caller: SipPeer, method: str) -> None:
    for hostport in (freeswitch.inside, freeswitch.providers):
        request = send(caller, method, f"sip:{hostport}", hostport)
        assert caller.final_response(request).status == 405


def test_probe_is_answered_as_calls_would_be(freeswitch: FreeSwitch, caller: SipPeer) -> None:
    for takes_calls, status in ((True, 200), (False, 503), (True, 200)):
        freeswitch.take_calls(takes_calls)
        for hostport in (freeswitch.inside, freeswitch.providers):
            assert caller.final_response(send(caller, "OPTIONS", f"sip:{hostport}", hostport)).status == status
