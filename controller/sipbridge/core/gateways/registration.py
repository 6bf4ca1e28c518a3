"""Derives an account's registration from FreeSWITCH's gateway states, by one table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class RegistrationStatus(Enum):
    """The state of an account's registration, in the words of SIP_BRIDGE INFO."""

    NONE = "Should register"
    IN_PROGRESS = "Registration in progress"
    REGISTERED = "OK"
    FAILED = "Registration failed"


@dataclass(frozen=True, slots=True)
class Registration:
    """A status and, for a failure, the reason, such as ``403 Forbidden``.

    Attributes:
        since: when it began to fail, in seconds of the daemon's clock; not compared.
    """

    status: RegistrationStatus = RegistrationStatus.NONE
    reason: str = ""
    since: float = field(default=0.0, compare=False)


NOT_REGISTERED = Registration()

ADDED, DELETED = "added", "deleted"
"""FreeSWITCH added or deleted the gateway of an account that registers."""
READY = "ready"
"""FreeSWITCH added the gateway of an account that need not register."""
LISTED_UP, LISTED_DOWN, NOT_LISTED = "listed up", "listed down", "not listed"
"""FreeSWITCH listed its gateways: this one is up, down or missing."""

_NONE, _IN_PROGRESS, _OK, _FAILED = RegistrationStatus

TRANSITIONS: Mapping[str, tuple[RegistrationStatus, RegistrationStatus, RegistrationStatus, RegistrationStatus]] = {
    # was:           NONE          IN_PROGRESS   OK            FAILED
    # Every REGISTER, including refreshes and retries, starts with these two states. A registered gateway stays usable
    # meanwhile, and a failed one stays failed until a REGISTER succeeds.
    "UNREGED":      (_IN_PROGRESS, _IN_PROGRESS, _OK,          _FAILED),
    "TRYING":       (_IN_PROGRESS, _IN_PROGRESS, _OK,          _FAILED),
    # The answer was 200, but the gateway is usable only from REGED on, a second later.
    "REGISTER":     (_NONE,        _IN_PROGRESS, _OK,          _FAILED),
    "REGED":        (_OK,          _OK,          _OK,          _OK),
    "NOREG":        (_OK,          _OK,          _OK,          _OK),
    "EXPIRED":      (_IN_PROGRESS, _IN_PROGRESS, _IN_PROGRESS, _IN_PROGRESS),
    "TIMEOUT":      (_FAILED,      _FAILED,      _FAILED,      _FAILED),
    "FAILED":       (_FAILED,      _FAILED,      _FAILED,      _FAILED),
    "FAIL_WAIT":    (_FAILED,      _FAILED,      _FAILED,      _FAILED),
    "UNREGISTER":   (_NONE,        _NONE,        _NONE,        _NONE),
    "DOWN":         (_NONE,        _NONE,        _NONE,        _NONE),
    ADDED:          (_IN_PROGRESS, _IN_PROGRESS, _IN_PROGRESS, _IN_PROGRESS),
    READY:          (_OK,          _OK,          _OK,          _OK),
    DELETED:        (_NONE,        _NONE,        _NONE,        _FAILED),
    LISTED_UP:      (_OK,          _OK,          _OK,          _OK),
    LISTED_DOWN:    (_IN_PROGRESS, _IN_PROGRESS, _IN_PROGRESS, _FAILED),
    NOT_LISTED:     (_NONE,        _NONE,        _NONE,        _NONE),
}  # fmt: skip
"""Signal → new status for each current status: FreeSWITCH's gateway states in capitals, sipbridge's own signals below.

Source: sofia_reg.c, sofia_reg_check_gateway.
"""

_COLUMN = {status: number for number, status in enumerate(RegistrationStatus)}
_WITH_REASON = ("TIMEOUT", "FAILED", "FAIL_WAIT")
_NO_ANSWER = "no answer"
# One shared object per status, except for failures, which have individual reasons.
_SETTLED = {status: Registration(status) for status in RegistrationStatus}

REFUSED_STATUSES = frozenset({"401", "403", "407", "904"})
"""SIP statuses that mean wrong credentials; 904 is FreeSWITCH's own status for a second challenge."""
NO_ANSWER_STATUSES = frozenset({"408", "908"})
"""SIP statuses that mean no answer; 908 is FreeSWITCH's own."""


def next_registration(
    current: Registration, signal: str, sip_status: str = "", phrase: str = "", now: float = 0.0
) -> Registration:
    """Return the registration after a signal.

    Args:
        current: the registration before it.
        signal: the ``State`` of a ``sofia::gateway_state`` event, or a signal of sipbridge; unknown ones change
            nothing.
        sip_status: the event's ``Status``, which only some states carry.
        phrase: the event's ``Phrase``, which only some states carry.
        now: the time, in seconds of the daemon's clock.
    """
    row = TRANSITIONS.get(signal)
    if row is None:
        return current
    status = row[_COLUMN[current.status]]
    if signal in _WITH_REASON:
        # FAILED and FAIL_WAIT follow a TIMEOUT without a status of their own.
        reason = f"{sip_status} {phrase}".strip() or (_NO_ANSWER if signal == "TIMEOUT" else current.reason)
        since = current.since if current.status is RegistrationStatus.FAILED else now
        return Registration(status, reason, since)
    return current if status is current.status else _SETTLED[status]
