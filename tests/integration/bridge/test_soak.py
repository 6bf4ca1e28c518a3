"""A short soak: everything breaks once while calls are carried; ``make soak`` does it for longer, and at random."""

from __future__ import annotations

from pathlib import Path

import pytest

from soak.faults import FAULTS
from soak.soak import Soak
from soak.world import world
from support import edge, mariadb, redis_server, rtpengine
from support.network import needs_namespaces

_NEEDED = {
    "mariadbd": mariadb.PROGRAM,
    "redis-server": redis_server.PROGRAM,
    "kamailio": edge.PROGRAM,
    "rtpengine": rtpengine.PROGRAM,
}
_MISSING = [name for name, program in _NEEDED.items() if program is None]
pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(bool(_MISSING), reason=f"no {', '.join(_MISSING)} on the PATH"),
]


@pytest.mark.timeout(1_800)
def test_no_line_is_oversold_none_leaks_and_no_secret_is_told(tmp_path: Path) -> None:
    with world(tmp_path, seed=1) as everything:
        soak = Soak(everything)
        soak.run_each()
        assert list(soak.problems()) == []
        assert set(soak.recovery_s) == {fault.name for fault in FAULTS}
        assert everything.accounts.changes > len(FAULTS)
        # The limit is met again and again.
        assert everything.callers.statuses[488] > 0
        assert len(everything.far_side.taken) > 10 * len(FAULTS)
