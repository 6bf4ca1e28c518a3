"""Parses, formats and compares SIP URIs and name-addrs by RFC 3261. Pure.

Parts stay escaped, as sent: text that is not decoded cannot be decoded twice, and a byte that is not UTF-8 passes
through the bridge unchanged. Maintained parser libraries decode user parts (``%ff`` becomes ``%EF%BF%BD``), reject URI
headers and take four times as long; the tests compare this module with one of them.

Every call creates several URIs, so they are named tuples: a frozen dataclass takes three times as long to create.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import NamedTuple

from sipbridge.core.errors import UriError

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = r"%[0-9A-Fa-f]{2}"


def _chars(extra: str) -> str:
    """Return a regular expression for escapes, unreserved and `extra` characters, without backtracking."""
    return rf"(?:[{_UNRESERVED}{extra}]++|{_ESCAPED})"


# RFC 3261 §25.1. It does not allow underscores in host names, but private DNS zones use them.
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9_\-.]*+(?<!-)|\[[0-9A-Fa-f:.]++\])"
# Up to 65535: the grammar allows any number of digits, but no transport has larger ports.
_PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5][0-9]{4}|[0-9]{1,4})"
_PARAMETER_CHARS = _chars(r"\[\]/:&+$")
_HEADER_CHARS = _chars(r"\[\]/?:+$")
# Groups: scheme, userinfo, hostport, parameters, headers.
_SIP_URI = (
    rf"([Ss][Ii][Pp][Ss]?):"
    rf"(?:({_chars('&=+$,;?/')}++(?::{_chars('&=+$,')}*+)?)@)?"
    rf"({_HOST}(?::{_PORT})?)"
    rf"((?:;{_PARAMETER_CHARS}++(?:={_PARAMETER_CHARS}++)?)*+)"
    rf"((?:\?{_HEADER_CHARS}++={_HEADER_CHARS}*+(?:&{_HEADER_CHARS}++={_HEADER_CHARS}*+)*+)?)"
)
_URI = re.compile(_SIP_URI)
# One pass over the whole header. Groups: the quoted name, the plain name, and those of the URI. Every repetition is
# possessive, so that parsing takes linear time.
_NAME_ADDR = re.compile(rf'\s*+(?:"((?:[^"\\]++|\\.)*+)"|([^"<>]*+))\s*+<\s*+{_SIP_URI}\s*+>\s*+(?:;.*+)?', re.DOTALL)

# §19.1.4: a parameter that only one of the two URIs has is ignored, except these.
_ALWAYS_COMPARED = frozenset({"user", "ttl", "method", "maddr"})
_ALPHANUM_AND_MARKS = re.compile(r"[A-Za-z0-9\-_.!~*'()]")
_ALSO_IN_USER = re.compile(r"[&=+$,;?/]")
_ESCAPE = re.compile(_ESCAPED)
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_NOTHING_TO_ESCAPE = re.compile(rf"[A-Za-z0-9{re.escape(_USER_SAFE)}]*+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What stands before a bare URI: a quoted name, or anything that could not be the beginning of another URI.
_NAME_BEFORE_URI = re.compile(r'\s*+(?:"((?:[^"\\]++|\\.)*+)"\s*+|((?!\s*+[Ss][Ii][Pp][Ss]?:)[^"<>]*\s))', re.DOTALL)


class SipUri(NamedTuple):
    """A SIP or SIPS URI, its parts escaped as they were sent.

    For ``sip:alice%40home:pw@Example.org:5070;transport=tcp?subject=x``: scheme ``sip``, userinfo ``alice%40home:pw``,
    hostport ``Example.org:5070``, parameters ``;transport=tcp``, headers ``?subject=x``. Absent parts are ``""``.

    Source: RFC 3261 §19.1.
    """

    scheme: str
    userinfo: str
    hostport: str
    parameters: str = ""
    headers: str = ""

    @property
    def user(self) -> str:
        """The user part, without password: ``alice%40home``; ``""`` if there is none."""
        return self.userinfo.partition(":")[0]

    @property
    def host(self) -> str:
        """The host, without port: ``Example.org``, ``[::1]``."""
        return self.hostport.rpartition(":")[0] if self.port is not None else self.hostport

    @property
    def port(self) -> int | None:
        """The port, if there is one."""
        _, colon, port = self.hostport.rpartition(":")
        return int(port) if colon and port.isdigit() and not self.hostport.endswith("]") else None

    def parameter(self, name: str) -> str | None:
        """Return the URI parameter `name` (lower case); ``""`` if it has no value, None if it is missing."""
        return _parameters(self.parameters).get(name) if self.parameters else None

    @property
    def transport(self) -> str:
        """The transport of the URI: ``udp``, ``tcp`` or ``tls``.

        Source: RFC 3263 §4.1.
        """
        return self.parameter("transport") or ("tls" if self.scheme == "sips" else "udp")

    @property
    def default_port(self) -> int:
        """The default port: 5060, or 5061 for TLS.

        Source: RFC 3261 §19.1.2.
        """
        return 5061 if self.transport == "tls" else 5060

    @property
    def text(self) -> str:
        """The URI as text, as it was sent: ``sip:alice@example.org``."""
        scheme, userinfo, hostport, parameters, headers = self
        return f"{scheme}:{userinfo}{'@' if userinfo else ''}{hostport}{parameters}{headers}"

    def __str__(self) -> str:
        return self.text

    @property
    def lookup_key(self) -> str:
        """A lookup key: equal for equivalent URIs, and for few others.

        Equivalence is not transitive (a URI without ``;transport`` equals both ``;transport=tcp`` and
        ``;transport=udp``), so a key cannot decide it: look up by this key, then compare with `equivalent`.
        """
        scheme, userinfo, hostport, parameters, headers = self
        if "%" in userinfo:
            userinfo = normalize_user_escapes(userinfo)
        key = f"{scheme}:{userinfo}@{hostport.lower()}"
        if parameters:
            values = _parameters(parameters)
            for name in sorted(_ALWAYS_COMPARED & values.keys()):
                key += f";{name}={values[name]}"
        if headers:
            key += "?" + "&".join(sorted(normalize_escapes(headers[1:]).lower().split("&")))
        return key

    def equivalent(self, other: SipUri) -> bool:
        """Return whether both address the same resource, as far as FreeSWITCH can tell (`normalize_user_escapes`).

        Source: RFC 3261 §19.1.4.
        """
        if self.lookup_key != other.lookup_key:
            return False
        if not self.parameters or not other.parameters:
            return True
        mine, theirs = _parameters(self.parameters), _parameters(other.parameters)
        return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())


class NameAddr(NamedTuple):
    """A URI with an optional display name, as From and To carry it: ``"Alice" <sip:alice@example.org>``.

    `display_name` is the text itself, neither quoted nor escaped, on one line.

    Source: RFC 3261 §20.10.
    """

    uri: SipUri
    display_name: str = ""

    def __str__(self) -> str:
        """Format for `parse_name_addr`; a URI without a name is written bare, which only a header would misread."""
        return f"{quote_display_name(self.display_name)} <{self.uri.text}>" if self.display_name else self.uri.text


def parse_sip_uri(text: str) -> SipUri:
    """Parse a SIP or SIPS URI.

    Args:
        text: such as ``sip:alice@example.org;transport=tcp``.

    Raises:
        UriError: `text` is not a SIP or SIPS URI.

    Source: RFC 3261 §25.1.
    """
    match = _URI.fullmatch(text)
    if match is None:
        raise UriError(text, "a SIP URI such as sip:user@host")
    scheme, userinfo, hostport, parameters, headers = match.groups("")
    return SipUri(scheme.lower(), userinfo, hostport, parameters, headers)


def parse_name_addr(text: str) -> NameAddr:
    """Parse a rendered template: a name-addr, or a bare URI, with or without a display name before it.

    Header parameters after the angle brackets are dropped. In a header, a ``;`` after a bare URI would start header
    parameters; here it is part of the URI, as the author of a template expects.

    Args:
        text: such as ``"Alice" <sip:alice@example.org>``, ``sip:alice@example.org;user=phone`` or
            ``"Alice" sip:alice@example.org;user=phone``. An empty name counts as no name.

    Raises:
        UriError: `text` has none of these forms.

    Source: RFC 3261 §20.10, §25.1; Flexisip's SIP bridge for a name before a bare URI.
    """
    name = _NAME_BEFORE_URI.match(text)
    if "<" in text[name.end() if name else 0 :]:
        return _parse_name_addr(text)
    if name is None:
        return NameAddr(parse_sip_uri(text.strip()))
    return NameAddr(
        parse_sip_uri(text[name.end() :].strip()), unquote_display_name(name[1] or "", (name[2] or "").strip())
    )


def parse_header_address(text: str) -> NameAddr:
    """Parse the value of a From or To header as sent; header parameters (``;tag=…``) are dropped.

    Without angle brackets everything after the first ``;`` belongs to the header, not to the URI.

    Raises:
        UriError: the header does not contain a SIP or SIPS URI.

    Source: RFC 3261 §20.
    """
    # A "<" may also stand in a quoted header parameter, after the first ";", and a ";" in a quoted name.
    uri = text.partition(";")[0]
    return _parse_name_addr(text) if "<" in uri or '"' in uri else NameAddr(parse_sip_uri(uri.strip()))


def _parse_name_addr(text: str) -> NameAddr:
    match = _NAME_ADDR.fullmatch(text)
    if match is None:
        raise UriError(text, 'an address such as "Name" <sip:user@host>')
    quoted, plain, scheme, userinfo, hostport, parameters, headers = match.groups("")
    uri = SipUri(scheme.lower(), userinfo, hostport, parameters, headers)
    return NameAddr(uri, unquote_display_name(quoted, plain) if quoted or plain else "")


def unquote_display_name(quoted: str, plain: str) -> str:
    r"""Return a display name as text on one line, from its quoted or its plain form: ``Zoé \"Z\"`` → ``Zoé "Z"``."""
    name = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if "\\" in quoted else quoted or plain
    return (name if name.isprintable() else _CONTROL.sub(" ", name)).strip()


