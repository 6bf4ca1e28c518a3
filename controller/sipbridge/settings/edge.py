"""The edge: whether there is one, where it is, and who goes through it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.settings.reading.setting_values import IsAddressAndPort

# No name: FreeSWITCH compares addresses to know whose challenges it may answer.
_AddressAndPort = Annotated[str, IsAddressAndPort()]


class EdgeAccounts(Enum):
    """Which accounts go through the edge."""

    NEEDED = "needed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """``[edge]``: the Kamailio and the rtpengine beside FreeSWITCH, for what FreeSWITCH alone cannot do.

    The edge answers challenges for accounts with a digest hash, and offers AVPF, SDES with AVPF, and DTLS-SRTP
    without AVPF. Its configuration is in ``freeswitch/edge``.
    """

    enabled: bool = False
    """Whether there is an edge. Without it, accounts and media that need it are refused when the providers file is
    checked."""

    address: _AddressAndPort = "127.0.0.1:5090"
    """The address and UDP port on which Kamailio takes requests from FreeSWITCH: its inside socket."""

    rpc_socket: Path = Path("/run/sipbridge-edge/rpc.sock")
    """Kamailio's UNIX datagram socket for JSON-RPC. Anybody who may write to it can read and set the secrets of
    accounts: only the group that sipbridge and Kamailio share should have access."""

    accounts: EdgeAccounts = EdgeAccounts.NEEDED
    """Which accounts use the edge. ``needed``: accounts with a digest hash, accounts with a password that FreeSWITCH
    cannot send, and accounts of a pool with a provider whose media need the edge. ``all``: all accounts. An account
    uses the same path for registration and calls."""

    @property
    def edge(self) -> Edge | None:
        """What pools are made with; None when there is no edge."""
        if not self.enabled:
            return None
        takes_all = EdgeReason.ALL if self.accounts is EdgeAccounts.ALL else None
        return Edge(parse_sip_uri(f"sip:{self.address}"), takes_all)
