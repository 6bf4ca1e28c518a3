"""Routing: the rules of a call one by one, with the two examples of the specification as providers."""

from __future__ import annotations

import dataclasses
import re

import pytest
from core_examples import FORBIDDEN, REGISTERED, account, always, by, call, invite, policy, pool, sip_uris, source, uri
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account, SecretType
from sipbridge.core.calls.routing import (
    ANONYMOUS,
    Bridge,
    Decline,
    DeclineReason,
    RoutingTable,
    TraceStep,
    Verdict,
    route,
)
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool, Line
from sipbridge.core.pools.line_usage import ChannelUuid, LineUsage
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.providers.media import MediaEncryption, MediaOffer
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import (
    Always,
    FindInPool,
    MatchRegex,
    OnAccountNotFound,
    OutgoingInvite,
    Provider,
    RandomAccount,
)
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import NameAddr, SipUri

NEXT, DECLINE = OnAccountNotFound
ALICE = account("sip:alice@jabiru.example.org", alias="sip:alice@flexisip.example.org")
BOB = account("sip:bob@jabiru.example.org", alias="sip:bob@flexisip.example.org")

# The first example of the specification.
OUTBOUND = Provider(
    "Flexisip -> Jabiru (Outbound)",
    "JabiruAccountPool",
    Always(),
    FindInPool(by("{alias}"), source("{from}")),
    NEXT,
    OutgoingInvite(
        invite("sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}"), invite("{account.uri}")
    ),
)
INBOUND = Provider(
    "Jabiru -> Flexisip (Inbound)",
    "JabiruAccountPool",
    Always(),
    FindInPool(by("{uri}"), source("{to}")),
    NEXT,
    OutgoingInvite(
        invite("{account.alias}"),
        invite("sip:{incoming.from.user}@{account.alias.hostport}{incoming.from.uriParameters}"),
        outbound_proxy=uri("sip:flexisip.example.org;transport=tcp"),
    ),
)
JABIRU = dataclasses.replace(
    policy("JabiruAccountPool", registration_required=True), outbound_proxy=uri("sip:jabiru.example.org;transport=tls")
)

# The second, with a pattern that compiles and can match a whole Request-URI.
PATTERN = r"sip:\+33.*"
PSTN = Provider(
    "French telephone numbers",
    "FrenchPSTN",
    MatchRegex(PATTERN, lambda text: re.fullmatch(PATTERN, text) is not None),
    RandomAccount(),
    DECLINE,
    OutgoingInvite(
        invite("sip:{incoming.requestUri.user}@{account.uri.hostport}{incoming.requestUri.uriParameters}"),
        invite("{account.uri}"),
    ),
)
FRENCH = dataclasses.replace(
    policy("FrenchPSTN", registration_required=True, max_calls_per_line=682),
    outbound_proxy=uri("sip:some.provider.example.org;transport=tls"),
)

FROM_ALICE = call(
    "sip:carol@x", "<sip:alice@flexisip.example.org>;tag=1", "<sip:carol@flexisip.example.org;user=phone>"
)
TO_BOB = call("sip:bob@x", '"Zed" <sip:zed@jabiru.example.org;transport=udp>;tag=1', "<sip:bob@jabiru.example.org>")
FROM_STRANGER = call("sip:carol@x", "<sip:stranger@elsewhere.example.org>", "<sip:carol@elsewhere.example.org>")


def registered(a_pool: AccountPool) -> AccountPool:
    for line in a_pool:
        line.set_registration(REGISTERED)
    return a_pool


def jabiru(registration: Registration = REGISTERED, max_calls_per_line: int = 20) -> RoutingTable:
    of_pool = dataclasses.replace(JABIRU, max_calls_per_line=max_calls_per_line)
    accounts = pool(ALICE, BOB, with_=of_pool)
    for line in accounts:
        line.set_registration(registration)
    return RoutingTable([OUTBOUND, INBOUND], {"JabiruAccountPool": accounts})


