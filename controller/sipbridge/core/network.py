"""The host's network, as far as SIP depends on it: its usable addresses, and how packets leave it. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would send packets to an address.

    Attributes:
        source: the address they would come from.
        interface: where they would leave: ``eth0``.
        gateway: who would forward them; None where the address is on the link, or ours.
    """

    source: str
    interface: str
    gateway: str | None = None

    def __str__(self) -> str:
        return f"{f'via {self.gateway} ' if self.gateway else ''}dev {self.interface} from {self.source}"


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """What there is at one moment.

    Attributes:
        addresses: of interfaces that are up and have a link, without those that are still being claimed.
        default_routes: those of the main table: ``inet via 192.0.2.1 dev eth0``.
        source_v4: the address by which the host reaches whatever it has no other route to.
        source_v6: the same for IPv6.
    """

    addresses: frozenset[str] = frozenset()
    default_routes: frozenset[str] = frozenset()
    source_v4: str | None = None
    source_v6: str | None = None

    def has(self, address: str) -> bool:
        """Whether packets can come from this address."""
        # All of 127.0.0.0/8 is ours, though an interface has one of them only.
        return address in self.addresses or (
            address.startswith("127.") and any(one.startswith("127.") for one in self.addresses)
        )

    def source_like(self, address: str) -> str | None:
        """The source of default routes in the family of an address."""
        return self.source_v6 if ":" in address else self.source_v4


def canonical_address(text: str) -> str:
    """An IP address as the kernel writes it, ``[2001:DB8::1]`` as ``2001:db8::1``; anything else as it is."""
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return text
