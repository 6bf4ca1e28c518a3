"""Parses a URI as people write it in files and databases, or explains what is wrong with it. Pure."""

from __future__ import annotations

import ipaddress
import re

from sipbridge.core.sip.uri import SipUri, parse_sip_uri

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?![0-9]+(?:$|[;?>]))")

_TRANSPORT = re.compile(r";transport=", re.IGNORECASE)


def parse_written_uri(text: str, protocol: str | None = None) -> SipUri:
    """Parse a URI as people write it.

    Args:
        text: such as ``sip:alice@example.org`` or ``<sip:proxy.example.org;transport=tls>``.
        protocol: the transport to add to a bare host such as ``proxy.example.org:5061``, ``[2001:db8::1]`` or
            ``2001:db8::1``. None if a bare host is not allowed.

    Raises:
        UriError: `text` is not such a URI.
    """
    bare = text.strip()
    if bare.startswith("<") and bare.endswith(">"):
        bare = bare[1:-1].strip()
    if protocol is None:
        return parse_sip_uri(bare)
    if _is_ipv6(bare):
        bare = f"[{bare}]"
    if not _SCHEME.match(bare):
        bare = f"sip:{bare}"
        if not _TRANSPORT.search(bare):
            bare += f";transport={protocol}"
    return parse_sip_uri(bare)


def _is_ipv6(text: str) -> bool:
    if text.count(":") < 2:
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def why_no_uri(text: str) -> str:
    """Explain why `parse_written_uri` rejects a `text`, without showing it, because it may contain a password."""
    if re.search(r"\s", text.strip()):
        return "not a SIP URI: it must not contain spaces"
    bare = text.strip()
    if not bare:
        return "empty: write a SIP URI such as sip:user@example.org"
    if bare.startswith("<") != bare.endswith(">"):
        return 'not a SIP URI: "<" and ">" belong together, as in <sip:proxy.example.org;transport=tcp>'
    bare = bare.removeprefix("<").removesuffix(">").strip()
    scheme = _SCHEME.match(bare)
    if scheme is None:
        return 'not a SIP URI: write "sip:" before it, as in sip:user@example.org'
    if scheme[1].lower() not in ("sip", "sips"):
        return f'not a SIP URI: it must begin with "sip:", not with "{scheme[1]}:"'
    return "not a SIP URI such as sip:user@example.org:5060;transport=tcp"
