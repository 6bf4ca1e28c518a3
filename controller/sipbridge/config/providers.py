"""Converts the providers of a providers file to core types, and checks what the schema cannot. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sipbridge.config.regex.patterns import PatternError, compile_pattern, is_never_a_request_uri, suggestion
from sipbridge.config.schema import unknown_name
from sipbridge.config.text.diagnostic import Report
from sipbridge.config.text.source_text import Path
from sipbridge.config.uris import NO_MESSAGE_WAITING, read_uri
from sipbridge.core.accounts.account import PROTOCOLS, Account
from sipbridge.core.errors import TemplateError, UriError
from sipbridge.core.providers.edge import Edge, EdgeReason
from sipbridge.core.providers.media import MediaEncryption, media_offer, why_not_offered
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
from sipbridge.core.providers.template import Template, TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest, Side
from sipbridge.core.sip.uri import parse_name_addr, parse_sip_uri

_REQUEST_URI_SOURCES = {
    f"{{{prefix}{name}}}" for prefix in ("", "incoming.") for name in ("requestUri", "requestAddress")
}
_BY_SHORT = {"uri": "{uri}", "alias": "{alias}"}
_DEFAULT_FROM = "{account.uri}"

_FROM_VARIABLE = re.compile(r"\{(?:incoming\.)?from\b")
_TRUSTS_SDES_ANSWERS = (
    "SDES straight to the provider: one answer with a malformed key ends a FreeSWITCH older than 1.11.2, and all its "
    "calls. Whether yours is older, `sipbridge doctor` tells; the edge checks the answers of accounts that go through "
    'it: accounts = "all" in [edge] of the settings'
)
_BELIEVES_ANY_FROM = (
    "this provider selects accounts by From alone, so anyone who learns an account's contact can call it: add "
    '"side": "inside" here, so that only calls from your own proxy are accepted'
)

# Sample calls and accounts, to check what a template renders to.
_SOME_CALLS = (
    CallRequest("sip:callee@a.example", "<sip:caller@b.example>", "<sip:callee@a.example>"),
    CallRequest("sip:callee@a.example", '"Caller" <sip:caller@b.example>', '"Callee" <sip:callee@a.example>'),
)
_SOME_ACCOUNT = Account(parse_sip_uri("sip:line@c.example"), alias=parse_sip_uri("sip:person@d.example"))


def read_providers(
    root: Mapping[str, Any], defaults: MediaDefaults, edge: Edge | None, report: Report
) -> tuple[Provider, ...]:
    """Read the providers of a file.

    Args:
        root: a file of version 2, checked against the schema; invalid values are missing or None.
        defaults: the media protection of providers that do not set their own.
        edge: offers media that FreeSWITCH alone cannot.

    Returns:
        The complete providers.
    """
    pools = root.get("accountPools")
    first_line: dict[str, int] = {}
    providers = []
    for index, value in enumerate(root.get("providers", ())):
        path: Path = ("providers", index)
        value = value or {}
        name = value.get("name")
        if name in first_line:
            report.warning(
                (*path, "name"), f'another provider already has the name "{name}", on line {first_line[name]}'
            )
        elif name is not None:
            first_line[name] = report.line_of((*path, "name"))
        pool = value.get("accountPool")
        if pool is not None and pools is not None and pool not in pools:
            report.error((*path, "accountPool"), unknown_name("account pool", pool, pools))
        providers.append(_provider(value, path, defaults, edge, report))
    return tuple(provider for provider in providers if provider is not None)


def edge_of_pool(edge: Edge | None, providers: Iterable[Provider], defaults: MediaDefaults, pool: str) -> Edge | None:
    """Return the edge as a pool uses it: for all its accounts, if any call through their gateways needs its media."""
    if edge is None or edge.takes_all is not None:
        return edge
    for provider in providers:
        invite = provider.outgoing_invite
        if provider.account_pool != pool or invite.outbound_proxy is not None:
            continue
        offer = defaults.offer_of(invite, has_edge=True)
        if offer is not None and offer.edge is not None:
            return replace(edge, takes_all=EdgeReason.MEDIA)
    return edge


def _provider(
    value: Mapping[str, Any], path: Path, defaults: MediaDefaults, edge: Edge | None, report: Report
) -> Provider | None:
    name, pool, not_found = value.get("name"), value.get("accountPool"), value.get("onAccountNotFound")
    trigger = _trigger(value.get("triggerCondition", {}), (*path, "triggerCondition"), report)
    account_to_use = _account_to_use(value.get("accountToUse", {}), (*path, "accountToUse"), report)
    invite = _outgoing_invite(value.get("outgoingInvite", {}), (*path, "outgoingInvite"), defaults, edge, report)
    _check_outgoing_notify(value, path, report)
    if name is None or pool is None or not_found is None or not trigger or not account_to_use or not invite:
        return None
    side = value.get("triggerCondition", {}).get("side")
    provider = Provider(name, pool, trigger, account_to_use, OnAccountNotFound(not_found), invite, side and Side(side))
    if _believes_any_from(provider):
        report.warning((*path, "triggerCondition"), _BELIEVES_ANY_FROM)
    return provider


def _believes_any_from(provider: Provider) -> bool:
    """Return whether anyone's call can use an account just by choosing a From."""
    chooser = provider.account_to_use
    return (
        isinstance(provider.trigger, Always)
        and provider.side is not Side.INSIDE
        and isinstance(chooser, FindInPool)
        and _FROM_VARIABLE.search(chooser.source.text) is not None
        and provider.outgoing_invite.outbound_proxy is None
    )


