"""Ten times the calls that are let in: those that are, are carried; the others hear so at once; it ends as it began."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest

from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sipp import PROGRAM, Sipp

SCENARIOS = Path(__file__).parents[1] / "scenarios"
LET_IN = 15
STORM = 10 * LET_IN
SECONDS = 5
LINES = 1_000

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no sipp on the PATH")


def _providers(callee: str) -> Providers:
    file = jabiru.providers_file(callee, callee, "udp", max_calls_per_line=LINES)
    file["accountPools"]["JabiruAccountPool"] |= {"registrationRequired": False}
    return file


@pytest.fixture
def callee(tmp_path: Path) -> Iterator[Sipp]:
    callee = Sipp(SCENARIOS / "callee.xml", tmp_path, transport="udp")
    yield callee
    callee.kill()


@pytest.fixture
def bridge(tmp_path: Path, bridged_freeswitch: FreeSwitch, callee: Sipp) -> Iterator[Bridge]:
    settings = f"[calls]\nmax_calls_per_s = {LET_IN}"
    bridge = Bridge(tmp_path / "bridge", bridged_freeswitch, _providers(callee.hostport), more_settings=settings)
    yield bridge
    bridge.kill()


def test_the_excess_is_refused_at_once_and_the_rest_is_carried(
    tmp_path: Path, bridged_freeswitch: FreeSwitch, bridge: Bridge, callee: Sipp
) -> None:
    bridge.wait_for_status(jabiru.ALICE, "OK")
    wait_until("calls are taken", lambda: bridge.get("/readyz")[0] == 200)
    uri = f"sip:bob@{jabiru.PROXY_DOMAIN}"
    storm = Sipp(
        SCENARIOS / "storm.xml",
        tmp_path,
        transport="udp",
        remote=bridged_freeswitch.inside,
        calls=STORM * SECONDS,
        rate=STORM,
        keys={"request_uri": uri, "from": f"sip:alice@{jabiru.PROXY_DOMAIN}", "to": uri},
        has_timers=True,
    )
    try:
        storm.wait()
    finally:
        storm.kill()
    carried, refused = storm.times_ms(1), storm.times_ms(2)

    assert len(carried) + len(refused) == STORM * SECONDS
    # A second's worth at once to begin with; a loaded machine takes longer, and lets more in.
    assert len(carried) >= LET_IN * SECONDS * 0.6
    assert len(carried) < len(refused)
    assert "sipbridge_calls_held_total 0.0" not in bridge.get("/metrics")[1]
    bridge.wait_for_free_slots(jabiru.ALICE, LINES)
