"""Answers requests as a callee. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from support.sip_message import SipMessage, sdp


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request; To gets a tag and Contact is the peer's, unless `headers` has another.

    Attributes:
        headers: values by name; several for a header that is there several times.
    """

    status: int
    phrase: str
    headers: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    body: str = ""

    def lines(self, contact: str) -> Iterator[tuple[str, str]]:
        """Its headers, and `contact` unless it has another."""
        for name, value in {"Contact": contact, **self.headers}.items():
            for one in [value] if isinstance(value, str) else value:
                yield name, one


Rule = Callable[[SipMessage], Iterable[Reply]]
"""What a peer answers to a request, in order. It is not asked about ACK, which gets no answer."""


def answers(*progress: Reply, body: str | None = None, headers: Mapping[str, str] | None = None) -> Rule:
    """A callee that sends `progress`, answers with these headers, and says 200 to everything else."""
    final = Reply(200, "OK", headers or {}, sdp() if body is None else body)

    def rule(request: SipMessage) -> Iterable[Reply]:
        if request.method != "INVITE":
            return [Reply(200, "OK")]
        return [final] if request.in_dialog else [*progress, final]

    return rule


def replies(*given: Reply) -> Rule:
    """A callee that answers every call with just these, which may be none, and says 200 to everything else."""
    return lambda request: given if request.method == "INVITE" else [Reply(200, "OK")]
