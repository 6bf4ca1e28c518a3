"""Decodes the body of an event frame into a dictionary of header names and values. Pure."""

from __future__ import annotations

from typing import Any

import orjson

Event = dict[str, Any]
"""A JSON event: header names → strings or lists of strings."""


def decode_event(body: bytes) -> Event | None:
    """Decode an event; None if the body is not a JSON object.

    FreeSWITCH copies what callers send, so its JSON may contain bytes that are not UTF-8.
    """
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            event = orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            return None
    return event if isinstance(event, dict) else None
