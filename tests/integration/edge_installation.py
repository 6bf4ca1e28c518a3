"""The specification's first example with the edge between FreeSWITCH and the far side, on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import jabiru

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

EXAMPLE = Path(__file__).parents[1] / "config/examples/jabiru.json"
REALM = "digest.jabiru.example.org"
CHALLENGED = ("REGISTER", "INVITE", "BYE")
PATIENCE_S = 40.0


def edge_settings(edge: Edge) -> str:
    return f'[edge]\nenabled = true\naddress = "{edge.inside}"\nrpc_socket = "{edge.rpc_socket}"\n'


@dataclass(frozen=True, slots=True)
class Installation:
    """The specification's first example, with the edge between FreeSWITCH and Jabiru."""

    freeswitch: FreeSwitch
    edge: Edge
    bridge: Bridge
    jabiru: SipPeer
    provider: DigestProvider
    proxy: SipPeer

    def call_out(self, user: str, to: str = "carol") -> tuple[SipMessage, SipMessage]:
        """An INVITE from our side, and its final response, acknowledged."""
        invite = self.proxy.new_request(
            "INVITE",
            f"sip:{to}@{jabiru.PROXY_DOMAIN}",
            from_=f"<sip:{user}@{jabiru.PROXY_DOMAIN}>",
            to=f"<sip:{to}@{jabiru.PROXY_DOMAIN}>",
            body=sdp(),
        )
        self.proxy.send(invite, self.freeswitch.inside)
        final = self.proxy.final_response(invite, timeout_s=PATIENCE_S)
        self.proxy.send(self.proxy.within_dialog("ACK", invite, final), self.freeswitch.inside)
        return invite, final

    def hang_up(self, invite: SipMessage, final: SipMessage) -> None:
        bye = self.proxy.within_dialog("BYE", invite, final, cseq=2)
        self.proxy.send(bye, self.freeswitch.inside)
        assert self.proxy.final_response(bye, timeout_s=PATIENCE_S).status == 200


def uri_of(user: str) -> str:
    return f"sip:{user}@{jabiru.DOMAIN}"


def providers_file(proxy: SipPeer) -> Providers:
    """The example as it is, but for where the proxy of our side is, and the transports."""
    providers: Providers = json.loads(EXAMPLE.read_text().replace("\u00a0", " "))
    providers["providers"][1]["outgoingInvite"]["outboundProxy"] = f"<sip:{proxy.hostport}>"
    return providers


def edge_state(bridge: Bridge) -> dict[str, object]:
    state: dict[str, object] = json.loads(bridge.command("status", "--json").stdout)["edge"]
    return state
