"""Carries out an operator's commands, and returns text or JSON-able values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sipbridge.core.errors import SipBridgeError
from sipbridge.services.operate.drain import Drain, Drained
from sipbridge.services.operate.reload import ReloadResult
from sipbridge.services.operate.reload_text import format_plan


class CommandError(SipBridgeError):
    """A command is invalid, or cannot be carried out now."""


class _ReloadFile(Protocol):
    def __call__(self, *, dry_run: bool) -> ReloadResult: ...


class OperatorCommands:
    """The commands that change something.

    Args:
        is_stopping: returns whether the daemon is stopping.
    """

    def __init__(self, reload_file: _ReloadFile, drain: Drain, is_stopping: Callable[[], bool]) -> None:
        self._reload_file = reload_file
        self._drain = drain
        self._is_stopping = is_stopping

    def reload(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read the providers file again.

        Args:
            arguments: ``{"dry_run": true}``, or nothing.

        Returns:
            ``{"diagnostics": ["providers.json:3:5: error: …"], "plan": "…"}``; the plan is None if there are errors.

        Raises:
            SipBridgeError: the command cannot be carried out now.
        """
        _check(arguments, dry_run=bool)
        self._refuse_while_stopping()
        dry_run = arguments.get("dry_run", False)
        result = self._reload_file(dry_run=dry_run)
        return {
            "diagnostics": [str(found) for found in result.diagnostics],
            "plan": None if result.plan is None else format_plan(result.plan, is_dry_run=dry_run),
        }

    def drain(self, arguments: Mapping[str, Any]) -> str:
        """Drain a provider, an account or the whole bridge.

        Args:
            arguments: ``{"provider": "Jabiru"}``, ``{"account": "sip:alice@example.org"}`` or nothing, and
                ``"undo": true`` to accept calls again.

        Returns:
            A sentence about the result.

        Raises:
            SipBridgeError: the provider or account is unknown, or the command cannot be carried out now.
        """
        _check(arguments, provider=str, account=str, undo=bool)
        self._refuse_while_stopping()
        return str(self._drained(arguments, undo=arguments.get("undo", False)))

    def _drained(self, arguments: Mapping[str, Any], *, undo: bool) -> Drained:
        match arguments:
            case {"provider": _, "account": _}:
                raise CommandError("drain a provider or an account, not both at once")
            case {"provider": name}:
                return self._drain.provider(name, undo=undo)
            case {"account": uri}:
                return self._drain.account(uri, undo=undo)
            case _:
                return self._drain.bridge(undo=undo)

    def _refuse_while_stopping(self) -> None:
        if self._is_stopping():
            raise CommandError("the bridge is stopping")


def _check(arguments: Mapping[str, Any], **types: type) -> None:
    for name, value in arguments.items():
        if name not in types:
            raise CommandError(f"unknown argument {name!r}; known are {', '.join(types)}")
        if not isinstance(value, types[name]):
            raise CommandError(f"{name} must be {'true or false' if types[name] is bool else 'a string'}")
