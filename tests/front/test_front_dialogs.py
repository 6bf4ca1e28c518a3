"""Requests in a dialog: relayed without credentials, so only in dialogs that began here."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.front import NUMBER, Front, Phone, calls_to, with_routes
from support.sip_message import SipMessage
from support.sip_peer import SipPeer


@pytest.fixture
def victim() -> Iterator[SipPeer]:
    """Who must not get anything by way of the front."""
    with SipPeer() as peer:
        yield peer


def in_dialog(mallory: SipPeer, method: str, request_uri: str, route: str, **headers: str) -> SipMessage:
    """A request of a stranger that says it is in a dialog."""
    return mallory.new_request(
        method,
        request_uri,
        from_="<sip:mallory@elsewhere.example.org>",
        to="<sip:somebody@elsewhere.example.org>;tag=guess",
        headers=[("Route", route), *headers.items()],
    )


@pytest.mark.parametrize("method", ["INVITE", "BYE", "REFER", "NOTIFY", "MESSAGE"])
@pytest.mark.parametrize("key", ["", ";key=", ";key=" + "0" * 32], ids=["no-key", "empty-key", "wrong-key"])
def test_stranger_relays_nothing(front: Front, mallory: SipPeer, victim: SipPeer, method: str, key: str) -> None:
    request = in_dialog(
        mallory, method, f"sip:anybody@{victim.hostport}", f"<sip:{front.hostport};lr{key}>", Replaces="a;to-tag=b"
    )
    mallory.send(request, front.hostport)
    assert mallory.final_response(request, timeout_s=20).status == 481
    assert victim.received == []


def test_stranger_reaches_no_bridge(front: Front, bridges: list[SipPeer], mallory: SipPeer) -> None:
    request = in_dialog(
        mallory,
        "INVITE",
        f"sip:+33612345678@{bridges[0].hostport}",
        f"<sip:{front.hostport};lr>",
        Replaces="a-call-of-others;to-tag=a;from-tag=b",
    )
    mallory.send(request, front.hostport)
    assert mallory.final_response(request, timeout_s=20).status == 481
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def test_key_of_a_call_is_good_for_that_call_only(front: Front, bob: Phone, mallory: SipPeer, victim: SipPeer) -> None:
    invite = bob.call(NUMBER)
    route = bob.outcome(invite)["Record-Route"]
    assert re.search(r";key=[0-9a-f]{32}[;>]", route)
    request = in_dialog(mallory, "MESSAGE", f"sip:anybody@{victim.hostport}", route)
    mallory.send(request, front.hostport)
    assert mallory.final_response(request, timeout_s=20).status == 481
    # Its Call-ID is not enough either: the tag is part of it.
    request = request.with_header("Call-ID", invite["Call-ID"]).with_header("CSeq", "77 MESSAGE")
    mallory.send(request, front.hostport)
    assert mallory.final_response(request, timeout_s=20).status == 481
    assert victim.received == []


@pytest.mark.parametrize("restarted", [False, True], ids=["as-it-is", "after-a-restart"])
def test_both_sides_of_a_call_can_hang_up(front: Front, bridges: list[SipPeer], bob: Phone, restarted: bool) -> None:
    calls = [(invite, bob.outcome(invite)) for invite in (bob.call(NUMBER), bob.call(NUMBER))]
    assert [final.status for _, final in calls] == [200, 200]
    if restarted:
        front.kill()
        front.start()
    assert bob.hang_up(*calls[0]) == 200
    arrived = {one["Call-ID"]: (bridge, one) for bridge in bridges for one in bridge.received if one.method == "INVITE"}
    bridge, invite = arrived[calls[1][0]["Call-ID"]]
    bye = SipMessage(
        f"BYE sip:caller@{bob.hostport} SIP/2.0",
        (
            ("Via", bridge.new_via()),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in invite.values("Record-Route")),
            ("From", f"{invite['To']};tag=callee"),
            ("To", invite["From"]),
            ("Call-ID", invite["Call-ID"]),
            ("CSeq", "100 BYE"),
        ),
    )
    bridge.send(bye, front.hostport)
    assert bridge.final_response(bye, timeout_s=20).status == 200
    assert bob.request("BYE")


def within(bob: Phone, front: Front, method: str, headers: list[tuple[str, str]]) -> tuple[SipMessage, SipMessage]:
    """A request of the caller in a call to a bridge, and its final response."""
    invite = bob.call(NUMBER)
    final = bob.outcome(invite)
    request = with_routes(bob.within_dialog(method, invite, final, cseq=9, headers=headers), final)
    bob.send(request, front.hostport)
    return request, bob.final_response(request, timeout_s=20)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Event", "talk", 489),
        ("Event", "Hold;x=y", 489),
        ("o", "talk", 489),
        ("Event", "refer", 200),
    ],
)
def test_bridge_is_not_told_to_talk(
    front: Front, bridges: list[SipPeer], bob: Phone, name: str, value: str, status: int
) -> None:
    """FreeSWITCH would answer the call, and have it decided again."""
    _, final = within(bob, front, "NOTIFY", [(name, value)])
    assert final.status == status
    assert len([one for bridge in bridges for one in bridge.received if one.method == "NOTIFY"]) == (status == 200)


def test_second_event_header_hides_nothing(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    assert within(bob, front, "NOTIFY", [("Event", "refer"), ("Event", "talk")])[1].status == 489


def test_replaces_in_a_dialog_is_taken_out(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    request, final = within(bob, front, "INVITE", [("Replaces", "a-call-of-others;to-tag=a;from-tag=b")])
    assert final.status == 200
    (arrived,) = [one for bridge in bridges for one in bridge.received if one["CSeq"] == request["CSeq"]]
    assert "Replaces" not in arrived


def test_route_of_a_new_call_leads_nowhere(front: Front, bridges: list[SipPeer], bob: Phone, victim: SipPeer) -> None:
    routes = [("Route", f"<sip:{front.hostport};lr>, <sip:{victim.hostport};lr>")]
    assert bob.outcome(bob.call(NUMBER, headers=routes)).status == 200
    (arrived,) = [one for bridge in bridges for one in bridge.received if one.method == "INVITE"]
    assert "Route" not in arrived
    assert victim.received == []
    assert arrived.request_uri == NUMBER
