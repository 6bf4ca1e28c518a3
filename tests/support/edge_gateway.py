"""FreeSWITCH as the edge sees it, where there is none: an account's gateway that registers, calls and is called.

It answers challenges as FreeSWITCH does, with MD5 and a password that is not the account's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from support.digest import answer_to
from support.edge import Edge
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

_branches = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its final response; the last ones, where the first was challenged."""

    request: SipMessage
    final: SipMessage

    @property
    def route_set(self) -> list[str]:
        """The routes of the dialog that the request has made, as its sender uses them."""
        return self.final.values("Record-Route")[::-1]


@dataclass(frozen=True, slots=True)
class EdgeGateway:
    """A gateway.

    Attributes:
        freeswitch: the provider profile; the edge takes requests of its address only.
        name: what the edge knows the account by; ``""`` for a call without an account.
        uri: the account's.
    """

    freeswitch: SipPeer
    edge: Edge
    name: str
    uri: str = "sip:alice@jabiru.example.org"
    auth_username: str = "alice-auth"

    @property
    def contact(self) -> str:
        """Its Contact."""
        user, parameter = (f"gw+{self.name}", f";gw={self.name}") if self.name else ("mod_sofia", "")
        return f"<sip:{user}@{self.freeswitch.hostport};transport=udp{parameter}>"

    def register(self, expires: int = 3600) -> Exchange:
        """Register, answering a challenge."""
        registrar = "sip:" + self.uri.partition("@")[2] + ";transport=udp"
        return self._exchange(self.new_request("REGISTER", registrar, headers={"Expires": str(expires)}))

    def invite(self, next_hop: str, media: str = "", *, body: str | None = None) -> SipMessage:
        """An INVITE as FreeSWITCH makes it, not sent yet."""
        headers = {"X-Sipbridge-Next-Hop": next_hop} | ({"X-Sipbridge-Media": media} if media else {})
        offer = sdp() if body is None else body
        return self.new_request("INVITE", "sip:bob@jabiru.example.org", headers=headers, body=offer)

    def call(self, invite: SipMessage, answer: str = "") -> Exchange:
        """Send an INVITE, answer a challenge, and acknowledge the final response.

        Args:
            answer: the SDP of the ACK, for an INVITE without an offer.
        """
        return self._exchange(invite, answer)

    def new_request(
        self, method: str, request_uri: str, *, headers: Mapping[str, str] | None = None, body: str = ""
    ) -> SipMessage:
        """A request outside of any dialog, not sent yet."""
        to = self.uri if method == "REGISTER" else request_uri
        request = self.freeswitch.new_request(
            method, request_uri, from_=f"<{self.uri}>", to=f"<{to}>", headers=(headers or {}).items(), body=body
        )
        return request.with_header("Contact", self.contact)

    def within_dialog(self, method: str, call: Exchange, *, cseq: int, body: str = "") -> SipMessage:
        """A request of the caller in the dialog, not sent yet."""
        routes = [("Route", route) for route in call.route_set]
        made = self.freeswitch.within_dialog(method, call.request, call.final, cseq=cseq, headers=routes, body=body)
        return made.with_header("Contact", self.contact)

    def send_within_dialog(self, method: str, call: Exchange, *, cseq: int, body: str = "") -> Exchange:
        """Send it, and answer a challenge."""
        return self._exchange(self.within_dialog(method, call, cseq=cseq, body=body))

    def as_callee(self, method: str, invite: SipMessage, *, cseq: int = 100) -> Exchange:
        """Send a request of the callee in the dialog of an INVITE that FreeSWITCH has answered; answer a challenge."""
        request = SipMessage(
            f"{method} {invite['Contact'].partition('<')[2].partition('>')[0]} SIP/2.0",
            (
                ("Via", self._via()),
                ("Max-Forwards", "70"),
                *(("Route", route) for route in invite.values("Record-Route")),
                ("From", f"{invite['To']};tag=callee"),
                ("To", invite["From"]),
                ("Call-ID", invite["Call-ID"]),
                ("CSeq", f"{cseq} {method}"),
            ),
        )
        return self._exchange(request)

    def send(self, request: SipMessage) -> None:
        """Send it to the edge, as FreeSWITCH does."""
        self.freeswitch.send(request, self.edge.inside)

    def _exchange(self, request: SipMessage, answer: str = "") -> Exchange:
        exchange = self._once(request, answer)
        challenge = exchange.final["WWW-Authenticate"] or exchange.final["Proxy-Authenticate"]
        if exchange.final.status not in (401, 407) or not challenge:
            return exchange
        credentials = answer_to(challenge, self.auth_username, "not the secret", request.method, request.request_uri)
        name = "Authorization" if exchange.final.status == 401 else "Proxy-Authorization"
        cseq = int(request["CSeq"].partition(" ")[0]) + 1
        again = replace(request, headers=(("Via", self._via()), *request.headers[1:]))
        return self._once(again.with_header("CSeq", f"{cseq} {request.method}").with_header(name, credentials), answer)

    def _once(self, request: SipMessage, answer: str) -> Exchange:
        self.send(request)
        exchange = Exchange(request, self.freeswitch.final_response(request, timeout_s=20))
        if request.method == "INVITE":
            self._acknowledge(exchange, answer)
        return exchange

    def _acknowledge(self, call: Exchange, answer: str) -> None:
        cseq = int(call.request["CSeq"].partition(" ")[0])
        if call.final.status >= 300:
            ack = self.freeswitch.within_dialog("ACK", call.request, call.final, cseq=cseq)
        else:
            ack = self.within_dialog("ACK", call, cseq=cseq, body=answer)
        for name in ("Authorization", "Proxy-Authorization"):
            if name in call.request:
                ack = ack.with_header(name, call.request[name])
        self.send(ack)

    def _via(self) -> str:
        return f"SIP/2.0/UDP {self.freeswitch.hostport};branch=z9hG4bKedge{next(_branches)};rport"


GatewayMaker = Callable[..., EdgeGateway]
"""Makes a gateway whose account an edge knows: ``("md5", ha1)``, ``("clear", password, "tcp")``."""
