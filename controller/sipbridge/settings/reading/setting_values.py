"""Values of a settings file or of the environment become what a dataclass of settings holds. Pure.

A setting is a field of a dataclass: its annotation says what it may be (``Annotated[int, Between(1, 65535)]``), its
default what it is otherwise. A field whose type is a dataclass is a table of settings.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import pathlib
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeVar

from sipbridge.config.text.source_text import Path

_T = TypeVar("_T")


class Check(Protocol):
    """Something that a value must meet beyond its type; stands in the annotation."""

    def check(self, value: Any) -> None:
        """Return for a good value.

        Raises:
            ValueError: what it must be instead.
        """


class Between(NamedTuple):
    """A number from `low` to `high`, both included."""

    low: float
    high: float

    def check(self, value: Any) -> None:
        """See `Check`."""
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {self.low} to {self.high}, not {value}")


class Matches(NamedTuple):
    """A text that matches `pattern`, which is `meaning` in words."""

    pattern: str
    meaning: str

    def check(self, value: Any) -> None:
        """See `Check`."""
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"must be {self.meaning}")


class IsAddressAndPort(NamedTuple):
    """An IP address and a port: ``127.0.0.1:5090``, ``[::1]:5090``."""

    def check(self, value: Any) -> None:
        """See `Check`."""
        host, _, port = value.rpartition(":")
        try:
            ip = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            good = port.isascii() and 0 < int(port) < 65536 and host == (f"[{ip}]" if ip.version == 6 else str(ip))
        except ValueError:
            good = False
        if not good:
            raise ValueError('must be an IP address and a port, such as "127.0.0.1:5090" or "[::1]:5090"')


class AreNetworks(NamedTuple):
    """IP addresses and networks, separated by commas: ``192.0.2.10,2001:db8::/32``; ``""`` for none."""

    def check(self, value: Any) -> None:
        """See `Check`."""
        for text in value.split(",") if value.strip() else ():
            _check_network(text.strip())


def _check_network(text: str) -> None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        message = 'must be IP addresses and networks, separated by commas, such as "192.0.2.10,10.0.0.0/24"'
        raise ValueError(message) from None
    if str(network.network_address) != str(ipaddress.ip_interface(text).ip):
        raise ValueError(f"must have networks that begin with their first address: write {network} instead of {text}")


Password = typing.Annotated[str, Matches(r"[^\x00-\x1f\x7f]+", "a non-empty string without control characters")]
"""A password, wherever one is a setting."""


class Kind(NamedTuple):
    """What one setting may be."""

    type: type
    checks: tuple[Check, ...]


def settings_of(cls: type, prefix: Path = ()) -> Iterator[tuple[Path, Kind]]:
    """Every setting of a dataclass and the tables in it: ``("event_socket", "port")`` and what it may be."""
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        if not field.init or field.metadata.get("not_a_setting"):
            continue
        kind = _kind(hints[field.name])
        path = (*prefix, field.name)
        if dataclasses.is_dataclass(kind.type):
            yield from settings_of(kind.type, path)
        else:
            yield path, kind


def build(cls: type[_T], values: Mapping[Path, Any], prefix: Path = ()) -> _T:
    """Make a dataclass, and those in it, from the settings in `values`; the others get their defaults."""
    hints = typing.get_type_hints(cls)
    arguments = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # a dataclass, which no type can say
        path = (*prefix, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            arguments[field.name] = build(hints[field.name], values, path)
        elif path in values:
            arguments[field.name] = values[path]
    return cls(**arguments)


def convert(kind: Kind, given: Any, folder: pathlib.Path | None) -> Any:
    """Make what a setting holds from what was given.

    Args:
        given: a TOML value, or a text from the environment.
        folder: which relative paths are relative to; None for a value from the environment: it is a text whatever is
            wanted, and paths stay as they are.

    Raises:
        ValueError: what it must be instead; the value itself may be a secret and is not shown unless it is a number.
    """
    value = _from_text(kind.type, given) if folder is None else _from_toml(kind.type, given, folder)
    if isinstance(value, pathlib.Path) and "\0" in str(value):
        raise ValueError(f"must be {_NAMES[pathlib.Path]}, without a zero byte")
    for check in kind.checks:
        check.check(value)
    return value


def _kind(hint: Any) -> Kind:
    checks: tuple[Check, ...] = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *metadata = typing.get_args(hint)
        checks = tuple(metadata)
    if isinstance(hint, types.UnionType):
        hint, _ = typing.get_args(hint)  # X | None
    return Kind(hint, checks)


def _from_text(type_: type, text: str) -> Any:
    if type_ is bool:
        return _choice({"true": True, "false": False}, text)
    if issubclass(type_, Enum):
        return _choice({member.value: member for member in type_}, text)
    if type_ is not str and not text.strip():
        raise ValueError(f"must be {_NAMES[type_]}, not empty")
    try:
        return _FROM_TEXT[type_](text)
    except ValueError as error:
        raise ValueError(f"must be {_NAMES[type_]}") from error


def _from_toml(type_: type, value: Any, folder: pathlib.Path) -> Any:
    if type_ is pathlib.Path and isinstance(value, str):
        return folder / value
    if type_ is float and type(value) is int:
        return float(value)
    if issubclass(type_, Enum):
        return _choice({member.value: member for member in type_}, value)
    if type(value) is not type_:
        raise ValueError(f"must be {_NAMES[type_]}")
    return value


def _choice(choices: Mapping[str, Any], value: Any) -> Any:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"must be one of {', '.join(choices)}")
    return choices[value]


_FROM_TEXT: Mapping[type, Callable[[str], Any]] = {str: str, int: int, float: float, pathlib.Path: pathlib.Path}
_NAMES = {
    str: "a string in quotation marks",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    pathlib.Path: "the path of a file, in quotation marks",
}