def french(*more: Provider) -> RoutingTable:
    numbers = (account(f"sip:account{number}@some.provider.example.com") for number in (1, 2))
    return RoutingTable(
        [PSTN, *more],
        {
            "FrenchPSTN": registered(pool(*numbers, with_=FRENCH)),
            "JabiruAccountPool": registered(pool(ALICE, with_=JABIRU)),
        },
    )


def line_of(table: RoutingTable, user: str) -> Line:
    (line,) = (line for each in table.pools.values() for line in each if line.account.uri.user == user)
    return line


def bridged(a_call: CallRequest, table: RoutingTable, random: int = 0) -> Bridge:
    decision = route(a_call, table, always(random))
    assert isinstance(decision, Bridge)
    return decision


def declined(a_call: CallRequest, table: RoutingTable) -> Decline:
    decision = route(a_call, table, always(0))
    assert isinstance(decision, Decline)
    return decision


def changed(provider: Provider, **of_invite: object) -> Provider:
    return dataclasses.replace(provider, outgoing_invite=dataclasses.replace(provider.outgoing_invite, **of_invite))


def test_first_example_outbound() -> None:
    table = jabiru()
    assert bridged(FROM_ALICE, table) == Bridge(
        provider=OUTBOUND,
        line=line_of(table, "alice"),
        to=NameAddr(uri("sip:carol@jabiru.example.org;user=phone")),
        from_=NameAddr(uri("sip:alice@jabiru.example.org")),
        next_hop=uri("sip:jabiru.example.org;transport=tls"),
        uses_gateway=True,
        media=MediaOffer((("rtp_secure_media", "forbidden"),)),
        trace=(TraceStep(OUTBOUND.name, Verdict.BRIDGE, "sip:alice@flexisip.example.org"),),
    )


def test_first_example_inbound() -> None:
    table = jabiru()
    assert bridged(TO_BOB, table) == Bridge(
        provider=INBOUND,
        line=line_of(table, "bob"),
        to=NameAddr(uri("sip:bob@flexisip.example.org")),
        from_=NameAddr(uri("sip:zed@flexisip.example.org;transport=udp")),
        next_hop=uri("sip:flexisip.example.org;transport=tcp"),
        uses_gateway=False,
        media=MediaOffer((("rtp_secure_media", "forbidden"),)),
        trace=(
            TraceStep(OUTBOUND.name, Verdict.NO_ACCOUNT, "sip:zed@jabiru.example.org;transport=udp"),
            TraceStep(INBOUND.name, Verdict.BRIDGE, "sip:bob@jabiru.example.org"),
        ),
    )


@pytest.mark.parametrize("number", [0, 1])
def test_second_example(number: int) -> None:
    decision = bridged(call("sip:+33612345678@x"), french(), random=number)
    assert decision.to == NameAddr(uri("sip:+33612345678@some.provider.example.com"))
    assert decision.from_ == NameAddr(uri(f"sip:account{number + 1}@some.provider.example.com"))
    assert decision.next_hop == uri("sip:some.provider.example.org;transport=tls")
    assert decision.uses_gateway
    assert decision.trace == (TraceStep(PSTN.name, Verdict.BRIDGE),)


# 1. Providers in order. Trigger false → next.


@pytest.mark.parametrize("request_uri", ["sip:+44612345678@x", "sips:+33612345678@x", "tel:+33612345678", ""])
def test_a_pattern_that_does_not_match_leaves_the_call_to_the_next_provider(request_uri: str) -> None:
    decision = bridged(call(request_uri, from_="<sip:alice@flexisip.example.org>"), french(OUTBOUND))
    assert decision.provider is OUTBOUND
    assert decision.trace[0] == TraceStep(PSTN.name, Verdict.NOT_TRIGGERED, PATTERN)


def test_the_first_provider_that_takes_the_call_has_it() -> None:
    assert bridged(call("sip:+331@x", from_="<sip:alice@flexisip.example.org>"), french(OUTBOUND)).provider is PSTN


