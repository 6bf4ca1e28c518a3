"""The scripted far side: records INVITEs and decides how they are answered. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulatedInvite:
    """The INVITE that FreeSWITCH would send.

    Attributes:
        to: the To header, without a tag.
        from_: the From header, without a tag.
        next_hop: a SIP URI; by default the Request-URI.
        gateway: the gateway whose credentials and contact it carries; None if none.
        variables: those of the dial string.
        edge: the edge on the way to `next_hop`; None if none.
    """

    request_uri: str
    to: str
    from_: str
    next_hop: str
    gateway: str | None
    variables: Mapping[str, str]
    edge: str | None = None


def _every_invite(_: SimulatedInvite) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class CalleeRule:
    """How INVITEs selected by `matches` are answered; times are simulated seconds.

    Attributes:
        rings_s: until 180; None if it never rings.
        early_media_s: until 183 with SDP; None if there is none.
        final_s: until the final response; None if there is none.
        status: the final status; 200 answers.
        phrase: the phrase of a refusing final response.
        hangs_up_s: from the answer until the callee hangs up; None if the caller does.
    """

    matches: Callable[[SimulatedInvite], bool] = _every_invite
    rings_s: float | None = 0.0
    early_media_s: float | None = None
    final_s: float | None = 0.0
    status: int = 200
    phrase: str = ""
    hangs_up_s: float | None = None


ANSWERS = CalleeRule()
BUSY = CalleeRule(rings_s=None, status=486, phrase="Busy Here")
NOT_FOUND = CalleeRule(rings_s=None, status=404, phrase="Not Found")
UNAVAILABLE = CalleeRule(rings_s=None, status=503, phrase="Service Unavailable")
RINGS_FOR_EVER = CalleeRule(final_s=None)
SILENT = CalleeRule(rings_s=None, final_s=None)


class FarSide:
    """All callees of FreeSWITCH.

    Attributes:
        rules: the first matching rule applies; may be changed at any time. By default the callee rings and answers.
        invites: the latest ten thousand INVITEs that arrived.
    """

    def __init__(self, rules: Sequence[CalleeRule] = ()) -> None:
        self.rules = list(rules)
        self.invites: deque[SimulatedInvite] = deque(maxlen=10_000)

    def take_invite(self, invite: SimulatedInvite) -> CalleeRule:
        """Record an INVITE, and return how it is answered."""
        self.invites.append(invite)
        return next((rule for rule in self.rules if rule.matches(invite)), ANSWERS)
