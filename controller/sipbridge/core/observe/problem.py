"""Something that is wrong, how bad it is, and on whose side. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad it is."""

    DOWN = "down"
    """Calls do not get through: all of them, or all of a pool."""
    WARNING = "warning"


class Side(Enum):
    """Who has to do something."""

    SWITCH = "FreeSWITCH"
    PROVIDER = "provider"
    ACCOUNTS = "accounts"
    """Their secrets or names: whoever keeps them."""
    LINES = "lines"
    DATABASE = "database"
    REDIS = "Redis"
    EDGE = "edge"
    NETWORK = "network"
    CONFIGURATION = "config"
    CALLERS = "callers"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person has to look at.

    Attributes:
        what: ``pool Jabiru: 3 of 12 accounts are refused: 403 Forbidden``.
        advice: what to do.
    """

    severity: Severity
    side: Side
    what: str
    advice: str


def of_accounts(number: int, accounts: int) -> str:
    """So many of a pool's accounts: ``3 of 12``, ``all 12 accounts``."""
    if accounts == 1:
        return "its only account"
    return f"all {accounts:,} accounts" if number >= accounts else f"{number:,} of {accounts:,}"
