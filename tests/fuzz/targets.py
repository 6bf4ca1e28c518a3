"""What is fuzzed: bytes go into one door of the bridge, and what must hold of whatever comes out is checked. Pure.

A target raises nothing but `AssertionError`: an exception that a parser declares is a good answer, any other one is a
finding. Where a target takes several texts, `SEPARATOR` stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sipbridge.adapters.event_socket.events import PARSERS
from sipbridge.adapters.event_socket.framing import Frame, FrameReader, FramingError, encode_command
from sipbridge.adapters.event_socket.json_events import decode_event
from sipbridge.config.connection_string import BackendError, parse_connection
from sipbridge.config.keyword_values import ConnectionStringError
from sipbridge.config.load import LoadResult, parse_providers
from sipbridge.config.patterns import PatternError, compile_pattern
from sipbridge.core.account import Account
from sipbridge.core.account_notification import NotificationError, parse_notification
from sipbridge.core.account_pool import AccountPool
from sipbridge.core.account_row import RowError, account_from_row
from sipbridge.core.call import CallRequest
from sipbridge.core.dial_string import format_dial_string
from sipbridge.core.errors import TemplateError, UriError
from sipbridge.core.gateway import GatewayName, Registration, RegistrationStatus
from sipbridge.core.provider import (
    Always,
    OnAccountNotFound,
    OutgoingInvite,
    PoolPolicy,
    Provider,
    RandomAccount,
)
from sipbridge.core.routing import Bridge, MediaDefaults, RoutingTable, route
from sipbridge.core.template import TemplateScope, parse_template
from sipbridge.core.uri import NameAddr, SipUri, normalize_escapes, parse_header_address, parse_name_addr, parse_sip_uri
from sipbridge.core.written_uri import parse_written_uri
from sipbridge.simulator.dial_string import expand, read_dial_string, split_scope

SEPARATOR = b"\x1e"


@dataclass(frozen=True, slots=True)
class Target:
    """A door and its oracle.

    Attributes:
        check: takes any bytes.
        seeds: inputs that get through the door, to begin with.
        tokens: what means something there.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...]


def _text(data: bytes) -> str:
    """As FreeSWITCH's bytes arrive: what is not UTF-8 as lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _texts(data: bytes, count: int) -> list[str]:
    pieces = data.split(SEPARATOR, count - 1)
    return [_text(piece) for piece in pieces] + [""] * (count - len(pieces))


def _texts_of_file(data: bytes, count: int) -> list[str]:
    """As they come out of the providers file, which is UTF-8 or refused."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in _texts(data, count)]


def _check_uri(uri: SipUri) -> None:
    again = parse_sip_uri(uri.text)
    assert again == uri
    assert uri.equivalent(again)
    assert uri.lookup_key == again.lookup_key
    assert uri.port is None or 0 <= uri.port <= 65535
    assert uri.transport in uri.transport.lower()


def check_uri(data: bytes) -> None:
    for parse in (parse_sip_uri, parse_written_uri):
        try:
            uri = parse(_text(data))
        except UriError:
            continue
        _check_uri(uri)


def check_name_addr(data: bytes) -> None:
    try:
        address = parse_header_address(_text(data))
    except UriError:
        return
    _check_uri(address.uri)
    assert parse_name_addr(str(address)).uri == address.uri


_ACCOUNT = Account(parse_sip_uri("sip:alice@accounts.example.org"), parse_sip_uri("sip:+33@alias.example.org"))


def check_template(data: bytes) -> None:
    text, request_uri, from_, to = _texts(data, 4)
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
    call = CallRequest(*_texts(data, 3))
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
    _check_same(parse_header_address(read.variables["sip_force_full_from"]).uri, call.from_)
    # It reaches FreeSWITCH as the body of a command, and nothing in it ends that.
    assert encode_command("sendmsg 1", text).endswith(b"\n\n" + text.encode("utf-8", "surrogateescape"))


def _check_same(sent: SipUri, meant: NameAddr) -> None:
    expected = meant.uri.text.removesuffix(meant.uri.headers).replace("'", "%27").replace("_", "%5F")
    assert normalize_escapes(sent.text.replace("_", "%5F")) == normalize_escapes(expected)


def _frames(chunks: list[bytes]) -> list[Frame] | str:
    reader = FrameReader()
    try:
        return [frame for chunk in chunks for frame in reader.feed(chunk)]
    except FramingError as error:
        return str(error)


def check_frames(data: bytes) -> None:
    whole = _frames([data])
    in_bytes = _frames([data[index : index + 1] for index in range(len(data))])
    assert whole == in_bytes
    if not isinstance(whole, str):
        assert sum(len(frame.body) for frame in whole) <= len(data)


def check_events(data: bytes) -> None:
    event = decode_event(data)
    if event is None:
        return
    for parse in PARSERS.values():
        parse(event)


def _check_diagnostics(result: LoadResult, text: bytes) -> None:
    lines = text.count(b"\n") + 1
    for found in result.diagnostics:
        assert 1 <= found.line <= lines
        assert found.column >= 1
        assert "\n" not in str(found)
    assert (result.config is None) == bool(result.errors)


def check_providers(data: bytes) -> None:
    _check_diagnostics(parse_providers(data, "providers.json"), data)


def check_connection(data: bytes) -> None:
    backend, text = _texts_of_file(data, 2)
    try:
        connection = parse_connection(backend, text)
    except (BackendError, ConnectionStringError):
        return
    password = connection.url.password
    if isinstance(password, str) and len(password) >= 8:
        shown = repr(connection)
        assert password not in shown or password in text.replace(password, "", 1)


