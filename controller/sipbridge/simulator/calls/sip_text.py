"""Parses SIP addresses into the parts that FreeSWITCH puts into channel variables. Pure.

An independent, tolerant parser: anything a real caller could send, hostile or not, passes as it does through
FreeSWITCH.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

SDP = (
    "v=0\r\no=user1 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
"""The SDP of callers and callees."""

# Escapes of characters that a user part may contain literally (RFC 3261 §25.1): sofia-sip resolves them in URIs.
_RESOLVED = re.compile(r"%(?:2[146-9A-Fa-f]|3[0-9BbDdFf]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")


@dataclass(frozen=True, slots=True)
class SipAddress:
    """A parsed From or To header, or Request-URI.

    Attributes:
        text: the header as sent.
        display: the display name as sent, without its outer quotes.
        uri: from its scheme to its last parameter.
        user: as sent, escaped.
        params: of the URI: ``transport=tcp;x-y=1``.
        tag: of the header.
    """

    text: str
    display: str
    uri: str
    user: str
    host: str
    port: str
    params: str
    tag: str

    @property
    def decoded_user(self) -> str:
        """The user part with escapes resolved, as FreeSWITCH shows it."""
        return unquote(self.user, errors="surrogateescape")

    @property
    def decoded_display(self) -> str:
        """The display name with escapes resolved, which FreeSWITCH does although no RFC says so."""
        return unquote(self.display, errors="surrogateescape")

    @property
    def full(self) -> str:
        """The header as FreeSWITCH passes it on: as sent, except for unnecessary escapes in the user part."""
        resolved = _RESOLVED.sub(lambda escape: unquote(escape[0]), self.user)
        return self.text if resolved == self.user else self.text.replace(f":{self.user}", f":{resolved}", 1)

    @property
    def shown_uri(self) -> str:
        """The URI as FreeSWITCH shows it: no scheme, no parameters, no escapes."""
        user = self.decoded_user
        hostport = f"{self.host}:{self.port}" if self.port else self.host
        return f"{user}@{hostport}" if user else hostport

    def variables(self, prefix: str) -> dict[str, str]:
        """Return its channel variables in FreeSWITCH's order, without empty ones."""
        pieces = {
            "params": self.params,
            "user": self.decoded_user,
            "port": self.port,
            "uri": self.shown_uri,
            "host": self.host,
        }
        return {f"variable_{prefix}_{name}": value for name, value in pieces.items() if value}


def read_address(text: str) -> SipAddress:
    r"""Parse a header: ``"Zoé \"Z\"" <sip:alice%40home@example.org;transport=tcp>;tag=1``."""
    display, uri, header_params = _split_header(text)
    rest = uri.partition(":")[2]
    before_at, at, after_at = rest.rpartition("@")
    user = before_at.partition(":")[0] if at else ""
    hostport, _, params = after_at.partition(";")
    host, port = _split_port(hostport.partition("?")[0])
    tag = next(
        (value for name, _, value in (p.partition("=") for p in header_params.split(";")) if name.strip() == "tag"), ""
    )
    return SipAddress(text, display, uri, user, host, port, params.partition("?")[0], tag.strip())


def _split_header(text: str) -> tuple[str, str, str]:
    """Split a header into display name, URI and the parameters after it."""
    text = text.strip()
    end_of_name = _end_of_quoted(text) if text.startswith('"') else 0
    opening = text.find("<", end_of_name)
    if opening < 0:
        # Without angle brackets the parameters belong to the header.
        uri, _, header_params = text.partition(";")
        return "", uri.strip(), header_params
    display = text[1 : end_of_name - 1] if end_of_name else text[:opening].strip()
    uri, _, header_params = text[opening + 1 :].partition(">")
    return display, uri, header_params


def _end_of_quoted(text: str) -> int:
    """Return the index after the quote that closes the one at the start of `text`."""
    i = 1
    while i < len(text) and text[i] != '"':
        i += 2 if text[i] == "\\" else 1
    return i + 1


def _split_port(hostport: str) -> tuple[str, str]:
    if hostport.startswith("["):
        host, _, port = hostport.partition("]")
        return f"{host}]", port.lstrip(":")
    host, _, port = hostport.partition(":")
    return host, port