# 2. Account: Random takes any available one, FindInPool the one whose key equals the source.


def test_random_passes_over_whoever_is_not_available() -> None:
    table = french()
    line_of(table, "account1").set_registration(FORBIDDEN)
    assert bridged(call("sip:+331@x"), table).line is line_of(table, "account2")


@pytest.mark.parametrize(
    "from_",
    [
        "<sip:alice@FLEXISIP.example.org>",
        "<sip:%61lice@flexisip.example.org;transport=tcp>;tag=1",
        "sip:alice@flexisip.example.org;tag=1",
        '"Alice; <sip:bob@flexisip.example.org>" <sip:alice@flexisip.example.org>',
    ],
)
def test_an_account_is_found_by_every_spelling_of_its_uri(from_: str) -> None:
    table = jabiru()
    assert bridged(call(from_=from_), table).line is line_of(table, "alice")


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("{alias.user}", "{from.user}"),
        ("{alias}", "sip:{from.user}@{from.hostport}"),
        ("{alias}", "sip:{incoming.from.user}@flexisip.example.org"),
        ("{alias.user}@{uri.hostport}", "{from.user}@jabiru.example.org"),
    ],
)
def test_key_and_source_may_be_any_templates(key: str, wanted: str) -> None:
    provider = dataclasses.replace(OUTBOUND, account_to_use=FindInPool(by(key), source(wanted)))
    table = RoutingTable([provider], {"JabiruAccountPool": registered(pool(ALICE, BOB, keys=(key,), with_=JABIRU))})
    assert bridged(FROM_ALICE, table).line is line_of(table, "alice")


# 3. None → onAccountNotFound: next provider, or decline.


@pytest.mark.parametrize(
    ("provider", "verdict", "detail"),
    [
        (OUTBOUND, Verdict.NO_ACCOUNT, "sip:stranger@elsewhere.example.org"),
        (dataclasses.replace(PSTN, trigger=Always()), Verdict.NONE_AVAILABLE, ""),
    ],
    ids=["FindInPool", "Random"],
)
def test_no_account(provider: Provider, verdict: Verdict, detail: str) -> None:
    last = Provider("last", "Last", Always(), RandomAccount(), DECLINE, OUTBOUND.outgoing_invite)
    pools = {
        "JabiruAccountPool": registered(pool(ALICE, with_=JABIRU)),
        "FrenchPSTN": pool(account("sip:account1@some.provider.example.com"), with_=FRENCH),
        "Last": pool(BOB),
    }
    step = TraceStep(provider.name, verdict, detail)

    going_on = dataclasses.replace(provider, on_account_not_found=NEXT)
    decision = bridged(FROM_STRANGER, RoutingTable([going_on, last], pools))
    assert decision.provider is last
    assert decision.trace[0] == step

    declining = dataclasses.replace(provider, on_account_not_found=DECLINE)
    assert declined(FROM_STRANGER, RoutingTable([declining, last], pools)) == Decline(
        DeclineReason.ACCOUNT_NOT_FOUND,
        verdict.value,
        declining,
        None,
        (step, TraceStep(declining.name, Verdict.DECLINE, verdict.value)),
    )


@pytest.mark.parametrize(
    "from_", ["<urn:service:sos>;tag=1", "", "Anonymous", "<sip:al ice@flexisip.example.org>", "<tel:>"]
)
def test_a_caller_without_a_sip_uri_has_no_account_but_may_call_one(from_: str) -> None:
    inbound = changed(INBOUND, from_=invite("{account.alias}"))
    table = RoutingTable([OUTBOUND, inbound], jabiru().pools)
    decision = bridged(call(from_=from_, to="<sip:bob@jabiru.example.org>"), table)
    assert decision.provider is inbound
    assert decision.trace[0].verdict is Verdict.NO_ADDRESS
    assert repr(from_) in decision.trace[0].detail


