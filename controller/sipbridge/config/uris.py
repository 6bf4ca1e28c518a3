"""Texts of the providers file become SIP URIs, or an error that says how to write one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipbridge.config.text.diagnostic import Report
from sipbridge.config.text.source_text import Path
from sipbridge.core.errors import UriError
from sipbridge.core.sip.uri import SipUri
from sipbridge.core.sip.written_uri import parse_written_uri, why_no_uri


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
        return parse_written_uri(text, protocol)
    except UriError:
        report.error((*path, name), f'"{name}" is {why_no_uri(text)}')
        return None
