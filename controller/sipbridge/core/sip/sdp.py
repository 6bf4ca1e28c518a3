"""Parses an SDP offer to an `SdpOffer`; malformed text is an `SdpError`. Pure, in linear time.

FreeSWITCH parses an offer when media starts, and some malformed offers crash it. So this is stricter than RFC 8866
where telephones never go, and refuses any line that it would read differently from FreeSWITCH (sofia-sip's sdp_parse.c
accepts blanks before a line, skips unexpected lines and stops at an empty line).

Connection, media, protocol, formats and attributes of each section are kept for later decisions. Keys are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sipbridge.core.errors import SdpError
from sipbridge.core.sip.sdes import CryptoAttribute, parse_crypto
from sipbridge.core.sip.sdp_attributes import RTP_RULES, RULES

MOST_BYTES = 32_768
MOST_LINES = 512
MOST_LINE_BYTES = 2_048
MOST_MEDIA = 16
MOST_CRYPTO = 32
"""In one section."""
MOST_FORMATS = 128
"""In one section: as many as there are payload types."""


class Attribute(NamedTuple):
    """An ``a=`` line: ``ptime`` and ``20``; the value is None where there is none."""

    name: str
    value: str | None


class Connection(NamedTuple):
    """A ``c=`` line: ``IP4`` or ``IP6``, and an address or the name of a host."""

    family: str
    address: str


@dataclass(frozen=True, slots=True)
class MediaSection:
    """An ``m=`` line and what belongs to it.

    Attributes:
        media: ``audio``, in lower case.
        port: 0 if the section is not used.
        protocol: ``RTP/AVP``, in upper case.
        formats: payload types of RTP in order of preference, or the protocol's equivalent.
        connection: its own, or that of the session; None if neither exists.
        attributes: its own, without ``crypto``.
    """

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None
    attributes: tuple[Attribute, ...]
    crypto: tuple[CryptoAttribute, ...]


@dataclass(frozen=True, slots=True)
class SdpOffer:
    """A session description.

    Attributes:
        attributes: those of the session.
        media: its sections, in order.
    """

    attributes: tuple[Attribute, ...]
    media: tuple[MediaSection, ...]


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TCHAR = r"[!#-'*+.0-9A-Z^-~-]"
_NAME = re.compile(f"{_TCHAR}{{1,64}}")
_HOST = "[0-9A-Za-z._-]{1,255}"
_TIMES = "[0-9]{1,10}[dhms]?"
_PAYLOAD_TYPES = frozenset(str(number) for number in range(128))

_GRAMMAR: Mapping[str, re.Pattern[str]] = {
    "o": re.compile("o=[^ \t]{1,255} [0-9]{1,20} [0-9]{1,20} IN (?i:IP4|IP6) [!-~]{1,255}"),
    "c": re.compile(f"c=IN (?i:IP4 {_HOST}|IP6 (?:[0-9A-F:.]{{2,45}}|{_HOST}))(?:/[0-9]{{1,3}}){{0,2}}"),
    "b": re.compile(f"b={_TCHAR}{{1,32}}:[0-9]{{1,10}}"),
    "t": re.compile("t=[0-9]{1,20} [0-9]{1,20}"),
    "r": re.compile(f"r={_TIMES}(?: {_TIMES}){{1,16}}"),
    "z": re.compile(f"z=[0-9]{{1,10}} -?{_TIMES}(?: [0-9]{{1,10}} -?{_TIMES}){{0,15}}"),
    "k": re.compile("k=(?:prompt|[a-z0-9]{1,16}:.+)"),
    "m": re.compile(
        f"m=({_TCHAR}{{1,32}}) ([0-9]{{1,5}})(?:/[0-9]{{1,3}})? ((?:{_TCHAR}|/){{1,64}})((?: [!-~]{{1,64}})+)"
    ),
}
"""Line type → grammar of the line, for types whose grammar matters."""
_FREE_TEXT = frozenset("siuep")
_IN_MEDIA = frozenset("icbkam")
_WITHOUT_RULES: Mapping[str, Callable[[str], str | None]] = {}


class _Section:
    """A section, or the session itself, while it is parsed."""

    __slots__ = ("attributes", "connection", "crypto", "formats", "media", "port", "protocol", "rules")

    def __init__(self) -> None:
        self.media = self.protocol = ""
        self.port = 0
        self.formats: tuple[str, ...] = ()
        self.connection: Connection | None = None
        self.attributes: list[Attribute] = []
        self.crypto: list[CryptoAttribute] = []
        self.rules = _WITHOUT_RULES


def parse_sdp_offer(text: str) -> SdpOffer:
    r"""Parse a session description.

    Args:
        text: ``v=0\r\no=…``, as it was sent; lines may end with CR, LF or both.

    Raises:
        SdpError: the text is malformed, or larger than any call needs.

    Source: RFC 8866 §9, RFC 4568, RFC 8839, RFC 8122.
    """
    if len(text) > MOST_BYTES:
        raise SdpError(0, f"{len(text)} octets, more than {MOST_BYTES}")
    if _CONTROL.search(text):
        raise SdpError(0, "a control character")
    session = section = _Section()
    sections: list[_Section] = []
    origins = 0
    for number, line in _lines(text):
        kind = line[0]
        if kind == "a":
            _read_attribute(section, line, number)
            continue
        fields = _fields(kind, line, number)
        if kind == "m":
            section = _read_media(fields, number)
            sections.append(section)
            if len(sections) > MOST_MEDIA:
                raise SdpError(number, f"more than {MOST_MEDIA} media")
        elif section is not session and kind not in _IN_MEDIA:
            raise SdpError(number, f'"{kind}=" belongs before the first "m="')
        elif kind == "c":
            _, family, address = line.split(" ")
            section.connection = Connection(family.upper(), address.partition("/")[0])
        elif kind == "o":
            origins += 1
    if origins != 1:
        raise SdpError(0, f'{origins} lines "o=" instead of one')
    return _finish(session, sections)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line after the first, without trailing blanks."""
    lines = enumerate(filter(None, text.replace("\r", "\n").split("\n")), 1)
    if next(lines, (1, ""))[1].rstrip(" ") != "v=0":
        raise SdpError(1, 'not "v=0"')
    for number, line in lines:
        if number > MOST_LINES:
            raise SdpError(number, f"more than {MOST_LINES} lines")
        if len(line) > MOST_LINE_BYTES:
            raise SdpError(number, f"{len(line)} octets, more than {MOST_LINE_BYTES}")
        if line[1:2] != "=":
            raise SdpError(number, "not a line of SDP")
        yield number, line.rstrip(" ")


