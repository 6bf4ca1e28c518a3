"""``python -m fuzz.coverage TARGET FOLDER… OPTION…``: one target under libFuzzer, with the bridge instrumented."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sipbridge", "fuzz"]):
    from fuzz.targets import SEPARATOR, TARGETS


def main() -> None:
    name, *options = sys.argv[1:]
    target = TARGETS[name]
    seeds, tokens = list(target.seeds), [*target.tokens, SEPARATOR]

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        """What libFuzzer does to bytes, and one time in four a token or a seed put somewhere."""
        if seed % 4 == 0:
            part = tokens[seed // 4 % len(tokens)]
            at = seed // 7 % (len(data) + 1)
            return (data[:at] + part + data[at:])[:max_size]
        if not data:
            return seeds[seed % len(seeds)][:max_size]
        return atheris.Mutate(data, max_size)

    atheris.Setup([sys.argv[0], *options], target.check, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
