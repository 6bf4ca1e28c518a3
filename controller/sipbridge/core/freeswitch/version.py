"""The version of a FreeSWITCH. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?![\d.])", re.ASCII)


class FreeSwitchVersion(NamedTuple):
    """A version, compared by its numbers: 1.9.0 is older than 1.10.12.

    Where the version of a switch is not known, write None; never guess.
    """

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


RECOMMENDED = FreeSwitchVersion(1, 11, 2)
"""The version to install, and the newest one that the tests ran on."""

TESTED = (FreeSwitchVersion(1, 10, 12), RECOMMENDED)
"""The versions that the tests ran on."""


def parse_freeswitch_version(text: str) -> FreeSwitchVersion | None:
    """Parse ``1.10.12-release+git~…`` or ``1.10.12``; None if the text does not begin with a version.

    Source: the header ``FreeSWITCH-Version`` of HEARTBEAT, and the answer to ``version short``.
    """
    found = _VERSION.match(text)
    return FreeSwitchVersion(*map(int, found.groups())) if found else None