@pytest.mark.parametrize(
    "from_",
    ["<sip:anonymous.invalid>", "<urn:service:sos>;tag=1", "", "Anonymous", "<tel:>", '"Zoé" <sips:example.org>'],
)
@pytest.mark.parametrize("template", ["{incoming.from}", "sip:{incoming.from.user}@{account.alias.hostport}"])
def test_a_caller_that_names_nobody_is_shown_as_anonymous(from_: str, template: str) -> None:
    inbound = changed(INBOUND, from_=invite(template))
    decision = bridged(call(from_=from_, to="<sip:bob@jabiru.example.org>"), RoutingTable([inbound], jabiru().pools))
    names_a_host = template == "{incoming.from}" and "<sip" in from_
    assert (decision.from_ == ANONYMOUS) is not names_a_host
    assert str(ANONYMOUS) == '"Anonymous" <sip:anonymous@anonymous.invalid>'


def test_a_number_is_the_caller_as_a_sip_address() -> None:
    inbound = changed(INBOUND, from_=invite("{incoming.from.displayName} {incoming.from}"))
    a_call = call("sip:bob@10.0.0.1", from_='"Zoé" <tel:+33(6)12-34.56;ext=7>;tag=1', to="<sip:bob@jabiru.example.org>")
    a_call.domain = "jabiru.example.org"
    decision = bridged(a_call, RoutingTable([inbound], jabiru().pools))
    assert str(decision.from_) == '"Zoé" <sip:+336123456;ext=7@jabiru.example.org;user=phone>'


def test_a_from_that_the_template_makes_wrong_still_declines() -> None:
    inbound = changed(INBOUND, from_=invite("sip:{incoming.from.user}@"))
    table = RoutingTable([inbound], jabiru().pools)
    a_call = call(from_="<tel:+331>", to="<sip:bob@jabiru.example.org>")
    assert declined(a_call, table).reason is DeclineReason.BAD_ADDRESS


# 4. Found but not available → decline, whatever onAccountNotFound says.


@pytest.mark.parametrize(
    ("registration", "detail"),
    [
        (Registration(), "Should register"),
        (Registration(RegistrationStatus.IN_PROGRESS), "Registration in progress"),
        (FORBIDDEN, "Registration failed: 403 Forbidden"),
    ],
)
@pytest.mark.parametrize("not_found", OnAccountNotFound)
def test_an_account_that_is_not_registered_declines(
    registration: Registration, detail: str, not_found: OnAccountNotFound
) -> None:
    table = jabiru(registration)
    outbound = dataclasses.replace(OUTBOUND, on_account_not_found=not_found)
    assert declined(FROM_ALICE, dataclasses.replace(table, providers=[outbound, INBOUND])) == Decline(
        DeclineReason.NOT_REGISTERED,
        detail,
        outbound,
        line_of(table, "alice"),
        (TraceStep(outbound.name, Verdict.DECLINE, detail),),
    )


def test_an_account_that_need_not_register_is_used_once_its_gateway_is_there() -> None:
    accounts = pool(ALICE, with_=dataclasses.replace(JABIRU, registration_required=False))
    table = RoutingTable([OUTBOUND], {"JabiruAccountPool": accounts})
    assert bridged(FROM_ALICE, table).uses_gateway
    line_of(table, "alice").set_registration(Registration())
    assert declined(FROM_ALICE, table).reason is DeclineReason.NOT_REGISTERED


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_an_account_whose_lines_are_taken_declines(limit: int) -> None:
    """Rule 7 as well: the calls of an account count over all providers that share its pool; 0 means never."""
    table = jabiru(max_calls_per_line=limit)
    usage = LineUsage()
    calls = [FROM_ALICE, call(from_="<sip:x@y>", to="<sip:alice@jabiru.example.org>")]
    for number in range(limit):
        usage.take(ChannelUuid(f"{number}"), bridged(calls[number % 2], table).line)
    for a_call in calls:
        decision = declined(a_call, table)
        assert (decision.reason, decision.line) == (DeclineReason.LINES_TAKEN, line_of(table, "alice"))
        assert decision.detail == f"{limit} of {limit} calls in progress"
    assert isinstance(route(TO_BOB, table, always(0)), Bridge if limit else Decline)
    if limit:
        usage.give_back(ChannelUuid("0"))
        assert bridged(FROM_ALICE, table).line is line_of(table, "alice")


