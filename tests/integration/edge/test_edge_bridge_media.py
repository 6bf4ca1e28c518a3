"""What each cell of the media table offers on the wire, through `sipbridge run`, a real FreeSWITCH and the edge."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from edge_installation import PATIENCE_S, edge_settings, edge_state

from sipbridge.core.providers.media import MediaEncryption, media_offer
from support.bridge import Bridge, Providers
from support.edge import PROGRAM as KAMAILIO
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.rtpengine import PROGRAM as RTPENGINE
from support.rtpengine import Rtpengine
from support.sip_message import SipMessage, sdp, sdp_profile
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies

pytestmark = [
    pytest.mark.skipif(KAMAILIO is None, reason="no kamailio on the PATH"),
    pytest.mark.skipif(RTPENGINE is None, reason="no rtpengine on the PATH"),
]

EVERY = list(itertools.product(MediaEncryption, [None, False, True]))
OFFERED = [asked for asked in EVERY if media_offer(*asked, has_edge=True)]
PROFILES = {
    ("none", False): "RTP/AVP",
    ("none", True): "RTP/AVPF",
    ("sdes", False): "RTP/SAVP",
    ("sdes", True): "RTP/SAVPF",
    ("dtls-srtp", False): "UDP/TLS/RTP/SAVP",
    ("dtls-srtp", True): "RTP/SAVPF",
}
SUITE = "AES_CM_128_HMAC_SHA1_80"
BUSY = replies(Reply(486, "Busy Here"))


def name_of(encryption: MediaEncryption, enable_avpf: bool | None) -> str:
    return f"{encryption.value}-{enable_avpf}".lower()


def _called(user: str) -> dict[str, str]:
    return {"strategy": "MatchRegex", "pattern": f"sip:{user}@.*", "source": "{requestUri}"}


def providers_file(far: SipPeer) -> Providers:
    """A provider for each cell, its calls those to the cell's name; accounts of two pools, for the two paths."""
    providers, pools = [], {}
    for asked in OFFERED:
        offer = media_offer(*asked, has_edge=True)
        assert offer is not None
        encryption, enable_avpf = asked
        pool = "edge" if offer.edge else "direct"
        invite = {"to": "sip:{incoming.to.user}@far.example", "mediaEncryption": encryption.value}
        providers.append(
            {
                "name": name_of(*asked),
                "accountPool": pool,
                "triggerCondition": _called(name_of(*asked)),
                "accountToUse": {"strategy": "Random"},
                "onAccountNotFound": "decline",
                "outgoingInvite": invite if enable_avpf is None else invite | {"enableAvpf": enable_avpf},
            }
        )
        pools[pool] = {
            "outboundProxy": f"<sip:{far.hostport};transport=tcp>",
            "registrationRequired": False,
            "maxCallsPerLine": 10,
            "loader": [{"uri": f"sip:{pool}@far.example"}],
        }
    past = dict(providers[0], name="past", triggerCondition=_called("past"))
    past["outgoingInvite"] = {
        "to": "sip:{incoming.to.user}@far.example",
        "enableAvpf": True,
        "outboundProxy": f"sip:{far.hostport}",
    }
    return {"schemaVersion": 2, "providers": [*providers, past], "accountPools": pools}


@pytest.fixture(scope="module")
def far() -> Iterator[SipPeer]:
    with SipPeer() as peer:
        yield peer


