"""Who may register and call, and what becomes of credentials that somebody else has seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.digest import answer_to, md5
from support.front import DOMAIN, NUMBER, PASSWORD, Front, Phone, calls_to
from support.sip_message import SipMessage
from support.sip_peer import SipPeer

ANOTHER_NUMBER = f"sip:+882123456789@{DOMAIN};user=phone"


def test_wrong_password_registers_nothing_and_calls_nobody(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    assert bob.register(password="another") == 401
    assert bob.final_response(bob.call(NUMBER, password="another"), timeout_s=20).status == 407
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def test_user_is_nobody_else(front: Front, bob: Phone) -> None:
    bob.address = f"sip:alice@{DOMAIN}"
    assert bob.register() == 403
    assert bob.final_response(bob.call(NUMBER), timeout_s=20).status == 403


@pytest.mark.parametrize(
    "request_uri", ["sip:carol@elsewhere.example.org", "sip:+336@elsewhere.example.org;user=phone"]
)
def test_nothing_is_relayed_to_other_domains(front: Front, bob: Phone, request_uri: str) -> None:
    assert bob.final_response(bob.call(request_uri), timeout_s=20).status == 403


def test_stranger_calls_nobody(front: Front, bridges: list[SipPeer], bob: Phone) -> None:
    bob.address = "sip:bob@elsewhere.example.org"
    assert bob.final_response(bob.call(NUMBER), timeout_s=20).status == 403
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


# What was seen on the wire


def as_own(mallory: SipPeer, seen: SipMessage, request_uri: str) -> SipMessage:
    """A request that somebody has seen, sent by another, in a call of its own."""
    kept = [one for one in seen.headers if one[0] not in ("Via", "Call-ID", "Contact")]
    own = mallory.new_request(seen.method, request_uri, from_="<sip:a@b>", to="<sip:c@d>")
    fresh = [(name, own[name]) for name in ("Via", "Call-ID", "Contact")]
    return replace(seen, start_line=own.start_line, headers=(*fresh, *kept))


@pytest.mark.parametrize("qop", [True, False], ids=["qop", "no-qop"])
@pytest.mark.parametrize(
    ("request_uri", "status"), [(ANOTHER_NUMBER, 400), (NUMBER, 407)], ids=["another-number", "the-same-number"]
)
def test_credentials_of_a_call_open_no_other(
    front: Front, bridges: list[SipPeer], bob: Phone, mallory: SipPeer, request_uri: str, status: int, qop: bool
) -> None:
    bob.knows_qop = qop
    seen = bob.call(NUMBER)
    assert bob.outcome(seen).status == 200
    stolen = as_own(mallory, seen, request_uri)
    mallory.send(stolen, front.hostport)
    assert mallory.final_response(stolen, timeout_s=20).status == status
    assert [one for bridge in bridges for one in calls_to(bridge)] == [NUMBER]


def test_credentials_that_never_arrived_open_no_other_number(
    front: Front, bridges: list[SipPeer], bob: Phone, mallory: SipPeer
) -> None:
    """Whoever can keep the INVITE from arriving has a nonce that nobody has used."""
    first = bob.new_request("INVITE", NUMBER, from_=f"<{bob.address}>", to=f"<{NUMBER}>")
    bob.send(first, front.hostport)
    challenge = bob.final_response(first, timeout_s=20)["Proxy-Authenticate"]
    credentials = answer_to(challenge, "bob", PASSWORD, "INVITE", NUMBER)
    stolen = as_own(mallory, first.with_header("Proxy-Authorization", credentials), ANOTHER_NUMBER)
    mallory.send(stolen, front.hostport)
    assert mallory.final_response(stolen, timeout_s=20).status == 400
    assert [calls_to(bridge) for bridge in bridges] == [[], []]


def test_registration_that_was_seen_registers_nobody_else(front: Front, alice: Phone, mallory: SipPeer) -> None:
    seen = alice.new_registration()
    assert alice.final_response(seen, timeout_s=20).status == 200
    stolen = as_own(mallory, seen, f"sip:{DOMAIN}")
    mallory.send(stolen, front.hostport)
    assert mallory.final_response(stolen, timeout_s=20).status == 401


def test_phone_uses_its_nonce_again_with_the_next_count(front: Front, alice: Phone) -> None:
    """No challenge for each registration: RFC 7616 has the count for that."""
    seen = alice.new_registration()
    assert alice.final_response(seen, timeout_s=20).status == 200
    given = seen["Authorization"]
    nonce = given.partition('nonce="')[2].partition('"')[0]
    ha1, ha2 = md5("alice", DOMAIN, PASSWORD), md5("REGISTER", f"sip:{DOMAIN}")
    response = md5(ha1, nonce, "00000002", "c0ffee", "auth", ha2)
    credentials = (
        f'Digest username="alice", realm="{DOMAIN}", nonce="{nonce}", uri="sip:{DOMAIN}", '
        f'cnonce="c0ffee", nc=00000002, qop=auth, algorithm=MD5, response="{response}"'
    )
    again = seen.with_header("Authorization", credentials).with_header("CSeq", "3 REGISTER")
    again = replace(again, headers=(("Via", alice.new_via()), *again.headers[1:]))
    alice.send(again, front.hostport)
    assert alice.final_response(again, timeout_s=20).status == 200


# What $au and $adu of Kamailio are, with several headers


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_second_credentials_make_nobody_somebody_else(
    front: Front, bridges: list[SipPeer], bob: Phone, method: str
) -> None:
    """The first header names alice, in a realm of nobody's; the second has the right answer, of bob."""
    bob.address = f"sip:alice@{DOMAIN}"
    bob.bogus = 'Digest username="alice", realm="x", nonce="1", uri="{uri}", response="' + "0" * 32 + '"'
    if method == "REGISTER":
        assert bob.register() == 400
    else:
        assert bob.final_response(bob.call(NUMBER), timeout_s=20).status == 400
    assert [calls_to(bridge) for bridge in bridges] == [[], []]
