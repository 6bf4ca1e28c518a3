"""Every door of the bridge against hostile bytes: a bounded run; ``make fuzz`` goes on for as long as it is told."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from fuzz.inputs import corpus, inputs, long_inputs
from fuzz.targets import TARGETS

_EXAMPLES = 300


@pytest.mark.parametrize("name", TARGETS)
def test_what_broke_once_breaks_no_more(name: str, record_inputs: dict[str, int]) -> None:
    target = TARGETS[name]
    known = [*target.seeds, *corpus(name)]
    for data in known:
        target.check(data)
    record_inputs[name] += len(known)


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes(name: str, record_inputs: dict[str, int]) -> None:
    check = TARGETS[name].check

    @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(inputs(name))
    def fuzz(data: bytes) -> None:
        record_inputs[name] += 1
        check(data)

    fuzz()


@pytest.mark.parametrize("name", TARGETS)
def test_long_input_ends(name: str, record_inputs: dict[str, int]) -> None:
    """What takes more than linear time does not come to an end within a test's time limit."""
    for data in long_inputs(TARGETS[name]):
        record_inputs[name] += 1
        TARGETS[name].check(data)