# 5. Rendered `to` or `from` not a valid SIP URI → decline, log why, never crash.


@pytest.mark.parametrize(
    ("of_invite", "a_call", "detail"),
    [
        pytest.param(
            {"to": invite("{incoming.to.user}")},
            FROM_ALICE,
            "'carol' is not the SIP address that '{incoming.to.user}' should give",
            id="to",
        ),
        pytest.param(
            {"from_": invite("sip:{account.uri.user}@")},
            FROM_ALICE,
            "'sip:alice@' is not the SIP address that 'sip:{account.uri.user}@' should give",
            id="from",
        ),
        pytest.param(
            {},
            call(to="<sip:flexisip.example.org>"),
            "'sip:@jabiru.example.org' is not the SIP address that "
            "'sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}' should give",
            id="no user",
        ),
        pytest.param(
            {},
            call(to="<urn:service:sos>"),
            "'<urn:service:sos>' is not an address such as \"Name\" <sip:user@host>",
            id="urn",
        ),
        pytest.param(
            {"to": invite("{incoming.requestUri}")},
            call("sip:x\r\ny@z"),
            "'sip:x\\r\\ny@z' is not a SIP URI such as sip:user@host",
            id="line end",
        ),
        pytest.param(
            {"to": invite("{incoming.requestUri}")},
            call("sip:x@y>;a"),
            "'sip:x@y>;a' is not a SIP URI such as sip:user@host",
            id="bracket",
        ),
    ],
)
def test_an_address_that_cannot_be_made_declines_and_says_why(
    of_invite: dict[str, object], a_call: CallRequest, detail: str
) -> None:
    table = jabiru()
    outbound = changed(OUTBOUND, **of_invite)
    assert declined(a_call, dataclasses.replace(table, providers=[outbound])) == Decline(
        DeclineReason.BAD_ADDRESS,
        detail,
        outbound,
        line_of(table, "alice"),
        (TraceStep(outbound.name, Verdict.DECLINE, detail),),
    )


def test_an_account_without_the_alias_that_is_wanted_declines() -> None:
    table = RoutingTable(
        [INBOUND], {"JabiruAccountPool": registered(pool(account("sip:bob@jabiru.example.org"), with_=JABIRU))}
    )
    decision = declined(TO_BOB, table)
    assert decision.reason is DeclineReason.BAD_ADDRESS
    assert decision.detail == "'' is not the SIP address that '{account.alias}' should give"


@given(st.text(), st.text(), st.text(), st.integers(0, 1))
def test_no_call_crashes(request_uri: str, from_: str, to: str, number: int) -> None:
    for table in (jabiru(), french(OUTBOUND, INBOUND)):
        assert isinstance(route(CallRequest(request_uri, from_, to), table, always(number)), Bridge | Decline)


@given(sip_uris(), sip_uris())
def test_what_goes_out_is_a_valid_address_or_declined(to: SipUri, request_uri: SipUri) -> None:
    a_call = CallRequest(request_uri.text, "<sip:alice@flexisip.example.org>", f"<{to.text}>")
    decision = route(a_call, jabiru(), always(0))
    if isinstance(decision, Bridge):
        assert uri(decision.to.uri.text) == decision.to.uri
        assert decision.to.uri.user == to.user
    else:
        assert decision.reason is DeclineReason.BAD_ADDRESS
        assert not to.user


# 6. No provider left → decline.


def test_no_provider_takes_the_call() -> None:
    assert declined(FROM_STRANGER, jabiru()) == Decline(
        DeclineReason.NO_PROVIDER,
        "no provider matches this call",
        None,
        None,
        (
            TraceStep(OUTBOUND.name, Verdict.NO_ACCOUNT, "sip:stranger@elsewhere.example.org"),
            TraceStep(INBOUND.name, Verdict.NO_ACCOUNT, "sip:carol@elsewhere.example.org"),
        ),
    )
    assert declined(FROM_ALICE, RoutingTable([], {})).trace == ()


