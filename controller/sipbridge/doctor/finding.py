"""The doctor's findings: a verdict, its subject, and what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """The severity of a finding."""

    PASS = "pass"  # noqa: S105 - no password
    """As it should be."""
    WARN = "warn"
    """Works, but not for long, not for all, or not as safely as it should."""
    FAIL = "fail"
    """Calls or registrations do not work, or a secret is exposed."""
    SKIP = "skip"
    """Could not be checked; another finding says why."""


class Section(Enum):
    """The subject of a finding; sections are shown in this order."""

    SETTINGS = "Settings"
    FREESWITCH = "FreeSWITCH"
    PROFILES = "SIP profiles and dialplan"
    SPOOL = "Spool"
    EDGE = "Edge"
    NETWORK = "Paths to the providers"
    ACCOUNTS = "Accounts"
    HOST = "Host"

    def passed(self, id_: str, text: str) -> Finding:
        """Return a finding that all is in order."""
        return Finding(id_, self, Verdict.PASS, text)

    def warned(self, id_: str, text: str, advice: str) -> Finding:
        """Return a warning."""
        return Finding(id_, self, Verdict.WARN, text, advice)

    def failed(self, id_: str, text: str, advice: str) -> Finding:
        """Return a failure."""
        return Finding(id_, self, Verdict.FAIL, text, advice)

    def skipped(self, id_: str, text: str) -> Finding:
        """Return a finding that a check could not be made."""
        return Finding(id_, self, Verdict.SKIP, text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the checklist.

    Attributes:
        id: stable, even when the wording changes: ``api-expansion``, ``profile-address.providers``.
        text: the finding, in one line.
        advice: what to do about it; empty if there is nothing to do.
    """

    id: str
    section: Section
    verdict: Verdict
    text: str
    advice: str = ""
