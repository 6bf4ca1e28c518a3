"""``python -m endurance``: many calls, what the daemon held meanwhile, and whether anything grew. Starts processes."""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import secrets  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import textwrap  # noqa: E402
from collections.abc import Iterable  # noqa: E402
from pathlib import Path  # noqa: E402
from random import Random  # noqa: E402

from endurance.flatness import Growth, Holdings, growths  # noqa: E402
from endurance.traffic import PEOPLE, TRUNKS, Traffic  # noqa: E402
from endurance.world import world  # noqa: E402

_SHOWN = 8


def main() -> int:
    # So that a `kill` also ends what was started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser(prog="python -m endurance", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many (%(default)s)")
    parser.add_argument("--every", type=int, default=50_000, help="calls between two measurements (%(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000), help="of calls and changes (any)")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder, world(Path(folder), PEOPLE, TRUNKS) as made:
        traffic = Traffic(made, Random(given.seed), given.every)
        measured = []
        print(_HEAD, flush=True)
        for held in traffic.run(given.calls):
            measured.append(held)
            print(_line(held), flush=True)
        made.stop()
    _tell("calls by final status", sorted(traffic.statuses.items()))
    _tell("what changed meanwhile", traffic.changes.items())
    _tell("in tables at the end", sorted((name, size) for name, size in measured[-1].tables.items() if size))
    _tell("most objects at the end", sorted(measured[-1].objects.items(), key=lambda each: -each[1])[:_SHOWN])
    return _verdict(list(growths(measured)))


_COLUMNS = ("calls", "a second", "memory", "objects", "in tables", "greenlets", "descriptors")
_HEAD = "".join(f"{name:>12}" for name in _COLUMNS)


def _line(held: Holdings) -> str:
    objects, tables = sum(held.objects.values()), sum(held.tables.values())
    rate, memory = f"{held.calls / held.seconds:.0f}", f"{held.resident_kb / 1024:.1f} MB"
    values = (f"{held.calls:,}", rate, memory, f"{objects:,}", f"{tables:,}", held.greenlets, held.descriptors)
    return "".join(f"{value:>12}" for value in values)


def _tell(what: str, counted: Iterable[tuple[object, int]]) -> None:
    text = ", ".join(f"{name} {count:,}" for name, count in counted)
    print(f"{what}:", textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="  "), sep="\n")


def _verdict(all_growths: list[Growth]) -> int:
    grew = [growth for growth in all_growths if not growth.is_flat]
    most = sorted(all_growths[4:], key=lambda growth: -growth.by)[:_SHOWN]
    print("growth in the later half:", *all_growths[:4], sep="\n  ")
    print(f"of {len(all_growths) - 4} tables and types of objects, the most:", *most, sep="\n  ")
    print(*(["it grows:", *grew] if grew else ["flat"]), sep="\n  ")
    return 1 if grew else 0


if __name__ == "__main__":
    sys.exit(main())