def quote_display_name(name: str) -> str:
    r"""``Zoé "Z"`` becomes ``"Zoé \"Z\""``; an empty name stays empty."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' if name else ""


def escape_user(decoded: str) -> str:
    """Percent-encode a decoded user part, as FreeSWITCH delivers it: ``alice@home`` → ``alice%40home``."""
    if _NOTHING_TO_ESCAPE.fullmatch(decoded):
        return decoded
    return urllib.parse.quote(decoded, safe=_USER_SAFE, errors="surrogateescape")


def normalize_escapes(text: str) -> str:
    """Resolve escapes that are equivalent to the character itself; write the others in upper case.

    ``%61lice%3b`` → ``alice%3B``: a reserved character and its escape are not equivalent.

    Source: RFC 3261 §19.1.4.
    """
    return _ESCAPE.sub(_resolve, text)


def normalize_user_escapes(text: str) -> str:
    """Do the same for a user part, and also resolve escapes of characters allowed there: ``%2B33`` → ``+33``.

    By RFC 3261 these are two different users. FreeSWITCH resolves such escapes in every address it delivers, so an
    account written with the escape would otherwise never be found.

    Source: sofia-sip url.c; seen on the wire.
    """
    return _ESCAPE.sub(_resolve_in_user, text)


def _resolve_in_user(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if _ALSO_IN_USER.fullmatch(character) else _resolve(match)


def _resolve(match: re.Match[str]) -> str:
    character = chr(int(match[0][1:], 16))
    return character if _ALPHANUM_AND_MARKS.fullmatch(character) else match[0].upper()


def _parameters(text: str) -> dict[str, str]:
    """``;Transport=TCP;lr`` → ``{"transport": "tcp", "lr": ""}``: names and values compare without case."""
    pairs = (parameter.partition("=") for parameter in normalize_escapes(text).lower().split(";")[1:])
    return {name: value for name, _, value in pairs}