def check_notification(data: bytes) -> None:
    try:
        told = parse_notification(data)
    except NotificationError as error:
        assert len(str(error)) < 1000
        assert "\n" not in str(error)
        return
    assert all(isinstance(text, str) for text in (told.username, told.domain, told.identifier))


_COLUMNS = (
    "username",
    "hostport",
    "user_id",
    "alias_username",
    "alias_hostport",
    "outbound_proxy",
    "realm",
    "protocol",
)
_SECRET = "Mellon-7f3a"


def check_row(data: bytes) -> None:
    row: Mapping[str, Any] = {**dict(zip(_COLUMNS, _texts(data, len(_COLUMNS)), strict=True)), "secret": _SECRET}
    try:
        account = account_from_row(row)
    except RowError as error:
        assert _SECRET not in str(error)
        return
    _check_uri(account.uri)
    assert _SECRET not in repr(account)


def check_pattern(data: bytes) -> None:
    pattern, text = _texts_of_file(data, 2)
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        assert error.offset is None or 0 <= error.offset <= len(pattern)
        return
    if compiled.is_quick:
        compiled.matches(text)


_CALL = b'sip:+33612345678@bridge.example.org;user=phone\x1e"Zo\xc3\xa9" <sip:zoe@example.org>;tag=1\x1e<sip:+33@b>'
_URI_TOKENS = (
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
_PROVIDERS = b"""{"schemaVersion":2,"providers":[{"name":"p","triggerCondition":{"strategy":"MatchRegex",
"pattern":"sip:a.*"},"accountToUse":{"strategy":"FindInPool","by":"alias","source":"{from}"},"onAccountNotFound":"nextProvider","outgoingInvite":
{"to":"sip:{incoming.to.user}@x","mediaEncryption":"sdes"},"accountPool":"a"}],"accountPools":{"a":{"outboundProxy":
"<sip:p;transport=tls>","registrationRequired":true,"maxCallsPerLine":1,"loader":[{"uri":"sip:a@b","secretType":"clrtxt",
"secret":"s"}]}}}"""
_EVENT = b"""{"Event-Name":"CHANNEL_PARK","Unique-ID":"u","variable_sip_req_user":"bob","variable_sip_req_host":"h",
"x":["a"],"variable_sip_full_from":"<sip:a@b>;tag=1","variable_sip_full_to":"<sip:b@c>","Caller-Channel-Answered-Time":"1"}"""

TARGETS: Mapping[str, Target] = {
    "uri": Target(check_uri, (b"sip:alice:pw@example.org:5070;transport=tcp?a=b", b"sip:[2001:db8::1]"), _URI_TOKENS),
    "name_addr": Target(
        check_name_addr, (b'"A \\" b" <sip:a@b;x=y>;tag=z', b"A b <sip:a@b>", b"sip:a@b;tag=1"), _URI_TOKENS
    ),
    "template": Target(
        check_template,
        (
            b"sip:{account.uri.user}@{incoming.requestUri.hostport}{incoming.to.uriParameters}\x1e" + _CALL,
            b"{alias}\x1e" + _CALL,
        ),
        (b"{", b"}", b"{{", b"}}", b"account.", b"incoming.", b"requestUri", b".user", b".host", b"from", SEPARATOR),
    ),
    "dial_string": Target(check_dial_string, (_CALL,), (*_URI_TOKENS, *_DIAL_TOKENS, SEPARATOR)),
    "frames": Target(
        check_frames,
        (b"Content-Type: text/event-json\nContent-Length: 2\n\n{}\nContent-Type: auth/request\n\n",),
        (b"\n\n", b"Content-Length: ", b"Content-Type: ", b"0", b"9", b"-1", b":"),
    ),
    "events": Target(
        check_events, (_EVENT,), (b'"', b"[", b"]", b"{", b"}", b"null", b"1e999", b"\xff", b"\\u0000", b":", b",")
    ),
    "providers": Target(
        check_providers,
        (_PROVIDERS,),
        (b'"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e400", b"\\u", b"\xc2\xa0", b"\n"),
    ),
    "connection": Target(
        check_connection,
        (
            b"mysql\x1edb='users' user='it\\'s' password='se cret123' host=127.0.0.1 port=3306",
            b"mysql\x1emysql+pymysql://user:pass%40word1@host/database?charset=utf8",
            b"sqlite3\x1e/var/lib/x.sqlite",
        ),
        (b"'", b"\\", b"=", b" ", b"mysql", b"sqlite3", b"://", b"%", b"@", SEPARATOR),
    ),
    "notification": Target(
        check_notification,
        (b'{"username":"alice","domain":"example.org:5070","identifier":7}',),
        (b'"', b"{", b"}", b"username", b"domain", b"identifier", b"1e999", b"NaN", b"[" * 50, b"\\ud800"),
    ),
    "row": Target(
        check_row,
        (b"alice\x1eexample.org\x1eal\x1e+33\x1eexample.org\x1e<sip:p;transport=tcp>\x1erealm",),
        (*_URI_TOKENS, SEPARATOR),
    ),
    "pattern": Target(
        check_pattern,
        (b"sip:\\+33.*\x1esip:+331@x", b"(a|b)*[[:digit:]]{2,3}\x1eab12", b"^(?:a+)+$\x1eaaaa"),
        (
            b"(",
            b")",
            b"[",
            b"]",
            b"*",
            b"+",
            b"?",
            b"{2}",
            b"|",
            b"(?:",
            b"(?=",
            b"\\1",
            b"[[:digit:]]",
            b"^",
            b"$",
            b"\\",
            SEPARATOR,
        ),
    ),
}
