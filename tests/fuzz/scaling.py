"""``python -m fuzz.scaling``: how time grows with the length of what is sent, for every door. Takes CPU time.

The same hostile text is sent in two lengths; where time grows as length does, eight times as long takes eight times the
time. Only by hand, with `make fuzz`: on a machine that is busy with other things it is not told apart from noise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from fuzz.target import Target
from fuzz.targets import TARGETS

_SHORT = 4_096
_TIMES_AS_LONG = 8
_TOO_MUCH = 24.0
"""Times the time for eight times the length: 8 is linear, 64 quadratic; caches cost something in between."""
_LEAST_S = 0.02
"""What takes less in the long form is not worth looking at, and cannot be measured."""
_TRIES = 3


def _texts(target: Target) -> Iterator[tuple[bytes, Callable[[int], bytes]]]:
    """A token, and what is made of so many bytes of it: alone, and amid a seed."""
    for token in target.tokens:
        yield token, lambda size, token=token: token * (size // len(token))  # type: ignore[misc]
        for seed in target.seeds:
            half = len(seed) // 2
            yield (
                token,
                lambda size, token=token, seed=seed, half=half: (
                    seed[:half] + token * (size // len(token)) + seed[half:]
                ),  # type: ignore[misc]
            )


def _cpu_s(check: Callable[[bytes], None], data: bytes) -> float:
    """The least of some tries: whatever disturbs only adds."""

    def once() -> float:
        started = time.process_time()
        check(data)
        return time.process_time() - started

    return min(once() for _ in range(_TRIES))


def worst(target: Target) -> tuple[float, bytes]:
    """The most times that eight times the length took, and the token."""
    short, most, culprit = min(_SHORT, target.longest // _TIMES_AS_LONG), 0.0, b""
    for token, of_size in _texts(target):
        long_s = _cpu_s(target.check, of_size(short * _TIMES_AS_LONG))
        if long_s < _LEAST_S:
            continue
        growth = long_s / max(_cpu_s(target.check, of_size(short)), _LEAST_S / _TIMES_AS_LONG)
        if growth > most:
            most, culprit = growth, token
    return most, culprit


def main() -> int:
    failed = False
    for name in sys.argv[1:] or TARGETS:
        growth, token = worst(TARGETS[name])
        too_slow = growth > _TOO_MUCH
        failed = failed or too_slow
        told = f"{growth:.1f} times the time, with {token[:20]!r}" if growth else "too quick to be measured"
        print(f"{name:14} {_TIMES_AS_LONG} times the length: {told}{'  TOO MUCH' if too_slow else ''}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
