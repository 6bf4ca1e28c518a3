"""Parses the argument of ``bridge`` as FreeSWITCH does: variables, endpoints and expansions. Pure.

An independent implementation of FreeSWITCH's grammar. It is deliberately strict: a value that could break out of its
place in FreeSWITCH does so here too, where a test can detect it.

Source: switch_channel.c (expansion), switch_event.c (brackets), switch_utils.c (separating), switch_ivr_originate.c.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "s": " "}


@dataclass(frozen=True, slots=True)
class Expansion:
    """A text after expansion.

    Attributes:
        injections: every evaluated ``${…}``, innermost first: a variable's name or an API call.
    """

    text: str
    injections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One destination.

    Attributes:
        text: ``sofia/gateway/NAME/alice@example.org``
        variables: those in ``[…]`` before it.
    """

    text: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DialString:
    """A parsed dial string.

    Attributes:
        variables: those in ``{…}`` and ``<…>``.
        alternatives: tried in order; the endpoints of one are called in parallel. sipbridge's dial strings have one
            alternative with one endpoint: more means that a value broke out.
    """

    variables: Mapping[str, str]
    alternatives: tuple[tuple[Endpoint, ...], ...]

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every endpoint that could be called."""
        return tuple(endpoint for alternative in self.alternatives for endpoint in alternative)


class DialStringError(ValueError):
    """FreeSWITCH cannot parse the dial string.

    Attributes:
        cause: the hangup cause of the call.
    """

    def __init__(self, message: str, cause: str = "ORIGINATOR_CANCEL") -> None:
        super().__init__(message)
        self.cause = cause


def expand(text: str, lookup: Callable[[str], str | None]) -> Expansion:
    r"""Expand an application's argument as FreeSWITCH does before it runs the application.

    A backslash escapes ``$`` and itself; ``\'`` disappears. API calls are answered as with ``api-expansion=false``.

    Args:
        lookup: returns a channel variable or, if missing, a global one.
    """
    if not _is_expanded(text):
        return Expansion(text)
    output: list[str] = []
    injections: list[str] = []
    i = 0
    while i < len(text):
        character, following = text[i], text[i + 1 : i + 2]
        if character == "\\" and following in ("$", "\\"):
            output.append(following)
            i += 2
            if following == "$" and text[i : i + 1] == "$":
                i += 1
        elif character == "\\" and following == "'":
            i += 2
        elif character == "$" and text.startswith(("${", "$${"), i):
            start = i + (2 if following == "{" else 3)
            end = _end_of_expression(text, start)
            value = _evaluate(text[start:end], lookup, injections)
            output.append(value)
            i = end + 1
        else:
            output.append(character)
            i += 1
    return Expansion("".join(output), tuple(injections))


def split_scope(text: str) -> tuple[dict[str, str], str]:
    """Split an argument into the variables in ``%[name=value,…]``, set while its application runs, and the rest."""
    if not text.startswith("%[") or "]" not in text:
        return {}, text
    variables, _, rest = text[2:].partition("]")
    pairs = (variable.partition("=") for variable in variables.split(","))
    return {name: value for name, _, value in pairs}, rest


def _is_expanded(text: str) -> bool:
    return "${" in text or any(f"\\{character}" in text for character in "\\nst'")


def _end_of_expression(text: str, start: int) -> int:
    """Return the index of the brace that closes the expression, or the end of the text."""
    depth = 1
    for i in range(start, len(text)):
        if text[i] == "{" and i > start:
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if not depth:
                return i
    return len(text)


def _evaluate(expression: str, lookup: Callable[[str], str | None], injections: list[str]) -> str:
    inner = expand(expression, lookup)
    injections.extend(inner.injections)
    injections.append(inner.text)
    if "(" in inner.text or " " in inner.text:
        return "<API Execute Permission Denied>"
    return _substring(inner.text, lookup)


def _substring(expression: str, lookup: Callable[[str], str | None]) -> str:
    """Return the value of ``name``, ``name[index]``, or the part ``name:offset:length``."""
    name, *bounds = expression.split(":")
    value = lookup(name.partition("[")[0]) or ""
    offset, length, *_ = [*(int(bound) if bound.lstrip("-").isdigit() else 0 for bound in bounds), 0, 0]
    value = value[offset:]
    return value[:length] if 0 < length < len(value) else value


def read_dial_string(text: str) -> DialString:
    """Parse an expanded argument of ``bridge``.

    Raises:
        DialStringError: a bracket does not close, or there is no endpoint.
    """
    variables, rest = _cut_groups(text.lstrip(" "), "<", ">")
    threads = rest.split(":_:")
    if len(threads) > 1:
        # This splits everything, including variables in braces.
        return _read_enterprise(variables, threads)
    group, rest = _cut_groups(rest, "{", "}")
    variables |= group
    alternatives = tuple(
        tuple(_read_endpoint(part) for part in separate(_protect(alternative), ","))
        for alternative in separate(rest, "|")
    )
    if not any(alternatives):
        raise DialStringError("no endpoint")
    return DialString(variables, alternatives)


def _read_enterprise(variables: dict[str, str], threads: list[str]) -> DialString:
    readings = []
    for thread in threads:
        try:
            readings.append(read_dial_string(thread))
        except DialStringError as error:
            raise DialStringError(str(error), "DESTINATION_OUT_OF_ORDER") from error
    merged = variables.copy()
    for reading in readings:
        merged |= reading.variables
    return DialString(merged, tuple(alternative for reading in readings for alternative in reading.alternatives))


def _cut_groups(text: str, opening: str, closing: str) -> tuple[dict[str, str], str]:
    """Return the variables in all brackets at the start of `text`, and the rest."""
    variables: dict[str, str] = {}
    while text.startswith(opening):
        group, text = _cut_brackets(text, opening, closing)
        variables |= group
    return variables, text


def _cut_brackets(text: str, opening: str, closing: str) -> tuple[dict[str, str], str]:
    """Return the variables in the brackets at the start of `text`, and the rest."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == opening) - (character == closing)
        if not depth:
            return _read_variables(text[1:i]), text[i + 1 :]
    raise DialStringError(f"no {closing} for {opening}")