# 7. Counting is in test_an_account_whose_lines_are_taken_declines; deciding takes nothing.


def test_a_decision_takes_no_line() -> None:
    table = jabiru(max_calls_per_line=1)
    assert bridged(FROM_ALICE, table) == bridged(FROM_ALICE, table)
    assert line_of(table, "alice").calls == 0


# 8. Next hop = invite override > account's proxy > pool's proxy.


@pytest.mark.parametrize(
    ("of_invite", "of_account", "next_hop", "uses_gateway"),
    [
        (None, None, "sip:jabiru.example.org;transport=tls", True),
        (None, "sip:own.example.org", "sip:own.example.org", True),
        ("sip:invite.example.org", None, "sip:invite.example.org", False),
        ("sip:invite.example.org", "sip:own.example.org", "sip:invite.example.org", False),
    ],
    ids=["pool", "account", "invite", "invite before account"],
)
def test_next_hop(of_invite: str | None, of_account: str | None, next_hop: str, uses_gateway: bool) -> None:
    outbound = changed(OUTBOUND, outbound_proxy=uri(of_invite) if of_invite else None)
    accounts = registered(
        pool(dataclasses.replace(ALICE, outbound_proxy=uri(of_account) if of_account else None), with_=JABIRU)
    )
    decision = bridged(FROM_ALICE, RoutingTable([outbound], {"JabiruAccountPool": accounts}))
    assert (decision.next_hop, decision.uses_gateway) == (uri(next_hop), uses_gateway)


@pytest.mark.parametrize(
    ("template", "address"),
    [
        ("{incoming.from}", NameAddr(uri("sip:zed@jabiru.example.org;transport=udp"))),
        ("<{incoming.from}>", NameAddr(uri("sip:zed@jabiru.example.org;transport=udp"))),
        ("{incoming.from.displayName} <{account.uri}>", NameAddr(uri("sip:bob@jabiru.example.org"), "Zed")),
        ("{incoming.to.displayName} <{account.uri}>", NameAddr(uri("sip:bob@jabiru.example.org"))),
        ('"The \\"B\\" side" <{account.alias}>', NameAddr(uri("sip:bob@flexisip.example.org"), 'The "B" side')),
    ],
)
def test_a_display_name_goes_out_only_where_the_template_asks_for_it(template: str, address: NameAddr) -> None:
    table = dataclasses.replace(jabiru(), providers=[changed(INBOUND, from_=invite(template))])
    assert bridged(TO_BOB, table).from_ == address


# Media.


@pytest.mark.parametrize(
    ("encryption", "enable_avpf", "defaults", "media"),
    [
        (None, None, MediaDefaults(), "rtp_secure_media"),
        (None, None, MediaDefaults(MediaEncryption.DTLS_SRTP), "media_webrtc"),
        (MediaEncryption.DTLS_SRTP, None, MediaDefaults(MediaEncryption.SDES), "media_webrtc"),
        (None, True, MediaDefaults(MediaEncryption.DTLS_SRTP, enable_avpf=False), "media_webrtc"),
        (MediaEncryption.NONE, False, MediaDefaults(enable_avpf=True), "rtp_secure_media"),
    ],
)
def test_media_of_the_invite_or_else_of_the_settings(
    encryption: MediaEncryption | None, enable_avpf: bool | None, defaults: MediaDefaults, media: str
) -> None:
    outbound = changed(OUTBOUND, media_encryption=encryption, enable_avpf=enable_avpf)
    ((variable, _),) = bridged(FROM_ALICE, RoutingTable([outbound], jabiru().pools, defaults)).media.variables
    assert variable == media


