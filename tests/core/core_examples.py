"""Short constructors for core values, and Hypothesis strategies for SIP URIs."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from sipbridge.core.accounts.account import Account
from sipbridge.core.gateways.registration import Registration, RegistrationStatus
from sipbridge.core.pools.account_pool import AccountPool
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.providers.template import Template, TemplateScope, parse_template
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import SipUri, parse_sip_uri

REGISTERED = Registration(RegistrationStatus.REGISTERED)
FORBIDDEN = Registration(RegistrationStatus.FAILED, "403 Forbidden")

uri = parse_sip_uri


def by(text: str) -> Template:
    return parse_template(text, TemplateScope.BY)


def source(text: str) -> Template:
    return parse_template(text, TemplateScope.SOURCE)


def invite(text: str) -> Template:
    return parse_template(text, TemplateScope.INVITE)


def account(uri_text: str, alias: str | None = None, outbound_proxy: str | None = None) -> Account:
    return Account(
        uri(uri_text),
        uri(alias) if alias else None,
        outbound_proxy=uri(outbound_proxy) if outbound_proxy else None,
    )


def policy(name: str = "Pool", registration_required: bool = False, max_calls_per_line: int = 20) -> PoolPolicy:
    return PoolPolicy(name, uri("sip:proxy.example.org;transport=tls"), registration_required, max_calls_per_line)


def pool(
    *accounts: Account, keys: tuple[str, ...] = ("{uri}", "{alias}"), with_: PoolPolicy | None = None
) -> AccountPool:
    """Accounts that need not register have their gateways already."""
    made = AccountPool(with_ or policy(), [by(key) for key in keys])
    for each in accounts:
        line = made.add(each)
        if not made.policy.registration_required:
            line.set_registration(REGISTERED)
    return made


def call(
    request_uri: str = "sip:bob@bridge.example.org",
    from_: str = "<sip:alice@flexisip.example.org>;tag=1",
    to: str = "<sip:bob@flexisip.example.org>",
) -> CallRequest:
    return CallRequest(request_uri, from_, to)


def always(answer: int) -> Callable[[int], int]:
    """A random source that is none."""
    return lambda _below: answer


_UNRESERVED = "abcXYZ019-_.!~*'()"
_ESCAPES = st.sampled_from(["%20", "%40", "%3b", "%3B", "%61", "%00", "%0d%0A", "%ff", "%C3%A9", "%25"])


def _texts(extra: str, min_size: int = 1) -> st.SearchStrategy[str]:
    """Runs of unreserved and `extra` characters and escapes."""
    return st.lists(st.sampled_from(_UNRESERVED + extra) | _ESCAPES, min_size=min_size, max_size=8).map("".join)


_USERS = _texts("&=+$,;?/")
_USERINFOS = _USERS | st.builds("{}:{}".format, _USERS, _texts("&=+$,", min_size=0))
_PARAMETER_TEXTS = _texts("[]/:&+$")
_PARAMETERS = st.lists(
    st.sampled_from([";lr", ";transport=TCP", ";user=phone", ";maddr=192.0.2.1", ";Transport=udp"])
    | st.builds(";{}={}".format, _PARAMETER_TEXTS, _PARAMETER_TEXTS),
    max_size=3,
    unique_by=lambda parameter: parameter.partition("=")[0].lower(),
).map("".join)
_HEADER_TEXTS = _texts("[]/?:+$")
_HEADERS = st.lists(st.builds("{}={}".format, _HEADER_TEXTS, _texts("[]/?:+$", min_size=0)), max_size=2).map(
    lambda headers: "?" + "&".join(headers) if headers else ""
)
_LABELS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,3}[A-Za-z0-9])?", fullmatch=True)
host_names = st.builds(
    lambda labels, top: ".".join([*labels, top]), st.lists(_LABELS, max_size=2), st.sampled_from(["org", "Com", "x"])
)
_HOSTS = host_names | st.sampled_from(
    ["192.0.2.4", "[2001:db8::1]", "[::ffff:192.0.2.4]", "a_b.internal", "example.org."]
)
_HOSTPORTS = _HOSTS | st.builds("{}:{}".format, _HOSTS, st.integers(0, 65535))


_NO_TEXT = st.just("")
_OPTIONAL_USERINFOS = _NO_TEXT | _USERINFOS


def sip_uris(
    userinfos: st.SearchStrategy[str] = _OPTIONAL_USERINFOS,
    hostports: st.SearchStrategy[str] = _HOSTPORTS,
    parameters: st.SearchStrategy[str] = _PARAMETERS,
    headers: st.SearchStrategy[str] = _HEADERS,
) -> st.SearchStrategy[SipUri]:
    """SIP and SIPS URIs of every form that the grammar of RFC 3261 §25.1 allows."""
    return st.builds(SipUri, st.sampled_from(["sip", "sips"]), userinfos, hostports, parameters, headers)