def _read_variables(text: str, delimiter: str = ",") -> dict[str, str]:
    if text.startswith("^^"):
        delimiter, text = text[2:3], text[3:]
    variables = {}
    for item in separate(text, delimiter):
        pair = separate(item, "=", 2)
        if len(pair) == 2:
            variables[pair[0]] = pair[1]
    return variables


# Commas in square brackets separate variables, not endpoints: FreeSWITCH hides them temporarily, and so does this.
_HIDDEN_COMMA = "\x01"


def _protect(text: str) -> str:
    if "[" not in text:
        return text
    output, inside = [], False
    for character in text:
        inside = (inside or character == "[") and character != "]"
        output.append(_HIDDEN_COMMA if inside and character == "," else character)
    return "".join(output)


def _read_endpoint(text: str) -> Endpoint:
    variables: dict[str, str] = {}
    while text.startswith("["):
        end = text.find("]")
        if end < 0:
            raise DialStringError("no ] for [")
        variables |= _read_variables(text[1:end], _HIDDEN_COMMA)
        text = text[end + 1 :].lstrip(" ")
    return Endpoint(text.replace(_HIDDEN_COMMA, ","), variables)


def separate(text: str, delimiter: str, limit: int = 1024) -> list[str]:
    """Split at `delimiter`, except between single quotes and after a backslash; then strip quotes and escapes.

    Args:
        limit: the maximum number of pieces; the last one holds the rest.
    """
    if "'" not in text and "\\" not in text:
        # The usual case, and by far the fastest.
        pieces = text.split(delimiter, limit - 1)
        return [piece.strip(" ") for piece in (pieces if pieces[-1] else pieces[:-1])]
    pieces = []
    start = i = 0
    quoted = False
    while i < len(text) and len(pieces) < limit - 1:
        if text[i] == "\\":
            i += 1
        elif text[i] == "'" and (quoted or "'" in text[i + 1 :]):
            quoted = not quoted
        elif text[i] == delimiter and not quoted:
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    if start < len(text):
        pieces.append(text[start:])
    return [_clean(piece, delimiter) for piece in pieces]


def _clean(piece: str, delimiter: str) -> str:
    """Remove quotes, escapes and outer spaces from a piece."""
    piece = piece.lstrip(" ")
    output: list[str] = []
    kept = 0
    quoted = False
    i = 0
    while i < len(piece):
        character, following = piece[i], piece[i + 1 : i + 2]
        if (
            character == "\\"
            and following
            and (following in "'\"\\" or following == delimiter or following in _UNESCAPED)
        ):
            output.append(_UNESCAPED.get(following, following))
            kept = len(output)
            i += 1
        elif character == "'" and (quoted or "'" in piece[i + 1 :]):
            quoted = not quoted
            kept = max(kept, len(output)) if quoted else kept
        else:
            output.append(character)
            if character != " " or quoted:
                kept = len(output)
        i += 1
    return "".join(output[:kept])
