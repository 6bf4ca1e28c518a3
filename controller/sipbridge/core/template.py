"""Template strings: parsed once, rendered for every call. Pure.

``sip:{incoming.to.user}@{account.uri.hostport}`` is kept as text and getters in turn; rendering is one join.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from sipbridge.core.account import Account
from sipbridge.core.call import CallRequest
from sipbridge.core.errors import TemplateError
from sipbridge.core.uri import NameAddr, SipUri, quote_display_name

_Address = NameAddr | SipUri | None
_AddressGetter = Callable[[CallRequest, Account], _Address]
_Getter = Callable[[CallRequest, Account], str]


class TemplateScope(Enum):
    """Where a template stands, which decides what it may name."""

    INVITE = "outgoingInvite"
    """``{incoming.…}`` and ``{account.…}``."""
    SOURCE = "accountToUse.source"
    """The call alone: ``{from}``, or ``{incoming.from}``."""
    BY = "accountToUse.by"
    """The account alone: ``{alias}``, or ``{account.alias}``."""


_CALL: dict[str, _AddressGetter] = {
    "to": lambda call, _: call.to,
    "from": lambda call, _: call.from_,
    "requestUri": lambda call, _: call.request_uri,
    "requestAddress": lambda call, _: call.request_uri,
}
_ACCOUNT: dict[str, _AddressGetter] = {
    "uri": lambda _, account: account.uri,
    "sipIdentity": lambda _, account: account.uri,
    "alias": lambda _, account: account.alias,
}
_INCOMING_CALL = {f"incoming.{name}": get for name, get in _CALL.items()}
_THE_ACCOUNT = {f"account.{name}": get for name, get in _ACCOUNT.items()}
_ADDRESSES: dict[TemplateScope, Mapping[str, _AddressGetter]] = {
    TemplateScope.INVITE: _INCOMING_CALL | _THE_ACCOUNT,
    TemplateScope.SOURCE: _CALL | _INCOMING_CALL,
    TemplateScope.BY: _ACCOUNT | _THE_ACCOUNT,
}


def _display_name(address: NameAddr | SipUri) -> str:
    return quote_display_name(address.display_name) if isinstance(address, NameAddr) else ""


def _uri(address: NameAddr | SipUri) -> SipUri:
    return address.uri if isinstance(address, NameAddr) else address


_FIELDS: dict[str, Callable[[NameAddr | SipUri], str]] = {
    "": lambda address: _uri(address).text,
    "user": lambda address: _uri(address).user,
    "hostport": lambda address: _uri(address).hostport,
    "uriParameters": lambda address: _uri(address).parameters,
    "displayName": _display_name,
}
_VARIABLE = re.compile(r"\{([^{}]*)\}")

NO_CALL = CallRequest("", "", "")
"""Stands in where a template cannot name the call."""
NO_ACCOUNT = Account(SipUri("sip", "", "invalid"))
"""Stands in where a template cannot name the account."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template string; two are equal when their texts and scopes are.

    Attributes:
        text: as it stands in the providers file.
        parts: literal text and getters, in order.
        address: set when the template is one whole address and nothing else, such as ``{from}``: it need not be
            rendered and parsed again.
    """

    text: str
    scope: TemplateScope
    parts: tuple[str | _Getter, ...] = ()
    address: _AddressGetter | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and (self.text, self.scope) == (other.text, other.scope)

    def __hash__(self) -> int:
        return hash((self.text, self.scope))

    def render(self, call: CallRequest, account: Account) -> str:
        """The text with every variable replaced; a field of an absent alias becomes ``""``.

        Raises:
            UriError: an address of the call that the template names is not a SIP URI.
        """
        return "".join([part if isinstance(part, str) else part(call, account) for part in self.parts])


def parse_template(text: str, scope: TemplateScope) -> Template:
    """Parse a template string.

    Args:
        text: such as ``sip:{incoming.to.user}@{account.uri.hostport}``.
        scope: what it may name.

    Raises:
        TemplateError: a brace without its partner, or a variable that does not exist there.
    """
    parts: list[str | _Getter] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        _literal(text, end, match.start(), parts)
        parts.append(_getter(match[1], scope, match.start(1)))
        end = match.end()
    _literal(text, end, len(text), parts)
    whole = _ADDRESSES[scope].get(text[1:-1]) if len(parts) == 1 and not isinstance(parts[0], str) else None
    return Template(text, scope, tuple(parts), whole)


def _literal(text: str, start: int, end: int, parts: list[str | _Getter]) -> None:
    literal = text[start:end]
    for offset, character in enumerate(literal, start):
        if character in "{}":
            partner = "}" if character == "{" else "{"
            raise TemplateError(f'"{character}" without its "{partner}": write variables as {{name}}', offset)
    if literal:
        parts.append(literal)


def _getter(name: str, scope: TemplateScope, offset: int) -> _Getter:
    addresses = _ADDRESSES[scope]
    if name in addresses:
        address, field = name, ""
    else:
        address, _, field = name.rpartition(".")
    if address not in addresses or field not in _FIELDS or (field == "" and name not in addresses):
        raise TemplateError(_unknown(name, scope), offset)
    return _reader(addresses[address], _FIELDS[field])


def _reader(get_address: _AddressGetter, read: Callable[[NameAddr | SipUri], str]) -> _Getter:
    def get(call: CallRequest, account: Account) -> str:
        address = get_address(call, account)
        return "" if address is None else read(address)

    return get


def _unknown(name: str, scope: TemplateScope) -> str:
    known = [f"{address}.{field}".rstrip(".") for address in _ADDRESSES[scope] for field in _FIELDS]
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {{{nearest[0]}}}?" if nearest else "known are " + ", ".join(f"{{{k}}}" for k in known[::5])
    return f"unknown variable {{{name}}} in {scope.value}: {hint}"
