"""A valid providers file, and ways to break it at marked positions."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parent / "examples"

MARK = "▲"
"""Stands before the character that a diagnostic is to point at."""

GOOD = r"""{
  "schemaVersion": 2,
  "providers": [
    {
      "name": "numbers",
      "triggerCondition": { "strategy": "MatchRegex", "pattern": "sip:\\+33.*", "source": "{requestUri}" },
      "accountToUse": { "strategy": "Random" },
      "onAccountNotFound": "decline",
      "outgoingInvite": { "to": "{incoming.requestUri}", "mediaEncryption": "none" },
      "accountPool": "lines"
    },
    {
      "name": "people",
      "triggerCondition": { "strategy": "Always" },
      "accountToUse": { "strategy": "FindInPool", "by": "alias", "source": "{to}" },
      "onAccountNotFound": "nextProvider",
      "outgoingInvite": { "to": "{incoming.to}", "from": "sip:{account.uri.user}@example.org" },
      "accountPool": "people"
    }
  ],
  "accountPools": {
    "lines": {
      "outboundProxy": "<sip:proxy.example.org;transport=tls>",
      "registrationRequired": true,
      "maxCallsPerLine": 20,
      "loader": [
        { "uri": "sip:line1@example.org", "secretType": "clrtxt", "secret": "Mellon1" },
        { "uri": "sip:line2@example.org", "secretType": "clrtxt", "secret": "Mellon2" }
      ]
    },
    "people": {
      "outboundProxy": "sip:proxy.example.org",
      "registrationRequired": false,
      "maxCallsPerLine": 1,
      "loader": {
        "dbBackend": "mysql",
        "initQuery": "SELECT * FROM users",
        "updateQuery": "SELECT * FROM users WHERE id = :identifier",
        "connection": "db=users password='Mellon3'"
      }
    }
  }
}
"""
SECRETS = ("Mellon1", "Mellon2", "Mellon3")


def edited(*edits: tuple[str, str]) -> str:
    """`GOOD` with one text replaced by another, for every edit."""
    text = GOOD
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} must stand in the file exactly once"
        text = text.replace(old, new)
    return text


def without_marks(text: str) -> tuple[str, list[str]]:
    """The text without its marks, and ``line:column`` of what they stood before."""
    places = []
    while MARK in text:
        index = text.index(MARK)
        before = text[:index]
        places.append(f"{before.count(chr(10)) + 1}:{index - (before.rfind(chr(10)) + 1) + 1}")
        text = before + text[index + 1 :]
    return text, places
