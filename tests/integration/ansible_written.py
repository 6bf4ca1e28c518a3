"""The specification's first example on a server that the roles have written, once for every way a call can go.

A way is a transport and what protects the media, the same on both legs. Each has an account, a pool and two providers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jabiru

from support.rtp import RtpPeer
from support.rtpengine import Rtpengine
from support.sip_message import SipMessage, sdp, sdp_audio, sdp_direction
from support.sip_rule import Reply

_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}

PASSWORD = "secret-of-an-account"

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Way:
    """How calls of an account go.

    Attributes:
        name: of the account; its pool is called so, too.
        encryption: ``mediaEncryption`` of the providers file.
        offered: the profile that FreeSWITCH offers then.
        offers: the profile that others offer to it.
        by: how they offer it, in rtpengine's words.
    """

    name: str
    transport: str
    encryption: str = "none"
    offered: str = "RTP/AVP"
    offers: str = "RTP/AVP"
    by: Mapping[str, str | list[str]] = field(default_factory=dict)

    @property
    def suites(self) -> list[str]:
        """What FreeSWITCH offers by SDES."""
        return ["AES_CM_128_HMAC_SHA1_80"] if self.encryption == "sdes" else []


WAYS = (
    Way("over-udp", "udp"),
    Way("over-tcp", "tcp"),
    Way("over-tls-sdes", "tls", "sdes", "RTP/SAVP", "RTP/SAVP", {"ICE": "remove", "DTLS": "off"}),
    Way("over-tls-dtls", "tls", "dtls-srtp", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF", {"ICE": "force", "SDES": ["off"]}),
)


def providers_file(far: Mapping[str, str], proxy: Mapping[str, str], trunks: Mapping[str, str]) -> dict[str, Any]:
    """The example, once for every way, and for a trunk over every transport: an account that does not register.

    Args:
        far: ``host:port`` of the far side, by transport.
        proxy: likewise of our side.
        trunks: likewise of both ends of the trunks.
    """
    everything: dict[str, Any] = {"schemaVersion": 2, "providers": [], "accountPools": {}}
    all_ways = [(way, far[way.transport], proxy[way.transport]) for way in WAYS]
    all_ways += [(trunk(transport), hostport, hostport) for transport, hostport in trunks.items()]
    for way, far_end, near_end in all_ways:
        file = jabiru.providers_file(far_end, near_end, way.transport)
        for provider in file["providers"]:
            provider["name"] += f" {way.name}"
            provider["accountPool"] = way.name
            provider["outgoingInvite"]["mediaEncryption"] = way.encryption
        (pool,) = file["accountPools"].values()
        pool["loader"] = [account(way.name)]
        pool["registrationRequired"] = way in WAYS
        everything["providers"] += file["providers"]
        everything["accountPools"][way.name] = pool
    return everything


def trunk(transport: str) -> Way:
    """How calls of a trunk go."""
    return Way(f"trunk-{transport}", transport)


def account(name: str) -> dict[str, str]:
    """An account of the far domain."""
    return {
        "uri": f"sip:{name}@{jabiru.DOMAIN}",
        "secretType": "clrtxt",
        "secret": PASSWORD,
        "alias": f"sip:{name}@{jabiru.PROXY_DOMAIN}",
    }


@dataclass(slots=True)
class Telephone:
    """One that speaks plain RTP, behind an rtpengine where its way asks for more.

    Attributes:
        rtp: what it says and hears.
        switch_ip: where FreeSWITCH's media is.
        answered: its last answer.
    """

    rtpengine: Rtpengine
    way: Way
    rtp: RtpPeer
    switch_ip: str
    answered: str = ""
    _call: dict[str, Any] = field(default_factory=lambda: {"call_id": f"telephone {next(_serial)}"})
    _hears_of: tuple[str, int] | None = None

    @property
    def is_protected(self) -> bool:
        return self.way.encryption != "none"

    def picks_up(self, request: SipMessage) -> list[Reply]:
        """The rule of a callee that answers at once, and agrees to be held and resumed."""
        return [Reply(200, "OK", body=self.answer(request.body) if request.method == "INVITE" else "")]

    def offer(self, direction: str = "sendrecv") -> str:
        """What it offers."""
        plain = self._sdp(direction)
        if not self.is_protected:
            return plain
        more = {"rtcp_mux": ["offer"], "transport_protocol": self.way.offers, **self.way.by}
        return self._ask("offer", plain, from_tag="telephone", **more)

    def take_answer(self, body: str) -> None:
        """Begin to talk, as an answer to its offer says."""
        if self.is_protected:
            plain = {"transport_protocol": "RTP/AVP", "ICE": "remove"}
            body = self._ask("answer", body, from_tag="telephone", to_tag="switch", **plain)
        self._talk(body)

    def answer(self, offer: str) -> str:
        """What it answers to an offer; it begins to talk."""
        mirrored = _MIRRORED[sdp_direction(offer)]
        if self.is_protected:
            plain = {"transport_protocol": "RTP/AVP", "ICE": "remove", "rtcp_mux": ["accept"]}
            self._talk(self._ask("offer", offer, from_tag="switch", **plain))
            both = {"from_tag": "switch", "to_tag": "telephone", "ICE": "default"}
            self.answered = self._ask("answer", self._sdp(mirrored), **both)
        else:
            self._talk(offer)
            self.answered = self._sdp(mirrored)
        return self.answered

    def _sdp(self, direction: str = "sendrecv") -> str:
        return sdp(self.rtp.port, direction=direction, ip=self.rtp.ip)

    def _talk(self, body: str) -> None:
        to = (self.rtpengine.media_ip if self.is_protected else self.switch_ip, sdp_audio(body)[0])
        if self._hears_of != to:
            self._hears_of = to
            self.rtp.talk_to(*to)

    def _ask(self, command: str, body: str, **parameters: Any) -> str:
        answer: str = self.rtpengine.ask(command, **self._call, **parameters, sdp=body)["sdp"]
        return answer