@pytest.mark.parametrize(
    ("of_invite", "defaults", "why"),
    [
        ({"media_encryption": MediaEncryption.ZRTP, "enable_avpf": True}, MediaDefaults(), "ZRTP"),
        ({}, MediaDefaults(MediaEncryption.ZRTP, enable_avpf=True), "ZRTP"),
        ({}, MediaDefaults(enable_avpf=True), "AVPF only"),
        ({"enable_avpf": False}, MediaDefaults(MediaEncryption.DTLS_SRTP), "only with AVPF"),
    ],
)
def test_media_that_cannot_be_offered_declines(of_invite: dict[str, object], defaults: MediaDefaults, why: str) -> None:
    outbound = changed(OUTBOUND, **of_invite)
    decision = declined(FROM_ALICE, RoutingTable([outbound], jabiru().pools, defaults))
    assert decision.reason is DeclineReason.MEDIA_NOT_OFFERED
    assert why in decision.detail
    assert decision.trace[-1] == TraceStep(outbound.name, Verdict.DECLINE, decision.detail)


# The edge.

EDGE = Edge(uri("sip:127.0.0.1:5090"))
HASHED = dataclasses.replace(ALICE, secret="0123456789abcdef" * 2, secret_type=SecretType.HA1)
AVPF = MediaDefaults(enable_avpf=True)


def with_edge(an_account: Account, edge: Edge | None, provider: Provider, media: MediaDefaults) -> RoutingTable:
    pool_ = pool(an_account, with_=dataclasses.replace(JABIRU, edge=edge))
    next(iter(pool_)).set_registration(REGISTERED)
    return RoutingTable([provider], {JABIRU.name: pool_}, media)


@pytest.mark.parametrize(
    ("an_account", "edge", "provider", "media", "passes"),
    [
        pytest.param(ALICE, EDGE, OUTBOUND, MediaDefaults(), None, id="nothing needs it"),
        pytest.param(HASHED, EDGE, OUTBOUND, MediaDefaults(), EDGE.address, id="a hash"),
        pytest.param(HASHED, None, OUTBOUND, MediaDefaults(), None, id="a hash, and no edge"),
        pytest.param(
            ALICE, dataclasses.replace(EDGE, takes_all=EdgeReason.MEDIA), OUTBOUND, AVPF, EDGE.address, id="media"
        ),
        pytest.param(
            ALICE,
            dataclasses.replace(EDGE, takes_all=EdgeReason.ALL),
            OUTBOUND,
            MediaDefaults(),
            EDGE.address,
            id="all accounts",
        ),
        pytest.param(
            HASHED,
            EDGE,
            changed(OUTBOUND, outbound_proxy=uri("sip:elsewhere.example")),
            MediaDefaults(),
            None,
            id="a hash, past the account",
        ),
        pytest.param(
            ALICE,
            EDGE,
            changed(OUTBOUND, outbound_proxy=uri("sip:elsewhere.example")),
            AVPF,
            EDGE.address,
            id="media, past the account",
        ),
    ],
)
def test_calls_pass_the_edge_where_the_account_or_the_media_needs_it(
    an_account: Account, edge: Edge | None, provider: Provider, media: MediaDefaults, passes: SipUri | None
) -> None:
    bridge = bridged(FROM_ALICE, with_edge(an_account, edge, provider, media))

    assert bridge.edge == passes
    assert bridge.next_hop == (provider.outgoing_invite.outbound_proxy or JABIRU.outbound_proxy)


def test_media_of_the_edge_is_not_sent_past_it() -> None:
    """In the middle of a reload, accounts leave the edge before providers stop asking for it."""
    decision = declined(FROM_ALICE, with_edge(ALICE, EDGE, OUTBOUND, AVPF))

    assert decision.reason is DeclineReason.MEDIA_NOT_OFFERED
    assert "edge" in decision.detail


# Nobody is asked in vain.


def test_headers_that_no_provider_names_may_hold_anything() -> None:
    assert bridged(CallRequest("sip:+33612345678@x", "nonsense", "\r\n"), french()).provider is PSTN
