"""``python -m soak``: the soak for as long as it is told, then a table of what came of it. Starts processes."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from soak.soak import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of the faults (any)")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, soak(Path(folder), given.seed) as running:
        running.run(given.seconds)
        running.wait_until_free()
        print(*running.report(), sep="\n")
        return 1 if running.callee.oversold else 0


if __name__ == "__main__":
    sys.exit(main())
