"""What a call asks for: the addresses of an incoming INVITE, parsed when somebody looks. Pure."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from sipbridge.core.sip.uri import NameAddr, parse_header_address, parse_sip_uri

ChannelUuid = NewType("ChannelUuid", str)
"""A FreeSWITCH channel's Unique-ID."""


class Side(Enum):
    """Where a call comes from, in the words of the providers file."""

    INSIDE = "inside"
    """Our proxy: it arrives at the inside profile."""
    PROVIDERS = "providers"
    """A provider: it arrives at the profile that has the gateways."""


class CallRequest:
    """The addresses of an incoming INVITE.

    Headers are parsed on first use: a provider whose trigger does not match costs no parsing, and a header that nothing
    asks for may hold anything.

    Args:
        request_uri: as text, escaped: ``sip:+33612345678@bridge.example.org;user=phone``.
        from_header: the From header as it was sent, display name and tag included.
        to_header: the To header, likewise.
        side: where it comes from.
    """

    __slots__ = ("_from", "_request_uri", "_to", "from_header", "request_uri_text", "side", "to_header")

    def __init__(self, request_uri: str, from_header: str, to_header: str, side: Side = Side.INSIDE) -> None:
        self.side = side
        self.request_uri_text = request_uri
        self.from_header = from_header
        self.to_header = to_header
        self._request_uri: NameAddr | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None

    @property
    def request_uri(self) -> NameAddr:
        """The Request-URI, as an address without a display name.

        Raises:
            UriError: it is not a SIP or SIPS URI.
        """
        if self._request_uri is None:
            self._request_uri = NameAddr(parse_sip_uri(self.request_uri_text))
        return self._request_uri

    @property
    def from_(self) -> NameAddr:
        """The address in the From header.

        Raises:
            UriError: it is not a SIP or SIPS URI.
        """
        if self._from is None:
            self._from = parse_header_address(self.from_header)
        return self._from

    @property
    def to(self) -> NameAddr:
        """The address in the To header.

        Raises:
            UriError: it is not a SIP or SIPS URI.
        """
        if self._to is None:
            self._to = parse_header_address(self.to_header)
        return self._to
