"""Texts of the providers file become SIP URIs, or an error that says how to write one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sipbridge.config.diagnostic import Report
from sipbridge.config.json_text import Path
from sipbridge.core.errors import UriError
from sipbridge.core.uri import SipUri, parse_sip_uri

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?![0-9]+(?:$|[;?>]))")


def read_uri(
    holder: Mapping[str, Any],
    path: Path,
    name: str,
    report: Report,
    *,
    required: bool = False,
    protocol: str | None = None,
) -> SipUri | None:
    """Read the member `name` of the object at `path`.

    Args:
        required: otherwise an empty text is the same as none.
        protocol: the transport with which a bare host becomes a URI.

    Returns:
        None when it is missing, which is not reported here, or wrong, which is.
    """
    text = holder.get(name)
    if text is None or (text == "" and not required):
        return None
    try:
        return parse_uri(text, protocol)
    except UriError:
        report.error((*path, name), f'"{name}" is {why_no_uri(text)}')
        return None


def parse_uri(text: str, protocol: str | None = None) -> SipUri:
    """Read a URI as the file writes it.

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
    """What is wrong with a `text` that `parse_uri` refuses; the text, which may hold a password, is not shown."""
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
