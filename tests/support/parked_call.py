"""A parked call in FreeSWITCH, which the test controls instead of the daemon."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from support.event_socket import Event
from support.freeswitch import FreeSwitch
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer


@dataclass(frozen=True, slots=True)
class ParkedCall:
    """A parked call.

    Attributes:
        invite: what the caller sent.
        event: its CHANNEL_PARK.
    """

    freeswitch: FreeSwitch
    caller: SipPeer
    invite: SipMessage
    event: Event

    @property
    def uuid(self) -> str:
        """The UUID of the A leg."""
        uuid: str = self.event["Unique-ID"]
        return uuid

    def bridge(self, dial_string: str) -> None:
        """Bridge it; as the controller does, have FreeSWITCH read the offer first."""
        if self.invite.body:
            self.freeswitch.event_socket.execute(self.uuid, "filter_codecs", "${sipbridge_codecs}")
        reply = self.freeswitch.event_socket.execute(self.uuid, "bridge", dial_string)
        if reply != "+OK":
            raise AssertionError(f"the bridge was refused: {reply}")

    def bridge_to(self, callee: SipPeer) -> None:
        """Bridge it past the gateways, where that makes no difference."""
        self.bridge(f"{{^^|sip_route_uri=sip:{callee.hostport}|sip_cid_type=none}}sofia/providers/sip:bob@jabiru")

    def final_response(self, timeout_s: float = 8.0) -> SipMessage:
        """The final response that the caller got; acknowledged."""
        final = self.caller.final_response(self.invite, timeout_s=timeout_s)
        self.send("ACK", final)
        return final

    def send(
        self,
        method: str,
        final: SipMessage,
        *,
        cseq: int = 1,
        headers: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> SipMessage:
        """Send a request of the caller in the dialog, or of the INVITE's transaction; return it."""
        request = self.caller.within_dialog(method, self.invite, final, cseq=cseq, headers=headers, body=body)
        self.caller.send(request, self.freeswitch.inside)
        return request

    def ended(self, timeout_s: float = 8.0) -> Event:
        """The CHANNEL_HANGUP_COMPLETE of the A leg."""
        return self.freeswitch.event_socket.event(
            lambda one: one["Event-Name"] == "CHANNEL_HANGUP_COMPLETE" and one["Unique-ID"] == self.uuid, timeout_s
        )


def place_call(
    freeswitch: FreeSwitch,
    caller: SipPeer,
    request_uri: str = "sip:bob@flexisip.example.org",
    *,
    from_: str = '"Alice" <sip:alice@flexisip.example.org>',
    to: str = "<sip:bob@flexisip.example.org>",
    headers: Iterable[tuple[str, str]] = (),
    body: str | None = None,
) -> ParkedCall:
    """Call the inside profile, and wait until the call is parked."""
    offer = sdp() if body is None else body
    invite = caller.new_request("INVITE", request_uri, from_=from_, to=to, headers=headers, body=offer)
    caller.send(invite, freeswitch.inside)
    event = freeswitch.event_socket.event(
        lambda one: one["Event-Name"] == "CHANNEL_PARK" and one["variable_sip_call_id"] == invite["Call-ID"]
    )
    return ParkedCall(freeswitch, caller, invite, event)
