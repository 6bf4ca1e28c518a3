"""Parses SIP URIs in the providers file, and reports how to write invalid ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipbridge.config.text.diagnostic import Report, Severity
from sipbridge.config.text.source_text import Path
from sipbridge.core.errors import UriError
from sipbridge.core.sip.uri import SipUri
from sipbridge.core.sip.written_uri import parse_written_uri, why_no_uri

NO_MESSAGE_WAITING = "has no effect yet: message-waiting indications are not passed on"
"""The warning for a member that is accepted but has no effect yet."""


def read_uri(
    holder: Mapping[str, Any],
    path: Path,
    name: str,
    report: Report,
    *,
    protocol: str | None = None,
    severity: Severity = Severity.ERROR,
) -> SipUri | None:
    """Read the member `name` of the object at `path`.

    Args:
        protocol: the transport to add to a bare host; None if a bare host is not allowed.
        severity: the severity of an invalid URI.

    Returns:
        None if the member is missing, which is not reported here, or invalid, which is.
    """
    text = holder.get(name)
    if text is None:
        return None
    try:
        return parse_written_uri(text, protocol)
    except UriError:
        say = report.error if severity is Severity.ERROR else report.skip
        say((*path, name), f'"{name}" is {why_no_uri(text)}')
        return None
