"""The scripted far side: which INVITE arrives there, and how it is answered. Pure."""

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
        next_hop: a SIP URI; the Request-URI where nothing else is said.
        gateway: the one whose credentials and contact it carries; None without.
        variables: those of the dial string.
        edge: the edge that it passes on the way to `next_hop`; None without.
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
    """How INVITEs that `matches` picks are answered; times are simulated seconds.

    Attributes:
        rings_s: until 180; None never rings.
        early_media_s: until 183 with SDP; None has none.
        final_s: until the final response; None never gives one.
        status: of the final response: 200 answers.
        phrase: of a final response that refuses.
        hangs_up_s: from the answer until the callee hangs up; None leaves that to the caller.
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
    """Everybody that FreeSWITCH can call.

    Attributes:
        rules: the first that matches applies; change them at any time. Without one the callee rings and answers.
        invites: the INVITEs that arrived, the latest ten thousand of them.
    """

    def __init__(self, rules: Sequence[CalleeRule] = ()) -> None:
        self.rules = list(rules)
        self.invites: deque[SimulatedInvite] = deque(maxlen=10_000)

    def take_invite(self, invite: SimulatedInvite) -> CalleeRule:
        """Note an INVITE, and say how it is answered."""
        self.invites.append(invite)
        return next((rule for rule in self.rules if rule.matches(invite)), ANSWERS)
