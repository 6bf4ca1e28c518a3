"""Explains how the running bridge would decide a call now, without placing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sipbridge.core.calls.routing import Decline, DeclineReason
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.sip.call import CallRequest, Side
from sipbridge.explain.sides import explain_side
from sipbridge.explain.told import Told, tell
from sipbridge.services.calls.call_control import CallControl
from sipbridge.services.switch_session import SwitchSession

_BASIS = "the running bridge now: its accounts, registrations, free lines, drains and media"
_MEMBERS = {"request_uri", "from", "to"}


class BadQuestion(SipBridgeError):
    """The arguments do not describe a call."""


class ByRunningBridge:
    """Explains what the running bridge would do with a call."""

    def __init__(self, calls: CallControl, session: SwitchSession, status_lines: Mapping[DeclineReason, str]) -> None:
        self._calls = calls
        self._session = session
        self._status_lines = status_lines

    def explain(self, arguments: Mapping[str, Any]) -> Told:
        """Decide a call; no line is taken.

        Args:
            arguments: ``{"request_uri": "sip:…", "from": "…", "to": "…"}``, and ``"side": "inside"`` or
                ``"providers"``.

        Raises:
            BadQuestion: the arguments do not describe a call.
        """
        side = _side(arguments)
        return explain_side(side, self._calls.table.providers, lambda one: self._explain(arguments, one))

    def _explain(self, arguments: Mapping[str, Any], side: Side) -> Told:
        if not self._session.has_lease:
            drained = not self._session.takes_calls
            why = "the bridge is drained" if drained else f"FreeSWITCH is not connected: {self._session.problem}"
            refused = Decline(DeclineReason.DRAINING, f"{why}: FreeSWITCH answers by itself", None, None, ())
            return tell(refused, "", {DeclineReason.DRAINING: "503 Service Unavailable"}, _BASIS, side)
        call = CallRequest(arguments["request_uri"], arguments["from"], arguments["to"], side)
        decision, dial_string = self._calls.preview(call)
        return tell(decision, dial_string, self._status_lines, _BASIS, side)


def _side(arguments: Mapping[str, Any]) -> Side | None:
    if arguments.keys() - {"side"} != _MEMBERS or not all(isinstance(one, str) for one in arguments.values()):
        raise BadQuestion(f"a call has {', '.join(sorted(_MEMBERS))} and, if it matters, side")
    try:
        return Side(arguments["side"]) if "side" in arguments else None
    except ValueError:
        raise BadQuestion(f"side must be {' or '.join(one.value for one in Side)}") from None
