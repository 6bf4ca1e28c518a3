"""The host's network as far as SIP depends on it: usable addresses and routes. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would send packets to an address.

    Attributes:
        source: the source address of the packets.
        interface: the outgoing interface, such as ``eth0``.
        gateway: the router; None if the address is on the link or belongs to this host.
    """

    source: str
    interface: str
    gateway: str | None = None

    def __str__(self) -> str:
        return f"{f'via {self.gateway} ' if self.gateway else ''}dev {self.interface} from {self.source}"


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """The state of the network at one moment.

    Attributes:
        addresses: addresses of interfaces that are up and have a link, except tentative ones.
        default_routes: the default routes of the main table, such as ``inet via 192.0.2.1 dev eth0``.
        source_v4: the source address of the IPv4 default route.
        source_v6: the source address of the IPv6 default route.
    """

    addresses: frozenset[str] = frozenset()
    default_routes: frozenset[str] = frozenset()
    source_v4: str | None = None
    source_v6: str | None = None

    def has(self, address: str) -> bool:
        """Return whether packets can be sent from this address."""
        # All of 127.0.0.0/8 is local, although the interface has only one address of it.
        return address in self.addresses or (
            address.startswith("127.") and any(one.startswith("127.") for one in self.addresses)
        )

    def source_like(self, address: str) -> str | None:
        """Return the source address of the default route in the IP version of an address."""
        return self.source_v6 if ":" in address else self.source_v4


def canonical_address(text: str) -> str:
    """Write an IP address as the kernel does, ``[2001:DB8::1]`` as ``2001:db8::1``; other text stays."""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return text
