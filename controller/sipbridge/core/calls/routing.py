"""Decides a call: bridge it through an account, or decline it for a reason. Pure.

Nothing here waits, so a caller that takes the line right after the decision cannot exceed its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, assert_never

from sipbridge.core.errors import UriError
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.providers.edge import edge_reason
from sipbridge.core.providers.media import MediaOffer, media_offer, why_not_offered
from sipbridge.core.providers.media_defaults import NO_DEFAULTS, MediaDefaults
from sipbridge.core.providers.provider import (
    FindInPool,
    MatchRegex,
    OnAccountNotFound,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import NO_ACCOUNT, Template
from sipbridge.core.sip.call import CallRequest, Side
from sipbridge.core.sip.uri import NameAddr, SipUri, parse_name_addr

ANONYMOUS = NameAddr(SipUri("sip", "anonymous", "anonymous.invalid"), "Anonymous")
"""From of a caller that names nobody. Source: RFC 3323 §4.1.1.3."""


class Verdict(Enum):
    """The result of trying a provider for a call."""

    OTHER_SIDE = "it takes no calls from this side"
    NOT_TRIGGERED = "its pattern does not match the Request-URI"
    NO_ACCOUNT = "its pool has no such account"
    NO_ADDRESS = "the call lacks the SIP address that it looks for"
    NONE_AVAILABLE = "its pool has no available account"
    BRIDGE = "bridges the call"
    DECLINE = "declines the call"


class TraceStep(NamedTuple):
    """A provider that was tried, and the result: the value looked up, or why it did not match."""

    provider: str
    verdict: Verdict
    detail: str = ""


class DeclineReason(Enum):
    """Why a call is declined; the settings map each reason to a SIP status."""

    NO_PROVIDER = "no-provider"
    ACCOUNT_NOT_FOUND = "account-not-found"
    NOT_REGISTERED = "not-registered"
    LINES_TAKEN = "lines-taken"
    BAD_ADDRESS = "bad-address"
    MEDIA_NOT_OFFERED = "media-not-offered"
    MALFORMED_OFFER = "malformed-offer"
    UNUSABLE_OFFER = "unusable-offer"
    DRAINING = "draining"
    OVERLOAD = "overload"


class Bridge(NamedTuple):
    """Bridge the call.

    Attributes:
        to: Request-URI and To of the B leg.
        from_: From of the B leg.
        next_hop: where the INVITE is sent.
        uses_gateway: whether the call uses the account's gateway, or bypasses it to the proxy of outgoingInvite.
        media: how the B leg offers the requested media protection.
        edge: the edge through which the INVITE goes to `next_hop`; None if it goes directly.
    """

    provider: Provider
    line: Line
    to: NameAddr
    from_: NameAddr
    next_hop: SipUri
    uses_gateway: bool
    media: MediaOffer
    trace: tuple[TraceStep, ...]
    edge: SipUri | None = None

    def leaves_inside(self, side: Side) -> bool:
        """Whether a call from `side` leaves by the inside profile: the edge takes calls from the providers' only."""
        return side is Side.PROVIDERS and self.edge is None


@dataclass(frozen=True, slots=True)
class Decline:
    """Decline the call.

    Attributes:
        detail: an explanation for people.
        provider: the provider that declined; None if no provider matched.
        line: the account that was found but could not be used.
    """

    reason: DeclineReason
    detail: str
    provider: Provider | None
    line: Line | None
    trace: tuple[TraceStep, ...]


Decision = Bridge | Decline


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """The providers in order, and their pools.

    Attributes:
        drained: names of the providers that an operator has drained.
    """

    providers: Sequence[Provider]
    pools: Mapping[str, AccountPool]
    media: MediaDefaults = NO_DEFAULTS
    drained: frozenset[str] = frozenset()


def route(call: CallRequest, table: RoutingTable, random_below: Callable[[int], int]) -> Decision:
    """Decide a call.

    The line of a `Bridge` is available but not yet taken: take it before any other greenlet can run.

    Args:
        random_below: returns a uniform integer in ``[0, n)``.
    """
    trace: list[TraceStep] = []
    for provider in table.providers:
        if (passed_over := _passed_over(provider, call)) is not None:
            trace.append(passed_over)
            continue
        pool = table.pools[provider.account_pool]
        line, step = _choose(provider, pool, call, random_below)
        if line is None:
            trace.append(step)
            if provider.on_account_not_found is OnAccountNotFound.NEXT_PROVIDER:
                continue
            return _decline(DeclineReason.ACCOUNT_NOT_FOUND, step.verdict.value, provider, None, trace)
        return _use(provider, line, call, table, trace, step)
    return Decline(DeclineReason.NO_PROVIDER, "no provider matches this call", None, None, tuple(trace))


def looks_in_pool(provider: Provider, call: CallRequest) -> bool:
    """Whether what a provider makes of a call depends on the accounts in its pool."""
    if _passed_over(provider, call) is not None:
        return False
    if isinstance(provider.account_to_use, FindInPool):
        try:
            _render_source(provider.account_to_use.source, call)
        except UriError:
            return False
    return True


