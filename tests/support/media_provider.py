"""A provider whose telephones speak plain RTP, behind an rtpengine that speaks what is offered. I/O: by rtpengine."""

from __future__ import annotations

from collections.abc import Iterable

from support.rtp import RtpPeer
from support.rtpengine import Rtpengine
from support.sip_message import SipMessage, sdp, sdp_audio
from support.sip_rule import Reply

MEDIA = {"avpf": "RTP/AVPF", "sdes-avpf": "RTP/SAVPF", "dtls-savp": "UDP/TLS/RTP/SAVP"}
"""What the edge can be asked for, and the profile that its offer then has."""


class ProviderWithMedia:
    """Answers calls for a telephone that speaks plain RTP, by an rtpengine that speaks what is offered.

    Args:
        ice: what rtpengine does about ICE towards the caller: ``remove``, or ``default`` to do as the caller does.

    Attributes:
        answers: what it has answered.
    """

    def __init__(self, rtpengine: Rtpengine, telephone: RtpPeer, ice: str = "remove") -> None:
        self.rtpengine = rtpengine
        self.telephone = telephone
        self.answers: list[str] = []
        self._ice = ice

    def rule(self, request: SipMessage) -> Iterable[Reply]:
        if request.method != "INVITE":
            return [Reply(200, "OK")]
        return [Reply(200, "OK", body=self.answer(request))]

    def answer(self, request: SipMessage, *, is_dtls_server: bool = False) -> str:
        """The answer to the offer in a request.

        Args:
            is_dtls_server: whether it waits for the other side to begin the handshake, if there is DTLS.
        """
        # An rtpengine that may be either begins the handshake before it has answered.
        offer = request.body.replace("a=setup:actpass", "a=setup:active") if is_dtls_server else request.body
        call = {**self._call(request), "from_tag": _tag(request["From"]), "to_tag": "callee"}
        mux = {"rtcp_mux": ["accept"]}
        self._hear_of(self._sdp("offer", **call, **mux, sdp=offer, transport_protocol="RTP/AVP"))
        self.answers.append(self._sdp("answer", **call | {"ICE": self._ice}, sdp=sdp(self.telephone.port)))
        return self.answers[-1]

    def offer(self, request: SipMessage, profile: str) -> str:
        """An offer of its own in the call that a request has made."""
        call = {**self._call(request), "from_tag": "callee", "to_tag": _tag(request["From"])}
        return self._sdp("offer", **call, sdp=sdp(self.telephone.port), transport_protocol=profile)

    def take_answer(self, request: SipMessage, message: SipMessage) -> None:
        """What a message answers to that offer."""
        call = {**self._call(request), "from_tag": "callee", "to_tag": _tag(request["From"])}
        self._hear_of(self._sdp("answer", **call, sdp=message.body, transport_protocol="RTP/AVP"))

    def _call(self, request: SipMessage) -> dict[str, str]:
        return {"call_id": f"far {request['Call-ID']}", "ICE": "remove"}

    def _hear_of(self, body: str) -> None:
        self.telephone.talk_to(self.rtpengine.ip, sdp_audio(body)[0])

    def _sdp(self, command: str, **parameters: str | list[str]) -> str:
        body: str = self.rtpengine.ask(command, **parameters)["sdp"]
        return body


def _tag(address: str) -> str:
    return address.partition(";tag=")[2]