def _fields(kind: str, line: str, number: int) -> tuple[str, ...]:
    """Return the fields of a line, by the grammar of its type."""
    if kind in _FREE_TEXT:
        return ()
    grammar = _GRAMMAR.get(kind)
    match = grammar.fullmatch(line) if grammar else None
    if match is None:
        raise SdpError(number, f'malformed "{kind}="' if grammar else "not a line of SDP")
    return match.groups()


def _read_media(fields: tuple[str, ...], number: int) -> _Section:
    section = _Section()
    media, port, protocol, formats = fields
    section.media, section.protocol = media.lower(), protocol.upper()
    section.port, section.formats = int(port), tuple(formats.split())
    if section.port > 65_535:
        raise SdpError(number, f"port {port}")
    if len(section.formats) > MOST_FORMATS:
        raise SdpError(number, f"more than {MOST_FORMATS} formats")
    if "RTP" in section.protocol.split("/"):
        section.rules = RTP_RULES
        if not _PAYLOAD_TYPES.issuperset(section.formats):
            raise SdpError(number, "payload types are numbers from 0 to 127")
    elif section.protocol.endswith("MSRP") and section.port:
        # FreeSWITCH would connect to any address in its path.
        raise SdpError(number, "MSRP is not carried")
    return section


def _read_attribute(section: _Section, line: str, number: int) -> None:
    name, colon, text = line[2:].partition(":")
    key, value = name.lower(), text if colon else None
    if key == "crypto":
        if len(section.crypto) >= MOST_CRYPTO:
            raise SdpError(number, f"more than {MOST_CRYPTO} a=crypto")
        section.crypto.append(parse_crypto(text, number))
        return
    rule = RULES.get(key) or section.rules.get(key)
    if rule is not None:
        complaint = rule(text) if text else "has no value"
        if complaint is not None:
            raise SdpError(number, f"a={key} {complaint}")
    elif not _NAME.fullmatch(name):
        raise SdpError(number, 'malformed "a="')
    section.attributes.append(Attribute(key, value))


def _finish(session: _Section, sections: list[_Section]) -> SdpOffer:
    media = tuple(
        MediaSection(
            one.media,
            one.port,
            one.protocol,
            one.formats,
            one.connection or session.connection,
            tuple(one.attributes),
            tuple(one.crypto),
        )
        for one in sections
    )
    return SdpOffer(tuple(session.attributes), media)
