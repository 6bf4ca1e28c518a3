"""A short soak: calls from three accounts of two lines each, while the switch, the bridge and the way to it break."""

from __future__ import annotations

from pathlib import Path

from soak.soak import soak

SECONDS = 20


def test_no_line_is_oversold_and_none_leaks(tmp_path: Path) -> None:
    with soak(tmp_path, seed=1) as running:
        running.run(SECONDS)
        running.wait_until_free()
        assert running.callee.oversold == []
        assert running.callee.answered > SECONDS
        # More callers than lines.
        assert running.statuses[488] > 0
