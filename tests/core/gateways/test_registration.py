"""The table of registrations: the new status for each signal and status."""

from __future__ import annotations

import pytest

from sipbridge.core.gateways.registration import TRANSITIONS, Registration, RegistrationStatus, next_registration

NONE, IN_PROGRESS, OK, FAILED = RegistrationStatus
LETTERS = {"n": NONE, "p": IN_PROGRESS, "o": OK, "f": FAILED}

# For NONE, IN_PROGRESS, OK and FAILED.
EXPECTED = {
    "UNREGED": "ppof",
    "TRYING": "ppof",
    "REGISTER": "npof",
    "REGED": "oooo",
    "NOREG": "oooo",
    "EXPIRED": "pppp",
    "TIMEOUT": "ffff",
    "FAILED": "ffff",
    "FAIL_WAIT": "ffff",
    "UNREGISTER": "nnnn",
    "DOWN": "nnnn",
    "added": "pppp",
    "ready": "oooo",
    "deleted": "nnnf",
    "listed up": "oooo",
    "listed down": "pppf",
    "not listed": "nnnn",
}


def test_the_table_has_these_signals() -> None:
    assert TRANSITIONS.keys() == EXPECTED.keys()
    assert {len(row) for row in TRANSITIONS.values()} == {len(RegistrationStatus)}


@pytest.mark.parametrize(
    ("signal", "before", "after"),
    [
        pytest.param(signal, before, LETTERS[letter], id=f"{before.name}-{signal}")
        for signal, row in EXPECTED.items()
        for before, letter in zip(RegistrationStatus, row, strict=True)
    ],
)
def test_a_signal(signal: str, before: RegistrationStatus, after: RegistrationStatus) -> None:
    reason = "403 Forbidden" if before is FAILED else ""
    registration = next_registration(Registration(before, reason), signal)
    assert registration.status is after
    # A failure keeps its reason until there is another; nothing else has one.
    assert registration.reason == {FAILED: "no answer" if signal == "TIMEOUT" else reason}.get(after, "")


@pytest.mark.parametrize("signal", ["FAILED", "FAIL_WAIT", "TIMEOUT"])
def test_a_failure_says_why_and_since_when(signal: str) -> None:
    first = next_registration(Registration(OK), signal, "503", "Service Unavailable", now=10.0)
    assert (first.reason, first.since) == ("503 Service Unavailable", 10.0)
    second = next_registration(first, signal, "403", "Forbidden", now=20.0)
    assert (second.reason, second.since) == ("403 Forbidden", 10.0)
