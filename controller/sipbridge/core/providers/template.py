"""Template strings: parsed once, rendered for every call. Pure.

``sip:{incoming.to.user}@{account.uri.hostport}`` is kept as text and getters in turn; rendering is one join.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter

from sipbridge.core.accounts.account import Account
from sipbridge.core.errors import TemplateError
from sipbridge.core.sip.call import CallRequest
from sipbridge.core.sip.uri import SipUri, quote_display_name

_UriGetter = Callable[[CallRequest, Account], SipUri | None]
_Getter = Callable[[CallRequest, Account], str]


class TemplateScope(Enum):
    """The place of a template, which determines the variables it may use."""

    INVITE = "outgoingInvite"
    """``{incoming.…}`` and ``{account.…}``."""
    SOURCE = "accountToUse.source"
    """The call alone: ``{from}``, or ``{incoming.from}``."""
    BY = "accountToUse.by"
    """The account alone: ``{alias}``, or ``{account.alias}``."""


_CALL: dict[str, _UriGetter] = {
    "to": lambda call, _: call.to.uri,
    "from": lambda call, _: call.from_.uri,
    "requestUri": lambda call, _: call.request_uri.uri,
    "requestAddress": lambda call, _: call.request_uri.uri,
}


def _account_uri(_: CallRequest, account: Account) -> SipUri:
    return account.uri


_ACCOUNT: dict[str, _UriGetter] = {
    "uri": _account_uri,
    "sipIdentity": _account_uri,
    "alias": lambda _, account: account.alias,
}
# Only From and To come with a display name.
_DISPLAY_NAMES: dict[str, _Getter] = {
    "to": lambda call, _: quote_display_name(call.to.display_name),
    "from": lambda call, _: quote_display_name(call.from_.display_name),
}
_INCOMING_CALL = {f"incoming.{name}": get for name, get in _CALL.items()}
_THE_ACCOUNT = {f"account.{name}": get for name, get in _ACCOUNT.items()}
_ADDRESSES: dict[TemplateScope, Mapping[str, _UriGetter]] = {
    TemplateScope.INVITE: _INCOMING_CALL | _THE_ACCOUNT,
    TemplateScope.SOURCE: _CALL | _INCOMING_CALL,
    TemplateScope.BY: _ACCOUNT | _THE_ACCOUNT,
}

_URI_FIELDS: dict[str, Callable[[SipUri], str]] = {
    "": attrgetter("text"),
    "user": attrgetter("user"),
    "hostport": attrgetter("hostport"),
    "uriParameters": attrgetter("parameters"),
}
_FIELDS = (*_URI_FIELDS, "displayName")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_ASSEMBLED = re.compile(r"(sips?):\{([^{}]+)\.user\}@\{([^{}]+)\.hostport\}(?:\{([^{}]+)\.uriParameters\})?")

NO_CALL = CallRequest("", "", "")
"""Placeholder for templates that do not use the call."""
NO_ACCOUNT = Account(SipUri("sip", "", "invalid"))
"""Placeholder for templates that do not use the account."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template string; two are equal if their texts and scopes are.

    Attributes:
        text: as written in the providers file.
        parts: literal text and getters, in order.
        uri: returns the URI directly, without rendering and parsing, or None if the text must be parsed. Set if the
            template is a whole address, such as ``{from}``, or combines parts of addresses, such as
            ``sip:{to.user}@{from.hostport}``, so that a call's URIs are not parsed a second time.
    """

    text: str
    scope: TemplateScope
    parts: tuple[str | _Getter, ...] = ()
    uri: _UriGetter | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (self.text, self.scope) == (other.text, other.scope)

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_account_uri(self) -> bool:
        """Whether the template is exactly the URI of the account."""
        return self.uri is _account_uri

    def render(self, call: CallRequest, account: Account) -> str:
        """Return the text with every variable replaced; a field of a missing alias becomes ``""``.

        Raises:
            UriError: an address of the call that the template names is not a SIP URI.
        """
        return "".join([part if isinstance(part, str) else part(call, account) for part in self.parts])


def parse_template(text: str, scope: TemplateScope) -> Template:
    """Parse a template string.

    Args:
        text: such as ``sip:{incoming.to.user}@{account.uri.hostport}``.
        scope: determines the variables it may use.

    Raises:
        TemplateError: an unbalanced brace, or an unknown variable.
    """
    parts: list[str | _Getter] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        _literal(text, end, match.start(), parts)
        parts.append(_getter(match[1], scope, match.start(1)))
        end = match.end()
    _literal(text, end, len(text), parts)
    return Template(text, scope, tuple(parts), _uri_getter(text, scope))


def _literal(text: str, start: int, end: int, parts: list[str | _Getter]) -> None:
    literal = text[start:end]
    for offset, character in enumerate(literal, start):
        if character in "{}":
            partner = "}" if character == "{" else "{"
            raise TemplateError(f'"{character}" without "{partner}": write variables as {{name}}', offset)
    if literal:
        parts.append(literal)


def _getter(name: str, scope: TemplateScope, offset: int) -> _Getter:
    addresses = _ADDRESSES[scope]
    address, field = (name, "") if name in addresses else name.rpartition(".")[::2]
    if address not in addresses or field not in _FIELDS or name.endswith("."):
        raise TemplateError(_unknown(name, scope), offset)
    if field == "displayName":
        return _DISPLAY_NAMES.get(address.removeprefix("incoming."), lambda _call, _account: "")
    return _reader(addresses[address], _URI_FIELDS[field])


def _reader(get_uri: _UriGetter, read: Callable[[SipUri], str]) -> _Getter:
    def get(call: CallRequest, account: Account) -> str:
        uri = get_uri(call, account)
        return "" if uri is None else read(uri)

    return get


def _uri_getter(text: str, scope: TemplateScope) -> _UriGetter | None:
    addresses = _ADDRESSES[scope]
    if (match := _VARIABLE.fullmatch(text)) and match[1] in addresses:
        return addresses[match[1]]
    if match := _ASSEMBLED.fullmatch(text):
        scheme, *names = match.groups()
        user_from, hostport_from, parameters_from = (addresses[name] if name else _no_uri for name in names)
        return _assembler(scheme, user_from, hostport_from, parameters_from)
    return None


def _assembler(
    scheme: str, user_from: _UriGetter, hostport_from: _UriGetter, parameters_from: _UriGetter
) -> _UriGetter:
    def assemble(call: CallRequest, account: Account) -> SipUri | None:
        with_user = user_from(call, account)
        with_hostport = hostport_from(call, account)
        if with_user is None or with_hostport is None or not (user := with_user.user):
            return None
        with_parameters = parameters_from(call, account)
        return SipUri(scheme, user, with_hostport.hostport, with_parameters.parameters if with_parameters else "")

    return assemble


def _no_uri(_call: CallRequest, _account: Account) -> None:
    """Placeholder getter for a part that the template leaves out."""


def _unknown(name: str, scope: TemplateScope) -> str:
    known = [f"{address}.{field}".rstrip(".") for address in _ADDRESSES[scope] for field in _FIELDS]
    in_full = [variable for variable in known if variable.endswith(f".{name}")]
    nearest = in_full or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {{{nearest[0]}}}?" if nearest else "known are " + ", ".join(f"{{{k}}}" for k in known[::5])
    return f"unknown variable {{{name}}} in {scope.value}: {hint}"
