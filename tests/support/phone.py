"""A phone that makes any number of calls at once, over UDP, and acknowledges, answers and hangs up by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply


class PhoneCall:
    """A call that the phone makes.

    Attributes:
        final: the final response; None before.
        is_over: whether either side has hung up, or the call failed.
    """

    def __init__(self, invite: SipMessage) -> None:
        self.invite = invite
        self.final: SipMessage | None = None
        self.is_over = False

    @property
    def is_answered(self) -> bool:
        """Whether the two talk."""
        return self.final is not None and not self.is_over


class Phone:
    """A caller.

    Args:
        proxy: ``host:port`` that gets its requests.
    """

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy
        self._calls: dict[str, PhoneCall] = {}
        self._lock = threading.Lock()
        self._peer = SipPeer(self._on_request)
        self._peer.on_response = self._on_response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._peer.close()

    def call(self, request_uri: str, from_: str, to: str) -> PhoneCall:
        """Send an INVITE."""
        invite = self._peer.new_request("INVITE", request_uri, from_=from_, to=to, body=sdp())
        call = self._calls[invite["Call-ID"]] = PhoneCall(invite)
        self._peer.send(invite, self._proxy)
        return call

    def hang_up(self, call: PhoneCall) -> None:
        """End a call, now or as soon as it is answered."""
        with self._lock:
            was_answered, call.is_over = call.is_answered, True
        if was_answered:
            self._send("BYE", call, cseq=2)

    def hang_up_all(self) -> None:
        """End all calls."""
        for call in tuple(self._calls.values()):
            self.hang_up(call)

    def forget(self) -> None:
        """Take all calls for lost: the other side said goodbye to nobody."""
        for call in self._calls.values():
            call.is_over = True

    def _on_response(self, response: SipMessage) -> None:
        call = self._calls.get(response["Call-ID"])
        if call is None or response.status < 200 or response.transaction[1] != "INVITE":
            return
        with self._lock:
            is_first, call.final = call.final is None, response
            nobody_waits = call.is_over
            call.is_over |= response.status >= 300
        self._send("ACK", call, cseq=1)
        if is_first and nobody_waits and response.status < 300:
            self._send("BYE", call, cseq=2)

    def _on_request(self, request: SipMessage) -> Iterable[Reply]:
        if request.method == "BYE" and (call := self._calls.get(request["Call-ID"])):
            call.is_over = True
        return [Reply(200, "OK", body=sdp() if request.method == "INVITE" else "")]

    def _send(self, method: str, call: PhoneCall, cseq: int) -> None:
        assert call.final is not None
        self._peer.send(self._peer.within_dialog(method, call.invite, call.final, cseq=cseq), self._proxy)
