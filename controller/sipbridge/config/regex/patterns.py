r"""Compiles the pattern of a MatchRegex to a function that matches a whole Request-URI. Pure.

Flexisip compiles patterns with C++'s std::regex: ECMAScript plus POSIX classes in brackets (``[[:digit:]]``). The
engine here supports only ECMAScript, so these classes are rewritten first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

import regress

from sipbridge.config.regex.linear_pattern import compile_linear, is_linear
from sipbridge.core.errors import SipBridgeError

_POSIX_CLASSES = {
    "alnum": "A-Za-z0-9",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
    "d": "0-9",
    "s": r"\s",
    "w": "A-Za-z0-9_",
}
_CLASS_MEMBER = re.compile(r"\[:([A-Za-z]+):\]|\[[.=]|\\?[\s\S]")
_OUTSIDE_CLASS = re.compile(r"\\?[\s\S]")
_TOKEN = re.compile(
    r"(?P<escape>\\[\s\S]?)"
    r"|(?P<bracket>\[)"
    r"|(?P<open>\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?)"
    r"|(?P<close>\))"
    r"|(?P<quantifier>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})(?P<lazy>\??))"
    r"|(?P<edge>[|^$])"
    r"|[\s\S]"
)
# Matches a pattern that begins with a fixed character other than s, or with sips:, which FreeSWITCH reports as sip: no
# Request-URI begins like that.
_NOT_A_REQUEST_URI = re.compile(r"\^?(?:[0-9a-rt-zA-RT-Z@]|\\[+.*]|sips:)(?![?*{])[^|]*")


class PatternError(SipBridgeError, ValueError):
    """A pattern is not a valid ECMAScript regular expression.

    Attributes:
        offset: index of the offending character in the pattern; None if unknown.
    """

    def __init__(self, message: str, offset: int | None) -> None:
        super().__init__(message)
        self.offset = offset


class CompiledPattern(NamedTuple):
    """A compiled pattern.

    Attributes:
        matches: returns whether the pattern matches a whole text.
        is_quick: whether matching takes linear time for any text.
    """

    matches: Callable[[str], bool]
    is_quick: bool


def compile_pattern(pattern: str) -> CompiledPattern:
    r"""Compile a pattern.

    Args:
        pattern: such as ``sip:\+33.*``.

    Raises:
        PatternError: the pattern does not compile; the message says what to write instead.
    """
    rewritten = _rewrite_posix_classes(pattern)
    try:
        # Compile it alone first: "a)(b" would become balanced inside the added parentheses.
        regress.Regex(rewritten)
        find = regress.Regex(f"^(?:{rewritten})$").find
    except regress.RegressError as error:
        raise _explained(pattern, str(error)) from error

    # The ECMAScript engine is twenty times as fast, and is used where no text can slow it down.
    is_quick = is_linear(rewritten)
    linear = None if is_quick else compile_linear(rewritten)
    matches_whole = linear or (lambda text: find(text) is not None)

    def matches(text: str) -> bool:
        if not text.isascii():
            # Bytes of a Request-URI that are not UTF-8 arrive as lone surrogates, which no engine accepts.
            text = text.encode("utf-8", "replace").decode("utf-8")
        return matches_whole(text)

    return CompiledPattern(matches, is_quick or linear is not None)


def is_never_a_request_uri(pattern: str) -> bool:
    r"""Return whether `pattern` clearly does not begin with ``sip:``, such as ``\+33.*`` or ``sips:.*``."""
    return _NOT_A_REQUEST_URI.fullmatch(pattern) is not None


def suggestion(pattern: str) -> str:
    r"""Suggest a correct form of a pattern that does not begin with ``sip:``, such as ``+33.*``."""
    number = pattern.removeprefix("^")
    if number.startswith("sips:"):
        return "FreeSWITCH reports a sips: Request-URI as sip:, so write sip: here"
    if not number.startswith(("+", "\\+")) and not number[:1].isdigit():
        return 'a Request-URI begins with "sip:"'
    meant = "sip:" + ("\\" if number.startswith("+") else "") + number
    in_json = json.dumps(meant, ensure_ascii=False)
    return f'a Request-URI begins with "sip:", as in {meant}, which JSON writes as {in_json}'


def _rewrite_posix_classes(pattern: str) -> str:
    parts: list[str] = []
    at = 0
    in_brackets = False
    while match := (_CLASS_MEMBER if in_brackets else _OUTSIDE_CLASS).match(pattern, at):
        part = match[0]
        if not in_brackets:
            in_brackets = part == "["
        elif match[1]:
            part = _posix_class(match[1], at)
        elif part in ("[.", "[="):
            raise PatternError(f'collating element "{part}" is not supported: list the characters', at)
        else:
            in_brackets = part != "]"
        parts.append(part)
        at = match.end()
    return "".join(parts)


def _posix_class(name: str, offset: int) -> str:
    if name not in _POSIX_CLASSES:
        known = ", ".join(f"[:{known}:]" for known in _POSIX_CLASSES)
        raise PatternError(f"unknown class [:{name}:]: known are {known}", offset)
    return _POSIX_CLASSES[name]


def _explained(pattern: str, reason: str) -> PatternError:
    """Find the position of common mistakes, because the engine does not report it."""
    opened: list[int] = []
    has_atom = False  # whether a quantifier has something to repeat
    at = 0
    while at < len(pattern) and (token := _TOKEN.match(pattern, at)):
        match token.lastgroup:
            case "bracket":
                end = _end_of_brackets(pattern, at)
                if end is None:
                    return PatternError('"[" without "]"', at)
                at, has_atom = end, True
                continue
            case "open":
                opened.append(at)
                has_atom = False
            case "close":
                if not opened:
                    return PatternError(r'")" without "("; write a literal parenthesis as \\) in JSON', at)
                opened.pop()
                has_atom = True
            case "quantifier" | "lazy":
                if not has_atom:
                    return PatternError(_nothing_to_repeat(pattern, at), at)
                has_atom = False
            case "edge":
                has_atom = False
            case _:
                has_atom = True
        at = token.end()
    if opened:
        return PatternError(r'"(" without ")"; write a literal parenthesis as \\( in JSON', opened[-1])
    return PatternError(reason[:1].lower() + reason[1:].rstrip("."), None)


def _end_of_brackets(pattern: str, start: int) -> int | None:
    at = start + 1
    while match := _CLASS_MEMBER.match(pattern, at):
        at = match.end()
        if match[0] == "]":
            return at
    return None


def _nothing_to_repeat(pattern: str, offset: int) -> str:
    character = pattern[offset]
    message = f'nothing to repeat before "{character}"'
    if offset == 0 and character == "+":
        return f"{message}; {suggestion(pattern)}"
    return f"{message}; write the literal character as \\\\{character} in JSON"
