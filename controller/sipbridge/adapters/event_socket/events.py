"""Parses JSON events of FreeSWITCH into `SwitchEvent` values. Pure.

Addresses are used as they were sent. ``variable_sip_from_uri`` and similar variables are percent-decoded, so a caller
controls their content, including line ends. ``variable_sip_full_from`` and ``variable_sip_full_to`` are the original
headers, except that FreeSWITCH decodes escapes of characters that need none in a user part (`normalize_user_escapes`).
The Request-URI is available only in decoded parts, so its user part is escaped again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from sipbridge.core.calls.events import (
    CallEnded,
    CallParked,
    CallTimes,
    GatewayAdded,
    GatewayDeleted,
    GatewayStateChanged,
    Heartbeat,
    ProfileStarted,
    SwitchEvent,
)
from sipbridge.core.sip.call import CallRequest, ChannelUuid
from sipbridge.core.sip.uri import escape_user

_MOST_DIGITS = 17
"""Digits of a time until the year 5138; longer text is not a time, and Python refuses to parse thousands of digits."""


def _text(event: dict[str, Any], name: str) -> str:
    """Return the text of a header. A variable that was pushed twice arrives as an array; its last value is in force."""
    value = event.get(name, "")
    return value if isinstance(value, str) else str(value[-1]) if isinstance(value, list) and value else ""


def parse_call_parked(event: dict[str, Any]) -> CallParked:
    """Parse CHANNEL_PARK: an A leg waits for a decision."""
    return CallParked(
        channel_uuid=ChannelUuid(_text(event, "Unique-ID")),
        request=CallRequest(
            _request_uri(event), _text(event, "variable_sip_full_from"), _text(event, "variable_sip_full_to")
        ),
        call_id=_text(event, "variable_sip_call_id"),
        sofia_profile=_text(event, "variable_sofia_profile_name"),
        gateway=_text(event, "variable_sip_gateway"),
        profile_hostport=_text(event, "variable_sofia_profile_url").rpartition("@")[2],
        offer=_offer(event),
    )


def _offer(event: dict[str, Any]) -> str | None:
    """The SDP that FreeSWITCH answers to. It keeps none that holds ``${``, but says that negotiation is yet to come."""
    offer = _text(event, "variable_switch_r_sdp")
    return offer if offer or _text(event, "variable_endpoint_disposition") == "DELAYED NEGOTIATION" else None


def _request_uri(event: dict[str, Any]) -> str:
    user = _text(event, "variable_sip_req_user")
    host = _text(event, "variable_sip_req_host")
    port = _text(event, "variable_sip_req_port")
    parameters = _text(event, "variable_sip_req_params")
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return (
        f"sip:{escape_user(user) + '@' if user else ''}{host}{':' + port if port else ''}"
        f"{';' + parameters if parameters else ''}"
    )


def parse_call_ended(event: dict[str, Any]) -> CallEnded:
    """Parse CHANNEL_HANGUP_COMPLETE: an A leg has ended."""
    rang, media = _time(event, "Progress"), _time(event, "Progress-Media")
    times = CallTimes(
        received=_time(event, "Created"),
        progress=min(rang, media) or rang or media,
        answered=_time(event, "Answered"),
        ended=_time(event, "Hangup"),
    )
    return CallEnded(
        channel_uuid=ChannelUuid(_text(event, "Unique-ID")),
        hangup_cause=_text(event, "Hangup-Cause"),
        answered=times.answered > 0,
        sip_status=_sip_status(event),
        times=times,
    )


def _time(event: dict[str, Any], what: str) -> int:
    """Return microseconds since 1970; 0 is FreeSWITCH's value for never."""
    text = _text(event, f"Caller-Channel-{what}-Time")
    return int(text) if len(text) <= _MOST_DIGITS and text.isascii() and text.isdigit() else 0


def _sip_status(event: dict[str, Any]) -> int | None:
    """Return the final status of a failed B leg (``sip:486``) or of an answered call (``200``)."""
    text = _text(event, "variable_last_bridge_proto_specific_hangup_cause").removeprefix("sip:")
    text = text or _text(event, "variable_sip_term_status")
    return int(text) if len(text) == 3 and text.isascii() and text.isdigit() else None


def parse_gateway_state(event: dict[str, Any]) -> GatewayStateChanged:
    """Parse CUSTOM sofia::gateway_state."""
    return GatewayStateChanged(
        _text(event, "Gateway"), _text(event, "State"), _text(event, "Status"), _text(event, "Phrase").strip()
    )


def parse_heartbeat(event: dict[str, Any]) -> Heartbeat:
    """Parse HEARTBEAT. Source: switch_core.c, send_heartbeat."""
    return Heartbeat(
        version=_text(event, "FreeSWITCH-Version").partition("-")[0],
        uptime_s=_number(_text(event, "Uptime-msec")) / 1000,
        sessions=int(_number(_text(event, "Session-Count"))),
        max_sessions=int(_number(_text(event, "Max-Sessions"))),
        idle_cpu_percent=_number(_text(event, "Idle-CPU")),
    )


def parse_status(text: str) -> Heartbeat | None:
    """Parse the answer to ``status``, which replaces the first HEARTBEAT; None if the text is not such an answer.

    Source: mod_commands.c, status_function.
    """
    version = re.search(r"^FreeSWITCH \(Version (\d[^ )-]*)", text, re.MULTILINE)
    sessions = re.search(r"^(\d+) session\(s\) - peak", text, re.MULTILINE)
    limit = re.search(r"^(\d+) session\(s\) max", text, re.MULTILINE)
    idle = re.search(r"^min idle cpu [\d.]+/([\d.]+)", text, re.MULTILINE)
    if not (version and sessions and limit and idle):
        return None
    uptime_s = sum(
        int(number) * _UNITS_S[unit] for number, unit in re.findall(r"(\d+) (year|day|hour|minute|second)", text)
    )
    return Heartbeat(version[1], uptime_s, int(sessions[1]), int(limit[1]), float(idle[1]))


_UNITS_S = {"year": 365 * 86_400, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


PARSERS: dict[str, Callable[[dict[str, Any]], SwitchEvent]] = {
    "CHANNEL_PARK": parse_call_parked,
    "CHANNEL_HANGUP_COMPLETE": parse_call_ended,
    "HEARTBEAT": parse_heartbeat,
    "sofia::gateway_state": parse_gateway_state,
    "sofia::gateway_add": lambda event: GatewayAdded(_text(event, "Gateway")),
    "sofia::gateway_delete": lambda event: GatewayDeleted(_text(event, "Gateway")),
    "sofia::profile_start": lambda event: ProfileStarted(_text(event, "profile_name") or _text(event, "profile-name")),
}
"""Event name, or subclass of a CUSTOM event → its parser."""