def _trigger(value: Mapping[str, Any], path: Path, report: Report) -> Always | MatchRegex | None:
    match value.get("strategy"):
        case "Always":
            return Always()
        case "MatchRegex":
            return _match_regex(value, path, report)
        case _:
            return None  # the schema does not check the rest in this case, so it cannot be trusted


def _match_regex(value: Mapping[str, Any], path: Path, report: Report) -> MatchRegex | None:
    source = value.get("source")
    if source is not None and source not in _REQUEST_URI_SOURCES:
        report.warning(
            (*path, "source"),
            'ignored: a pattern is always matched against the Request-URI; write "{requestUri}"',
        )
    pattern = value.get("pattern")
    if pattern is None:
        return None
    path = (*path, "pattern")
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        report.error(path, f'"pattern" is not a valid regular expression: {error}', offset=error.offset)
        return None
    if is_never_a_request_uri(pattern):
        report.warning(path, f"this pattern matches no call: {suggestion(pattern)}")
    if not compiled.is_quick:
        message = "a caller can block the bridge with a number that takes this pattern minutes to reject: write it"
        report.warning(path, f"{message} without look-ahead, look-behind and back-references")
    return MatchRegex(pattern, compiled.matches)


def _account_to_use(value: Mapping[str, Any], path: Path, report: Report) -> RandomAccount | FindInPool | None:
    match value.get("strategy"):
        case "Random":
            return RandomAccount()
        case "FindInPool":
            by, source = _by(value, path, report), _source(value, path, report)
            return FindInPool(by, source) if by and source else None
        case _:
            return None


def _by(value: Mapping[str, Any], path: Path, report: Report) -> Template | None:
    written = value.get("by")
    if written is None:
        return None
    text = _BY_SHORT.get(written, written)
    if "{" not in text and "}" not in text:
        report.error(
            (*path, "by"), '"by" must be "uri", "alias" or a template over the account, such as "{alias.user}"'
        )
        return None
    return _template(text, (*path, "by"), TemplateScope.BY, report)


def _source(value: Mapping[str, Any], path: Path, report: Report) -> Template | None:
    source = _template(value.get("source"), (*path, "source"), TemplateScope.SOURCE, report)
    if source and "{" not in source.text:
        report.warning((*path, "source"), 'the same for every call: write a part of the call in braces, as in "{from}"')
    return source


def _outgoing_invite(
    value: Mapping[str, Any], path: Path, defaults: MediaDefaults, edge: Edge | None, report: Report
) -> OutgoingInvite | None:
    to = _address_template(value.get("to"), (*path, "to"), report)
    from_ = _address_template(value.get("from", _DEFAULT_FROM), (*path, "from"), report)
    proxy = read_uri(value, path, "outboundProxy", report, protocol=PROTOCOLS[0])
    encryption = MediaEncryption(value["mediaEncryption"]) if "mediaEncryption" in value else None
    avpf = value.get("enableAvpf")
    # If it sets neither, the settings apply, which are checked when they are loaded.
    if encryption is not None or avpf is not None:
        used, used_avpf = defaults.fill_in(encryption, avpf)
        which = (*path, "mediaEncryption" if encryption else "enableAvpf")
        offer = media_offer(used, used_avpf, has_edge=edge is not None)
        if offer is None:
            report.error(which, why_not_offered(used))
        elif used is MediaEncryption.SDES and offer.edge is None and (proxy or edge is None or not edge.takes_all):
            report.warning(which, _TRUSTS_SDES_ANSWERS)
    return OutgoingInvite(to, from_, proxy, encryption, avpf) if to and from_ else None


def _check_outgoing_notify(value: Mapping[str, Any], path: Path, report: Report) -> None:
    notify = value.get("outgoingNotify")
    if notify is not None:
        report.warning((*path, "outgoingNotify"), NO_MESSAGE_WAITING)
        read_uri(notify, (*path, "outgoingNotify"), "outboundProxy", report, protocol=PROTOCOLS[0])


def _address_template(text: str | None, path: Path, report: Report) -> Template | None:
    template = _template(text, path, TemplateScope.INVITE, report)
    if template is None:
        return None
    for call in _SOME_CALLS:
        rendered = template.render(call, _SOME_ACCOUNT)
        try:
            parse_name_addr(rendered)
        except UriError:
            begins = "sip:" in rendered or "sips:" in rendered
            hint = "" if begins else ', because it does not begin with "sip:"'
            declined = "every call" if call is _SOME_CALLS[0] else "every call with a display name"
            report.warning(path, f'results in "{rendered}", which is not a SIP URI{hint}: {declined} will be declined')
            break
    return template


def _template(text: str | None, path: Path, scope: TemplateScope, report: Report) -> Template | None:
    if text is None:
        return None
    try:
        return parse_template(text, scope)
    except TemplateError as error:
        report.error(path, str(error), offset=error.offset)
        return None
