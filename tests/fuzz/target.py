"""A door of the bridge, and what must hold of whatever comes out; and how bytes become texts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SEPARATOR = b"\x1e"
"""Stands between the texts of a target that takes several."""


@dataclass(frozen=True, slots=True)
class Target:
    """A door and its oracle.

    Attributes:
        check: takes any bytes.
        seeds: inputs that get through the door, to begin with.
        tokens: what means something there.
        longest: bytes of the inputs that show that time does not grow faster than length.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    longest: int = 32_768


def as_text(data: bytes) -> str:
    """As FreeSWITCH's bytes arrive: what is not UTF-8 as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def texts(data: bytes, count: int) -> list[str]:
    pieces = data.split(SEPARATOR, count - 1)
    return [as_text(piece) for piece in pieces] + [""] * (count - len(pieces))


def texts_of_file(data: bytes, count: int) -> list[str]:
    """As they come out of the providers file, which is UTF-8 or refused."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts(data, count)]
