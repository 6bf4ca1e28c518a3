"""What changes in a provider or a pool becomes ``maxCallsPerLine 1 → 2``, in the words of the file. Pure; no secret."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from sipbridge.core.printable import escape_unprintable
from sipbridge.core.providers.edge import Edge
from sipbridge.core.providers.provider import Always, FindInPool, MatchRegex, OutgoingInvite, RandomAccount
from sipbridge.core.providers.template import Template
from sipbridge.core.sip.uri import SipUri

# What an attribute is called in the file, where that is not the attribute's name.
WORDS: Mapping[str, str] = {
    "account_pool": "accountPool",
    "account_to_use": "accountToUse",
    "enable_avpf": "enableAvpf",
    "from_": "from",
    "max_calls_per_line": "maxCallsPerLine",
    "media_encryption": "mediaEncryption",
    "on_account_not_found": "onAccountNotFound",
    "outbound_proxy": "outboundProxy",
    "outgoing_invite": "outgoingInvite",
    "refresh_s": "refreshS",
    "registration_interval_ms": "registrationThrottlingRateMs",
    "registration_required": "registrationRequired",
    "secret_type": "secretType",
    "trigger": "triggerCondition",
    "unregister_on_shutdown": "unregisterOnServerShutdown",
    "user_id": "userid",
}


def changed_values(before: Any, after: Any, fields: tuple[str, ...]) -> Iterator[str]:
    """Each of these fields with its old and its new value; one without an attribute of that name by its name alone."""
    for name in fields:
        word = WORDS.get(name, name)
        old, new = getattr(before, name, None), getattr(after, name, None)
        if isinstance(old, OutgoingInvite) and isinstance(new, OutgoingInvite):
            names = tuple(one.name for one in dataclasses.fields(old))
            differing = tuple(one for one in names if getattr(old, one) != getattr(new, one))
            yield from (f"{word}.{each}" for each in changed_values(old, new, differing))
        elif old == new:
            yield word
        else:
            yield f"{word} {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "(none)"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case SipUri() | Template():
            return escape_unprintable(value.text)
        case Always() | RandomAccount():
            return type(value).__name__.removesuffix("Account")
        case MatchRegex(pattern=pattern):
            return escape_unprintable(pattern)
        case FindInPool(by=by, source=source):
            return escape_unprintable(f"FindInPool {source.text} by {by.text}")
        case Edge(address=address, takes_all=takes_all):
            return f"{address.text} (all accounts)" if takes_all else address.text
        case _:
            return escape_unprintable(str(value))
