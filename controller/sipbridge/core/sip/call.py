"""The addresses of an incoming INVITE, parsed on first use. Pure."""

from __future__ import annotations

from enum import Enum
from typing import NewType

from sipbridge.core.errors import UriError
from sipbridge.core.sip.tel_uri import parse_tel_header
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

    Headers are parsed on first use: a provider whose trigger does not match costs no parsing, and a header that is not
    used may contain anything.

    Args:
        request_uri: as text, escaped: ``sip:+33612345678@bridge.example.org;user=phone``.
        from_header: the From header as it was sent, display name and tag included.
        to_header: the To header, likewise.
        side: where it comes from.
        domain: host and port of the domain that the numbers of tel URIs belong to; by default that of the Request-URI.
    """

    __slots__ = ("_from", "_request_uri", "_to", "domain", "from_header", "request_uri_text", "side", "to_header")

    def __init__(
        self, request_uri: str, from_header: str, to_header: str, side: Side = Side.INSIDE, domain: str = ""
    ) -> None:
        self.side = side
        self.domain = domain
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
        """The address in the From header; a tel URI as the SIP URI of the same number.

        Raises:
            UriError: it is not a SIP, SIPS or tel URI.
        """
        if self._from is None:
            self._from = self._address(self.from_header)
        return self._from

    @property
    def is_anonymous(self) -> bool:
        """Whether From names nobody: it has no user, or its URI is of no known kind."""
        try:
            return not self.from_.uri.user
        except UriError:
            return True

    @property
    def to(self) -> NameAddr:
        """The address in the To header; a tel URI as the SIP URI of the same number.

        Raises:
            UriError: it is not a SIP, SIPS or tel URI.
        """
        if self._to is None:
            self._to = self._address(self.to_header)
        return self._to

    def _address(self, header: str) -> NameAddr:
        try:
            return parse_header_address(header)
        except UriError:
            if "tel:" not in header.lower():
                raise
            return parse_tel_header(header, self.domain or self.request_uri.uri.hostport)
