"""A URI as people write it, in a file or in a database, becomes a SIP URI, or what is wrong with it. Pure."""

from __future__ import annotations

import re

from sipbridge.core.sip.uri import SipUri, parse_sip_uri

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?![0-9]+(?:$|[;?>]))")


def parse_written_uri(text: str, protocol: str | None = None) -> SipUri:
    """Read a URI as people write it.

    Args:
        text: such as ``sip:alice@example.org`` or ``<sip:proxy.example.org;transport=tls>``.
        protocol: the transport with which a bare host, ``proxy.example.org:5061``, becomes a URI.

    Raises:
        UriError: it is none.
    """
    bare = text.strip()
    if bare.startswith("<") and bare.endswith(">"):
        bare = bare[1:-1].strip()
    if protocol is not None and not _SCHEME.match(bare):
        bare = f"sip:{bare};transport={protocol}"
    return parse_sip_uri(bare)


def why_no_uri(text: str) -> str:
    """What is wrong with a `text` that `parse_written_uri` refuses; it may hold a password, so it is not shown."""
    bare = text.strip()
    if not bare:
        return "empty: write a SIP URI such as sip:user@example.org"
    if bare.startswith("<") != bare.endswith(">"):
        return 'not a SIP URI: "<" and ">" go together, as in <sip:proxy.example.org;transport=tcp>'
    bare = bare.removeprefix("<").removesuffix(">").strip()
    scheme = _SCHEME.match(bare)
    if scheme is None:
        return 'not a SIP URI: write "sip:" before it, as in sip:user@example.org'
    if scheme[1].lower() not in ("sip", "sips"):
        return f'not a SIP URI: it must begin with "sip:", not with "{scheme[1]}:"'
    if re.search(r"\s", bare):
        return "not a SIP URI: it must not hold spaces"
    return "not a SIP URI such as sip:user@example.org:5060;transport=tcp"
