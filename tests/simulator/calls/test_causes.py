"""The simulator's causes match docs/sip-mapping.md; tests/integration compares that page with a real FreeSWITCH."""

from __future__ import annotations

import pytest

from sipbridge.simulator.calls.causes import cause_of_status, q850_of_cause
from support.sip_mapping import causes


@pytest.mark.parametrize(("status", "cause", "reason"), [pytest.param(*row, id=str(row[0])) for row in causes()])
def test_cause_and_number(status: int, cause: str, reason: str) -> None:
    assert cause_of_status(status) == cause
    # A caller that gives up is no cause of Q.850.
    if reason != "SIP;cause=487":
        assert reason == f"Q.850;cause={q850_of_cause(cause)}"


def test_the_page_has_the_usual_ones() -> None:
    assert {404, 408, 480, 486, 487, 488, 503, 603} <= {status for status, _, _ in causes()}
