"""A problem: what is wrong, how severe it is, and who has to act. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """The severity of a problem."""

    DOWN = "down"
    """No calls get through, or none of a pool."""
    WARNING = "warning"


class Side(Enum):
    """Who or what has to be fixed."""

    SWITCH = "FreeSWITCH"
    PROVIDER = "provider"
    ACCOUNTS = "accounts"
    """The secrets or names of accounts."""
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
    """Something that needs a person's attention.

    Attributes:
        what: ``pool Jabiru: 3 of 12 accounts are refused: 403 Forbidden``.
        advice: what to do.
    """

    severity: Severity
    side: Side
    what: str
    advice: str


def of_accounts(number: int, accounts: int) -> str:
    """Format a share of a pool's accounts: ``3 of 12``, ``all 12 accounts``."""
    if accounts == 1:
        return "its only account"
    return f"all {accounts:,} accounts" if number >= accounts else f"{number:,} of {accounts:,}"
