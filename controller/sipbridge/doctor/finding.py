"""What an examination finds: a verdict, what it is about, and what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How bad it is."""

    PASS = "pass"  # noqa: S105 - no password
    """As it should be."""
    WARN = "warn"
    """It works, but not for long, not for all, or not as safely as it could."""
    FAIL = "fail"
    """Calls or registrations do not work, or a secret is not one."""
    SKIP = "skip"
    """It could not be looked at; why is found elsewhere."""


class Section(Enum):
    """What a finding is about; they are shown in this order."""

    SETTINGS = "Settings"
    FREESWITCH = "FreeSWITCH"
    PROFILES = "SIP profiles and dialplan"
    SPOOL = "Spool"
    EDGE = "Edge"
    NETWORK = "Way to the providers"
    ACCOUNTS = "Accounts"
    HOST = "Host"

    def passed(self, id_: str, text: str) -> Finding:
        """It is as it should be."""
        return Finding(id_, self, Verdict.PASS, text)

    def warned(self, id_: str, text: str, advice: str) -> Finding:
        """It works, but."""
        return Finding(id_, self, Verdict.WARN, text, advice)

    def failed(self, id_: str, text: str, advice: str) -> Finding:
        """It does not work."""
        return Finding(id_, self, Verdict.FAIL, text, advice)

    def skipped(self, id_: str, text: str) -> Finding:
        """It could not be looked at."""
        return Finding(id_, self, Verdict.SKIP, text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the checklist.

    Attributes:
        id: stays the same whatever the words become: ``api-expansion``, ``profile-address.providers``.
        text: what is so, in one line.
        advice: what to do about it; empty when there is nothing to do.
    """

    id: str
    section: Section
    verdict: Verdict
    text: str
    advice: str = ""