@pytest.fixture(scope="module")
def bridge(bridged_freeswitch: FreeSwitch, far: SipPeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with (
        Rtpengine(tmp_path_factory.mktemp("rtpengine")) as rtpengine,
        Edge(
            tmp_path_factory.mktemp("edge"),
            bridged_freeswitch.providers,
            definitions={"RTPENGINE": rtpengine.control},
        ) as edge,
    ):
        settings = edge_settings(edge)
        bridge = Bridge(
            tmp_path_factory.mktemp("bridge"), bridged_freeswitch, providers_file(far), more_settings=settings
        )
        try:
            wait_until("the edge knows its account", lambda: edge_state(bridge)["known"] == 1, timeout_s=PATIENCE_S)
            wait_until(
                "the gateways are there", lambda: len(bridged_freeswitch.gateways_up()) == 2, timeout_s=PATIENCE_S
            )
            yield bridge
        finally:
            status = bridge.terminate()
        assert status == 0


@pytest.fixture(autouse=True)
def _calls_end(bridged_freeswitch: FreeSwitch) -> Iterator[None]:
    yield
    # What a test that failed has left.
    bridged_freeswitch.event_socket.api("hupall")


def call(caller: SipPeer, freeswitch: FreeSwitch, user: str, body: str) -> tuple[SipMessage, SipMessage]:
    """An INVITE and its final response, acknowledged."""
    invite = caller.new_request(
        "INVITE",
        f"sip:{user}@home.example",
        from_="<sip:caller@home.example>",
        to=f"<sip:{user}@home.example>",
        body=body,
    )
    caller.send(invite, freeswitch.inside)
    final = caller.final_response(invite, timeout_s=PATIENCE_S)
    caller.send(caller.within_dialog("ACK", invite, final), freeswitch.inside)
    return invite, final


def attributes(body: str, name: str) -> list[str]:
    return re.findall(rf"(?m)^a={name}:?(.*?)\r?$", body)


@pytest.mark.parametrize("asked", OFFERED, ids=lambda asked: name_of(*asked))
def test_offer(
    bridge: Bridge,
    bridged_freeswitch: FreeSwitch,
    caller: SipPeer,
    far: SipPeer,
    asked: tuple[MediaEncryption, bool | None],
) -> None:
    far.rule = BUSY
    heard = len(far.received)

    _, final = call(caller, bridged_freeswitch, name_of(*asked), sdp())

    assert final.status == 486
    arrived = far.request("INVITE", since=heard)
    assert "x-sipbridge" not in arrived.encode().decode().lower()
    assert arrived.transport == "tcp"
    encryption, enable_avpf = asked
    protection = "none" if encryption is MediaEncryption.ZRTP else encryption.value
    avpf = protection == "dtls-srtp" if enable_avpf is None else enable_avpf
    offered = arrived.body
    assert sdp_profile(offered) == PROFILES[protection, avpf]
    assert bool(attributes(offered, "fingerprint")) == (protection == "dtls-srtp")
    assert bool(attributes(offered, "ice-ufrag")) == (protection == "dtls-srtp" and avpf)
    suites = [line.split()[1] for line in attributes(offered, "crypto")]
    assert suites == ([SUITE] if protection == "sdes" else [])


def test_offer_of_an_invite_past_its_account(
    bridge: Bridge, bridged_freeswitch: FreeSwitch, caller: SipPeer, far: SipPeer
) -> None:
    far.rule = BUSY
    heard = len(far.received)

    assert call(caller, bridged_freeswitch, "past", sdp())[1].status == 486

    arrived = far.request("INVITE", since=heard)
    assert (arrived.transport, sdp_profile(arrived.body)) == ("udp", "RTP/AVPF")
    assert "x-sipbridge" not in arrived.encode().decode().lower()


@pytest.mark.parametrize("user", ["none-none", "none-true"], ids=["direct", "edge"])
def test_calls_end_on_either_side(
    bridge: Bridge, bridged_freeswitch: FreeSwitch, caller: SipPeer, far: SipPeer, user: str
) -> None:
    answer = sdp() if user == "none-none" else sdp().replace("RTP/AVP", "RTP/AVPF")
    far.rule = answers(body=answer)
    for ends in ("caller", "callee"):
        heard = len(far.received)
        invite, final = call(caller, bridged_freeswitch, user, sdp())
        assert (final.status, sdp_profile(final.body)) == (200, "RTP/AVP")
        if ends == "caller":
            bye = caller.within_dialog("BYE", invite, final, cseq=2)
            caller.send(bye, bridged_freeswitch.inside)
            assert caller.final_response(bye, timeout_s=PATIENCE_S).status == 200
            far.request("BYE", since=heard, timeout_s=PATIENCE_S)
        else:
            bye = far.send_as_callee("BYE", far.request("INVITE", since=heard))
            assert far.final_response(bye, timeout_s=PATIENCE_S).status == 200
            caller.wait_for(
                lambda one, call_id=invite["Call-ID"]: one.method == "BYE" and one["Call-ID"] == call_id,
                timeout_s=PATIENCE_S,
            )


# ZRTP passes: caller and callee get each other's SDP as it was sent, media address and all.

HASH = "1.10 fe30efd02423cb054e50efd0248742ac7a52c8f91bc2df881ae642c371ba46df"


def test_zrtp_is_between_caller_and_callee(
    bridge: Bridge, bridged_freeswitch: FreeSwitch, caller: SipPeer, far: SipPeer
) -> None:
    # A codec that FreeSWITCH is not configured for shows that it has no say.
    offer, answer = (f"{sdp(port, payload_types='96')}{_ZRTP}" for port in (41_000, 42_000))
    far.rule = answers(body=answer)
    heard = len(far.received)

    invite, final = call(caller, bridged_freeswitch, "zrtp-none", offer)

    assert final.status == 200
    assert _described(far.request("INVITE", since=heard).body) == _described(offer)
    assert _described(final.body) == _described(answer)

    # So does what is changed in the call.
    held = f"{sdp(41_000, payload_types='96', direction='sendonly')}{_ZRTP}"
    again = caller.within_dialog("INVITE", invite, final, cseq=2, body=held)
    caller.send(again, bridged_freeswitch.inside)
    changed = caller.final_response(again, timeout_s=PATIENCE_S)
    assert changed.status == 200
    caller.send(caller.within_dialog("ACK", again, changed, cseq=2), bridged_freeswitch.inside)
    assert _described(far.request("INVITE", count=2, since=heard).body) == _described(held)
    bye = caller.within_dialog("BYE", invite, final, cseq=3)
    caller.send(bye, bridged_freeswitch.inside)
    assert caller.final_response(bye, timeout_s=PATIENCE_S).status == 200


_ZRTP = f"a=rtpmap:96 opus/48000/2\r\na=zrtp-hash:{HASH}\r\na=x-nobody-knows:1\r\n"


def _described(body: str) -> list[str]:
    """What an SDP says of media, in whatever order; ``sendrecv`` goes without saying."""
    return sorted(line for line in body.splitlines() if line[:1] in ("c", "m", "a") and line != "a=sendrecv")
