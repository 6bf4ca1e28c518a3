"""Formats numbers, durations and untrusted text for a terminal. Pure."""

from __future__ import annotations

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def duration(seconds: float) -> str:
    """Format a duration with one or two units: ``42 s``, ``3 min``, ``2 h 5 min``, ``12 d 3 h``."""
    left = int(seconds)
    for at, (unit, size) in enumerate(_UNITS):
        if left >= size:
            count, rest = divmod(left, size)
            finer, finer_size = _UNITS[at + 1] if at + 1 < len(_UNITS) else ("", 0)
            more = rest // finer_size if finer_size else 0
            return f"{count} {unit} {more} {finer}" if more else f"{count} {unit}"
    return f"{left} s"


def number(value: int) -> str:
    """Format a count: ``12,345``; ``-`` for zero."""
    return f"{value:,}" if value else "-"


def plural(count: int, what: str) -> str:
    """Format a count with its noun: ``1 problem``, ``2 problems``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Replace unprintable characters: registrars choose their phrases, and callers their names."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "�" for each in text)