def _passed_over(provider: Provider, call: CallRequest) -> TraceStep | None:
    """Return why a provider does not match a call; None if it does."""
    if provider.side is not None and provider.side is not call.side:
        return TraceStep(provider.name, Verdict.OTHER_SIDE, f"the call comes from side {call.side.value}")
    trigger = provider.trigger
    if isinstance(trigger, MatchRegex) and not trigger.matches(call.request_uri_text):
        return TraceStep(provider.name, Verdict.NOT_TRIGGERED, trigger.pattern)
    return None


def _choose(
    provider: Provider, pool: AccountPool, call: CallRequest, random_below: Callable[[int], int]
) -> tuple[Line | None, TraceStep]:
    """Return the account that the provider's strategy selects, available or not."""
    match provider.account_to_use:
        case FindInPool() as find:
            try:
                wanted, text = _render_source(find.source, call)
            except UriError as error:
                # A caller without a SIP URI, such as <tel:+33612345678>, has no account here; a later provider may
                # match.
                return None, TraceStep(provider.name, Verdict.NO_ADDRESS, str(error))
            line = pool.find(find.by, wanted)
            return line, TraceStep(provider.name, Verdict.BRIDGE if line else Verdict.NO_ACCOUNT, text)
        case RandomAccount():
            line = pool.pick(random_below)
            return line, TraceStep(provider.name, Verdict.BRIDGE if line else Verdict.NONE_AVAILABLE)
        case unknown:
            assert_never(unknown)


def _render_source(source: Template, call: CallRequest) -> tuple[SipUri | str, str]:
    if source.uri is not None and (uri := source.uri(call, NO_ACCOUNT)) is not None:
        return uri, uri.text
    text = source.render(call, NO_ACCOUNT)
    return text, text


def _use(
    provider: Provider,
    line: Line,
    call: CallRequest,
    table: RoutingTable,
    trace: list[TraceStep],
    step: TraceStep,
) -> Decision:
    if (unavailable := _unavailable(provider, line, table)) is not None:
        return _decline(*unavailable, provider, line, trace)
    invite, edge = provider.outgoing_invite, line.pool.policy.edge
    encryption, enable_avpf = table.media.fill_in(invite.media_encryption, invite.enable_avpf)
    media = media_offer(encryption, enable_avpf, has_edge=edge is not None)
    if media is None:
        return _decline(DeclineReason.MEDIA_NOT_OFFERED, why_not_offered(encryption), provider, line, trace)
    uses_gateway = invite.outbound_proxy is None
    if not (edge_reason(line.account, edge) if uses_gateway else media.edge):
        edge = None
    if media.edge and edge is None:
        # Happens only during a reload that has already moved the pool off the edge.
        detail = "the account no longer goes through the edge"
        return _decline(DeclineReason.MEDIA_NOT_OFFERED, detail, provider, line, trace)
    try:
        to = _render_address(invite.to, call, line)
        from_ = _render_from(invite.from_, call, line)
    except UriError as error:
        return _decline(DeclineReason.BAD_ADDRESS, str(error), provider, line, trace)
    next_hop = invite.outbound_proxy or line.pool.policy.next_hop(line.account)
    trace.append(step)
    through = edge.address if edge else None
    return Bridge(provider, line, to, from_, next_hop, uses_gateway, media, tuple(trace), through)


def _unavailable(provider: Provider, line: Line, table: RoutingTable) -> tuple[DeclineReason, str] | None:
    """Return why the selected account cannot be used now; None if it can."""
    if line.is_drained or provider.name in table.drained:
        what = "the account" if line.is_drained else "the provider"
        return DeclineReason.DRAINING, f"{what} accepts no new calls"
    if line.is_available:
        return None
    if not line.is_usable:
        return DeclineReason.NOT_REGISTERED, _registration(line)
    limit = line.pool.policy.max_calls_per_line
    return DeclineReason.LINES_TAKEN, f"{line.calls} of {limit} calls in progress"


def _render_address(template: Template, call: CallRequest, line: Line) -> NameAddr:
    if template.uri is not None and (uri := template.uri(call, line.account)) is not None:
        return NameAddr(uri)
    text = template.render(call, line.account)
    try:
        return parse_name_addr(text)
    except UriError:
        raise UriError(text, f"the SIP address that {template.text!r} should give") from None


def _render_from(template: Template, call: CallRequest, line: Line) -> NameAddr:
    try:
        return _render_address(template, call, line)
    except UriError:
        if call.is_anonymous:
            # Who calls is only shown: a caller that names nobody is shown as such, and the call goes on.
            return ANONYMOUS
        raise


def _registration(line: Line) -> str:
    if not line.pool.policy.registration_required:
        return "its gateway is not in FreeSWITCH yet"
    registration = line.registration
    return f"{registration.status.value}: {registration.reason}" if registration.reason else registration.status.value


def _decline(
    reason: DeclineReason, detail: str, provider: Provider, line: Line | None, trace: list[TraceStep]
) -> Decline:
    trace.append(TraceStep(provider.name, Verdict.DECLINE, detail))
    return Decline(reason, detail, provider, line, tuple(trace))
