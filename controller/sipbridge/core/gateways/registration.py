"""What FreeSWITCH says about a gateway becomes the registration of its account. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class RegistrationStatus(Enum):
    """Where the registration of an account stands, in the words of SIP_BRIDGE INFO."""

    NONE = "Should register"
    IN_PROGRESS = "Registration in progress"
    REGISTERED = "OK"
    FAILED = "Registration failed"


@dataclass(frozen=True, slots=True)
class Registration:
    """A status and, for a failure, its reason: ``403 Forbidden``.

    Attributes:
        since: when it began to fail, in seconds of the daemon's clock; no part of what it is.
    """

    status: RegistrationStatus = RegistrationStatus.NONE
    reason: str = ""
    since: float = field(default=0.0, compare=False)


_NONE = Registration()
_IN_PROGRESS = Registration(RegistrationStatus.IN_PROGRESS)
_REGISTERED = Registration(RegistrationStatus.REGISTERED)

# What each gateway state of FreeSWITCH means for the registration. REGISTER is not in it: the answer was 200, but the
# gateway can be called only from REGED on, a second later. Source: sofia_reg.c, sofia_reg_check_gateway.
_STATES: dict[str, Registration] = {
    "NOREG": _REGISTERED,
    "REGED": _REGISTERED,
    "UNREGED": _IN_PROGRESS,
    "TRYING": _IN_PROGRESS,
    "EXPIRED": _IN_PROGRESS,
    "UNREGISTER": _NONE,
    "DOWN": _NONE,
}
# What these say when they bring no status. TIMEOUT brings none, and neither does the FAILED that follows it.
_FAILURES = {"FAILED": "", "TIMEOUT": "no answer", "FAIL_WAIT": ""}
# Every REGISTER starts with these, a refresh and a retry as well: a registered gateway can be called all the while, and
# a failed one stays failed until one succeeds.
_ATTEMPTS = ("UNREGED", "TRYING")
_SETTLED = (RegistrationStatus.REGISTERED, RegistrationStatus.FAILED)

REFUSED_STATUSES = frozenset({"401", "403", "407", "904"})
"""SIP statuses of a registration with the wrong credentials; 904 is FreeSWITCH's own for a second challenge."""
NO_ANSWER_STATUSES = frozenset({"408", "908"})
"""Those of one that nobody answered; 908 is FreeSWITCH's own."""


def next_registration(
    current: Registration, state: str, sip_status: str = "", phrase: str = "", now: float = 0.0
) -> Registration:
    """What a ``sofia::gateway_state`` event makes of a registration.

    Args:
        current: what it was.
        state: the event's ``State``; one that is not known changes nothing.
        sip_status: its ``Status``, which only some states carry.
        phrase: its ``Phrase``, likewise.
        now: the time, in seconds of the daemon's clock.
    """
    if state in _FAILURES:
        reason = f"{sip_status} {phrase}".strip() or _FAILURES[state]
        since = current.since if current.status is RegistrationStatus.FAILED else now
        return Registration(RegistrationStatus.FAILED, reason or current.reason, since)
    if state in _ATTEMPTS and current.status in _SETTLED:
        return current
    return _STATES.get(state, current)
