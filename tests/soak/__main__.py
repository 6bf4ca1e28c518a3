"""``python -m soak``: the soak for as long as it is told, then a table of what came of it. Starts processes."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from soak.soak import Soak
from soak.world import world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long; 0: every fault once (%(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of the faults (any)")
    parser.add_argument("--keep", type=Path, help="a new folder, for logs and the rest, that is left as it is")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, world(given.keep or Path(folder), given.seed) as all_:
        soak = Soak(all_, lambda name: print(time.strftime("%H:%M:%S"), name, flush=True))
        try:
            soak.run(given.seconds) if given.seconds else soak.run_each()
            problems = list(soak.problems())
        finally:
            print(*soak.report(), sep="\n", flush=True)
    print(*problems or ["nothing oversold, nothing leaked, no secret found"], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
