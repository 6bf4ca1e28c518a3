"""Parses docs/sip-mapping.md, for tests that compare a switch with it. I/O: reads the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/sip-mapping.md").read_text("utf-8")


def causes() -> Iterator[tuple[int, str, str]]:
    """The rows of the table of causes: ``486, "USER_BUSY", "Q.850;cause=17"``."""
    for statuses, cause, reason in re.findall(r"^\| ([0-9, ]+) \| `([A-Z_]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE):
        for status in statuses.split(", "):
            yield int(status), cause, reason


def headers_that_stay() -> list[str]:
    """The headers of an INVITE that do not pass, by name."""
    row = re.search(r"^\| (P-Asserted-Identity, .*), X-… \| none", PAGE, re.MULTILINE)
    if row is None:
        raise AssertionError("the page has no row of headers that do not pass")
    return row[1].split(", ")
