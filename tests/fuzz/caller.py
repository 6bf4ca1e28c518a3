"""What a caller sends, on its way to a dial string. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fuzz.target import SEPARATOR, Target, as_text, texts
from sipbridge.adapters.event_socket.framing import encode_command
from sipbridge.core.accounts.account import Account
from sipbridge.core.calls.dial_string import format_dial_string
from sipbridge.core.calls.routing import ANONYMOUS, Bridge, RoutingTable, route
from sipbridge.core.errors import TemplateError, UriError
from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import (
    Always,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    Provider,
    RandomAccount,
)
from sipbridge.core.providers.template import TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import (
    NameAddr,
    SipUri,
    normalize_escapes,
    parse_header_address,
    parse_name_addr,
    parse_sip_uri,
)
from sipbridge.core.sip.written_uri import parse_written_uri
from sipbridge.simulator.calls.dial_string import expand, read_dial_string, split_scope


def check_parsed(uri: SipUri) -> None:
    again = parse_sip_uri(uri.text)
    assert again == uri
    assert uri.equivalent(again)
    assert uri.lookup_key == again.lookup_key
    assert uri.port is None or 0 <= uri.port <= 65535
    assert uri.transport in uri.transport.lower()


def check_uri(data: bytes) -> None:
    for parse in (parse_sip_uri, parse_written_uri):
        try:
            uri = parse(as_text(data))
        except UriError:
            continue
        check_parsed(uri)


def check_name_addr(data: bytes) -> None:
    try:
        address = parse_header_address(as_text(data))
    except UriError:
        return
    check_parsed(address.uri)
    assert parse_name_addr(str(address)).uri == address.uri


_ACCOUNT = Account(parse_sip_uri("sip:alice@accounts.example.org"), parse_sip_uri("sip:+33@alias.example.org"))


def check_template(data: bytes) -> None:
    text, request_uri, from_, to = texts(data, 4)
    for scope in TemplateScope:
        try:
            template = parse_template(text, scope)
        except TemplateError as error:
            assert 0 <= error.offset <= len(text)
            continue
        try:
            rendered = template.render(CallRequest(request_uri, from_, to), _ACCOUNT)
        except UriError:
            continue
        assert "{" not in text or rendered is not text


_POLICY = PoolPolicy("pool", parse_sip_uri("sip:proxy.example.org;transport=tcp"), False, 1_000_000)
_GATEWAY = GatewayName("sipbridge.alice.0123456789abcdef0123")
_VARIABLES = {
    "sip_invite_req_uri",
    "sip_force_full_to",
    "sip_force_full_from",
    "sip_route_uri",
    "sip_cid_type",
    "rtp_secure_media",
}


def _table() -> RoutingTable:
    pool = AccountPool(_POLICY)
    pool.add(_ACCOUNT).set_registration(Registration(RegistrationStatus.REGISTERED))
    to = parse_template("{incoming.requestUri}", TemplateScope.INVITE)
    from_ = parse_template("{incoming.from}", TemplateScope.INVITE)
    provider = Provider(
        "p", _POLICY.name, Always(), RandomAccount(), OnAccountNotFound.DECLINE, OutgoingInvite(to, from_)
    )
    return RoutingTable((provider,), {_POLICY.name: pool}, MediaDefaults())


_TABLE = _table()


def check_dial_string(data: bytes) -> None:
    """A whole call: what FreeSWITCH would make of the dial string is the INVITE that was asked for."""
    call = CallRequest(*texts(data, 3))
    decision = route(call, _TABLE, lambda _: 0)
    if not isinstance(decision, Bridge):
        return
    text = format_dial_string(decision, _GATEWAY, "providers")
    assert not re.search(r"[\x00-\x1f\x7f]|\$\{|\\|'|:_:", text)
    expansion = expand(text, lambda _: "expanded")
    assert (expansion.text, expansion.injections) == (text, ())
    scope, rest = split_scope(text)
    assert set(scope) == {"sip_bridge_account"}
    read = read_dial_string(rest)
    assert len(read.endpoints) == 1
    assert set(read.variables) == _VARIABLES
    _check_same(parse_sip_uri(read.variables["sip_invite_req_uri"]), call.request_uri)
    _check_same(parse_header_address(read.variables["sip_force_full_to"]).uri, call.request_uri)
    _check_same(parse_header_address(read.variables["sip_force_full_from"]).uri, _caller(call))
    # It reaches FreeSWITCH as the body of a command, and nothing in it ends that.
    assert encode_command("sendmsg 1", text).endswith(b"\n\n" + text.encode("utf-8", "surrogateescape"))


def _caller(call: CallRequest) -> NameAddr:
    """Who is to be shown: somebody who cannot be named is anonymous."""
    try:
        return call.from_
    except UriError:
        return ANONYMOUS


def _check_same(sent: SipUri, meant: NameAddr) -> None:
    uri = meant.uri
    if ":" in uri.userinfo:
        # Which FreeSWITCH would otherwise take for the end of an application.
        uri = uri._replace(userinfo=uri.userinfo.replace(",", "%2C"))
    expected = uri.text.removesuffix(uri.headers).replace("'", "%27").replace("_", "%5F")
    assert normalize_escapes(sent.text.replace("_", "%5F")) == normalize_escapes(expected)


_CALL = b'sip:+33612345678@bridge.example.org;user=phone\x1e"Zo\xc3\xa9" <sip:zoe@example.org>;tag=1\x1e<sip:+33@b>'
URI_TOKENS = (
    b"sip:",
    b"sips:",
    b"@",
    b";",
    b"?",
    b"=",
    b"%40",
    b"%0a",
    b"[::1]",
    b":5060",
    b"<",
    b">",
    b'"',
    b"\\",
    b"'",
)
_DIAL_TOKENS = (
    b"${system(id)}",
    b"$${x}",
    b"{",
    b"}",
    b"[",
    b"]",
    b"|",
    b",",
    b":_:",
    b"^^",
    b"%[",
    b"\r\n\r\n",
    b"\n\n",
)


TARGETS: Mapping[str, Target] = {
    "uri": Target(check_uri, (b"sip:alice:pw@example.org:5070;transport=tcp?a=b", b"sip:[2001:db8::1]"), URI_TOKENS),
    "name_addr": Target(
        check_name_addr, (b'"A \\" b" <sip:a@b;x=y>;tag=z', b"A b <sip:a@b>", b"sip:a@b;tag=1"), URI_TOKENS
    ),
    "template": Target(
        check_template,
        (
            b"sip:{account.uri.user}@{incoming.requestUri.hostport}{incoming.to.uriParameters}\x1e" + _CALL,
            b"{alias}\x1e" + _CALL,
        ),
        (b"{", b"}", b"{{", b"}}", b"account.", b"incoming.", b"requestUri", b".user", b".host", b"from", SEPARATOR),
    ),
    "dial_string": Target(check_dial_string, (_CALL,), (*URI_TOKENS, *_DIAL_TOKENS, SEPARATOR)),
}
