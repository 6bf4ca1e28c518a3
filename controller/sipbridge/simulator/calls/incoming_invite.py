"""An INVITE that arrives at FreeSWITCH, with its parsed addresses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sipbridge.simulator.calls.sip_text import SDP, SipAddress, read_address


@dataclass(frozen=True, slots=True)
class IncomingInvite:
    """The INVITE of a caller.

    Attributes:
        profile: the profile at which it arrives.
        headers: headers other than From, To and Call-ID that FreeSWITCH records.
        gateway: the gateway whose contact is called, if any.
        offer: its SDP; empty if none.
    """

    profile: str
    request_uri: str
    from_header: str
    to_header: str
    call_id: str
    headers: Mapping[str, str]
    gateway: str | None = None
    offer: str = SDP

    @property
    def request(self) -> SipAddress:
        """The Request-URI."""
        return read_address(f"<{self.request_uri}>")

    @property
    def from_(self) -> SipAddress:
        """The From header."""
        return read_address(self.from_header)

    @property
    def to(self) -> SipAddress:
        """The To header."""
        return read_address(self.to_header)

    @property
    def asserted_user(self) -> str:
        """The user in P-Asserted-Identity; empty if there is none."""
        return read_address(self.headers.get("P-Asserted-Identity", "")).decoded_user
