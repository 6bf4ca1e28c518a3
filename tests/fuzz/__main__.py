"""``python -m fuzz``: coverage-guided fuzzing of the targets, for as long as it is told. Writes the corpus.

One process a target, one after the other. What breaks something is kept in the corpus, where the tests find it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile

from fuzz.inputs import CORPUS


def _names() -> list[str]:
    from fuzz.targets import TARGETS

    return list(TARGETS)


def _run(name: str, seconds: int) -> tuple[int, bool]:
    """Fuzz one target in a process of its own; how many inputs were tried, and whether none broke anything."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as found:
        command = [sys.executable, "-m", "fuzz.coverage", name, found, str(folder), f"-max_total_time={seconds}"]
        command += ["-max_len=4096", "-timeout=10", "-rss_limit_mb=4096", f"-artifact_prefix={folder}/"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    counts = re.findall(r"^Done (\d+)|^stat::number_of_executed_units:\s*(\d+)|^#(\d+)", done.stderr, re.MULTILINE)
    tried = max((int(number) for groups in counts for number in groups if number), default=0)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", file=sys.stderr)
    return tried, done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="which ones (all)")
    parser.add_argument("--seconds", type=int, default=60, help="for each (%(default)s)")
    given = parser.parse_args()
    failed = []
    for name in given.targets or _names():
        tried, is_well = _run(name, given.seconds)
        print(f"{name:14} {tried:>12,} inputs  {'ok' if is_well else 'BROKEN: see the corpus'}", flush=True)
        failed += [] if is_well else [name]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
