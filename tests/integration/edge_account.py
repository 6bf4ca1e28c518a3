"""An account in a real FreeSWITCH that registers and calls through the edge, as the controller would have made it."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass

from support.edge import Edge
from support.event_socket import Event
from support.freeswitch import FreeSwitch
from support.parked_call import ParkedCall, place_call
from support.sip_peer import SipPeer

DOMAIN = "jabiru.example.org"

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Account:
    """An account.

    Attributes:
        gateway: the name of its gateway.
        next_hop: the URI of its registrar and outbound proxy.
    """

    freeswitch: FreeSwitch
    edge: Edge
    gateway: str
    next_hop: str

    def state(self, *states: str, timeout_s: float = 30.0) -> Event:
        """Wait until the gateway is in one of these states."""
        return self.freeswitch.event_socket.event(
            lambda one: (
                one.get("Event-Subclass") == "sofia::gateway_state"
                and one["Gateway"] == self.gateway
                and one["State"] in states
            ),
            timeout_s,
        )

    def call(self, caller: SipPeer, media: str = "", body: str | None = None) -> ParkedCall:
        """Make a call with it."""
        call = place_call(self.freeswitch, caller, body=body)
        variables = [f"sip_route_uri=sip:{self.edge.inside};transport=udp", "sip_cid_type=none"]
        variables += [f"sip_h_X-Sipbridge-Next-Hop={self.next_hop}"]
        variables += [f"sip_h_X-Sipbridge-Media={media}"] if media else []
        call.bridge(f"{{^^|{'|'.join(variables)}}}sofia/gateway/{self.gateway}/bob@{DOMAIN}")
        return call

    def remove(self) -> None:
        """Unregister, and wait until the gateway is gone."""
        assert "+OK" in self.freeswitch.event_socket.api(f"sofia profile providers killgw {self.gateway}")
        self.freeswitch.event_socket.event(
            lambda one: one.get("Event-Subclass") == "sofia::gateway_delete" and one["Gateway"] == self.gateway, 20
        )


def add_account(
    freeswitch: FreeSwitch, edge: Edge, provider: SipPeer, algorithm: str, secret: str, transport: str, user: str
) -> Account:
    """Fill the edge's table, and add the gateway."""
    name = f"sipbridge.alice.{next(_serial):020x}"
    next_hop = f"sip:{provider.hostport};transport={transport}"
    edge.set_account(name, algorithm, next_hop, secret)
    freeswitch.add_gateway(
        name,
        username="alice",
        auth_username=user,
        password=secrets.token_hex(8),
        realm=name,
        from_user="alice",
        from_domain=DOMAIN,
        proxy=DOMAIN,
        register="true",
        expire_seconds="600",
        retry_seconds="5",
        outbound_proxy=f"sip:{edge.inside}",
        register_proxy=f"sip:{edge.inside};transport=udp",
        register_transport="udp",
        gw_auth_acl=f"{edge.ip}/32",
    )
    return Account(freeswitch, edge, name, next_hop)
