"""The body of an event frame becomes a dictionary of header names and values. Pure."""

from __future__ import annotations

from typing import Any

import orjson

Event = dict[str, Any]
"""A JSON event: header names to texts, or to lists of texts."""


def decode_event(body: bytes) -> Event | None:
    """Decode an event; None for what is none.

    FreeSWITCH copies what callers send, so what it says is JSON may hold bytes that are not UTF-8.
    """
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            event = orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            return None
    return event if isinstance(event, dict) else None
