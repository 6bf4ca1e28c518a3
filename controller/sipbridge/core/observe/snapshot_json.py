"""Converts frozen dataclasses to JSON-able values and back; ``is_drained`` becomes ``isDrained``. Pure.

A reader ignores unknown members and uses defaults for missing ones, so the command line and the daemon may be different
versions.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from sipbridge.core.errors import SipBridgeError

_T = TypeVar("_T")


class JsonError(SipBridgeError):
    """A value does not have the expected type."""


def to_json(value: Any) -> Any:
    """Convert a dataclass to values that any JSON writer accepts."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {wire: to_json(getattr(value, name)) for name, wire, _ in _fields(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(each) for each in value]
    return value


def from_json(wanted: type[_T], value: Any) -> _T:
    """Rebuild the dataclass that `to_json` converted.

    Raises:
        JsonError: `value` does not match `wanted`.
    """
    if not isinstance(value, Mapping):
        raise JsonError(f"{wanted.__name__} must be an object, not {value!r:.40}")
    known = {name: _read(type_, value[wire], wire) for name, wire, type_ in _fields(wanted) if wire in value}  # type: ignore[arg-type]
    try:
        return wanted(**known)
    except TypeError as error:
        raise JsonError(f"{wanted.__name__}: {error}") from error


def _read(type_: Any, value: Any, wire: str) -> Any:
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(next(each for each in arguments if each is not type(None)), value, wire)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(arguments[0], each, wire) for each in value)
    if origin is not None and isinstance(value, Mapping):
        return {key: _read(arguments[1], each, wire) for key, each in value.items()}
    if dataclasses.is_dataclass(type_) and isinstance(type_, type):
        return from_json(type_, value)
    return _read_scalar(type_, value, wire)


def _read_scalar(type_: Any, value: Any, wire: str) -> Any:
    if isinstance(type_, type) and issubclass(type_, Enum):
        try:
            return type_(value)
        except ValueError:
            known = ", ".join(repr(each.value) for each in type_)
            raise JsonError(f"{wire} must be one of {known}, not {value!r:.40}") from None
    if type_ is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type_:
        raise JsonError(f"{wire} must be {_KINDS.get(type_, type_)}, not {value!r:.40}")
    return value


_KINDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


@cache
def _fields(type_: Any) -> tuple[tuple[str, str, Any], ...]:
    """Return name, JSON name and type of each field."""
    hints = get_type_hints(type_)
    return tuple((each.name, _camel_case(each.name), hints[each.name]) for each in dataclasses.fields(type_))


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
