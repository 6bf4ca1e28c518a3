"""A call that comes back to the bridge: what a proxy tells our calls by, and what ends those that it sends back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

ACCOUNT = "sip:line@provider.example.org"
LINES = 50
USER_AGENT = "Flexisip-B2BUA/2.7.0"


def providers_file(callee: SipPeer, bridge: str) -> Providers:
    """Calls to ``round`` are sent to the bridge itself, all others to the callee."""
    provider = {
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "accountPool": "Pool",
    }
    to = "sip:{incoming.requestUri.user}@{account.uri.hostport}"
    loop = {
        "name": "Loop",
        "triggerCondition": {"strategy": "MatchRegex", "source": "{requestUri}", "pattern": "sip:round@.*"},
        "outgoingInvite": {"to": to, "outboundProxy": f"<sip:{bridge}>"},
    }
    pool = {
        "outboundProxy": f"<sip:{callee.hostport}>",
        "registrationRequired": False,
        "maxCallsPerLine": LINES,
        "loader": [{"uri": ACCOUNT}],
    }
    out = {"name": "Out", "outgoingInvite": {"to": to}}
    return {"schemaVersion": 2, "providers": [provider | loop, provider | out], "accountPools": {"Pool": pool}}


@pytest.fixture(scope="module")
def freeswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreeSwitch]:
    # By default its own addresses may not call the proxy's side, which would end the loop at once.
    freeswitch = FreeSwitch(
        tmp_path_factory.mktemp("fs"),
        sipbridge_user_agent=USER_AGENT,
        sipbridge_inside_refused="255.255.255.255/32",
    )
    yield freeswitch
    freeswitch.kill()


@pytest.fixture(scope="module")
def far(freeswitch: FreeSwitch) -> Iterator[SipPeer]:
    with SipPeer(replies(Reply(486, "Busy Here"))) as peer:
        yield peer


@pytest.fixture(scope="module")
def bridge(freeswitch: FreeSwitch, far: SipPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    bridge = Bridge(tmp_path_factory.mktemp("bridge"), freeswitch, providers_file(far, freeswitch.inside))
    bridge.wait_for_status(ACCOUNT, "OK")
    yield bridge
    bridge.kill()


def call(caller: SipPeer, freeswitch: FreeSwitch, user: str, max_forwards: int) -> SipMessage:
    """Call; the final response."""
    domain = "flexisip.example.org"
    invite = caller.new_request(
        "INVITE", f"sip:{user}@{domain}", from_=f"<sip:alice@{domain}>", to=f"<sip:{user}@{domain}>", body=sdp()
    ).with_header("Max-Forwards", str(max_forwards))
    caller.send(invite, freeswitch.inside)
    final = caller.final_response(invite, timeout_s=30.0)
    caller.send(caller.within_dialog("ACK", invite, final), freeswitch.inside)
    return final


def test_proxy_can_tell_our_calls_by_their_user_agent(
    freeswitch: FreeSwitch, bridge: Bridge, caller: SipPeer, far: SipPeer
) -> None:
    assert call(caller, freeswitch, "bob", 70).status == 486
    invite = far.request("INVITE")
    assert invite["User-Agent"] == USER_AGENT
    assert invite["Max-Forwards"] == "69"
    bridge.wait_for_free_slots(ACCOUNT, LINES)


def test_call_that_goes_round_and_round_ends_and_gives_its_lines_back(
    freeswitch: FreeSwitch, bridge: Bridge, caller: SipPeer
) -> None:
    """RFC 7332: a B2BUA counts Max-Forwards down, which is what ends a loop."""
    assert call(caller, freeswitch, "round", 6).status == 483
    bridge.wait_for_free_slots(ACCOUNT, LINES)
    went_round = 'outcome="failed",provider="Loop",reason="EXCHANGE_ROUTING_ERROR"} 6.0'
    wait_until("every turn is counted", lambda: went_round in bridge.get("/metrics")[1])
