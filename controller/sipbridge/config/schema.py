"""Validates the value of a providers file against its JSON Schema, and reports errors. Reads the schema file.

The schema selects alternatives with ``if``, on ``strategy`` or on the type, never with ``oneOf``, so that every error
is about the one thing that is wrong.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from sipbridge.config.text.diagnostic import Report, Severity
from sipbridge.config.text.source_text import Path

_MOST_LISTED = 12
_EXPECTED = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "an array [...]",
    "object": "an object {...}",
}
_FOUND = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a fraction",
    list: "an array",
    dict: "an object",
}


@cache
def providers_schema() -> dict[str, Any]:
    """Return the JSON Schema of the providers file, draft 2020-12."""
    text = resources.files("sipbridge.config").joinpath("providers.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def check_schema(root: Any, report: Report, unknown_fields: Severity = Severity.ERROR) -> Any:
    """Report everything in `root` that the schema does not allow.

    Args:
        unknown_fields: the severity of unknown fields; everything else is an error or skips one account.

    Returns:
        `root` without the invalid values, so that the rest can be checked further: members of objects are removed;
        items of arrays, and accounts with anything invalid, become None; so does `root` itself if it is neither an
        object nor an array.
    """
    faulty: set[Path] = set()
    warned: set[Path] = set()
    for path, error, account in _errors(root):
        if error.validator == "additionalProperties":
            faulty.update(_report_unknown(path, error, report, unknown_fields, warned if account else set()))
        elif account is None:
            faulty.update(_report_error(path, error, report.error))
        else:
            _report_error(path, error, report.skip)
            faulty.add(account)
    return _without(root, faulty)


def _errors(root: Any) -> Iterator[tuple[Path, ValidationError, Path | None]]:
    """Yield the schema's errors: first of the file without its accounts, then of the accounts, with their paths.

    A file may contain 20,000 accounts, for which jsonschema takes seconds. So it only validates accounts that do not
    pass a quick check derived from the same schema.
    """
    frame, accounts = _take_out_accounts(root)
    for error in validator("").iter_errors(frame):
        yield tuple(error.absolute_path), error, None
    for path, definition, items in accounts:
        is_plain = quick_check(definition)
        for index, account in enumerate(items):
            if not is_plain(account):
                for error in validator(definition).iter_errors(account):
                    yield (*path, index, *error.absolute_path), error, (*path, index)


@cache
def validator(definition: str) -> jsonschema.Draft202012Validator:
    """Return a validator for one definition of the schema; ``""`` is the whole schema."""
    schema = providers_schema()
    if definition:
        schema = {"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"}
    return jsonschema.Draft202012Validator(schema)


def _take_out_accounts(root: Any) -> tuple[Any, list[tuple[Path, str, list[Any]]]]:
    """Split a file into a copy with empty arrays of accounts, and those arrays with path and definition."""
    accounts: list[tuple[Path, str, list[Any]]] = []

    def emptied(holder: Any, name: str, path: Path, definition: str) -> Any:
        if not isinstance(holder, dict) or not isinstance(holder.get(name), list):
            return holder
        accounts.append(((*path, name), definition, holder[name]))
        return {**holder, name: []}

    if isinstance(root, list):
        frame: Any = [emptied(p, "accounts", (i,), "Version1Account") for i, p in enumerate(root)]
    elif isinstance(root, dict) and isinstance(root.get("accountPools"), dict):
        pools = root["accountPools"].items()
        frame = {**root, "accountPools": {n: emptied(p, "loader", ("accountPools", n), "Account") for n, p in pools}}
    else:
        frame = root
    return frame, accounts


def quick_check(definition: str) -> Callable[[Any], bool]:
    """Return a check of a definition whose properties are all strings; a hundred times faster than jsonschema."""
    schema = providers_schema()["$defs"][definition]
    required = set(schema["required"])
    allowed = {name: frozenset(p["enum"]) if "enum" in p else None for name, p in schema["properties"].items()}

    def is_plain(value: Any) -> bool:
        if not isinstance(value, dict) or not required <= value.keys():
            return False
        for name, member in value.items():
            choices = allowed.get(name, frozenset())
            if not isinstance(member, str) or (choices is not None and member not in choices):
                return False
        return True

    return is_plain


def _report_unknown(
    path: Path, error: ValidationError, report: Report, severity: Severity, warned: set[Path]
) -> list[Path]:
    """Report unknown fields; for accounts with the same unknown field, one warning names the first."""
    known = list(error.schema["properties"])  # type: ignore[index]  # never a boolean schema
    instance: Any = error.instance
    unknown = [name for name in instance if name not in known]
    for name in unknown:
        kind = (*path[:-1], name)
        if severity is Severity.ERROR:
            report.error((*path, name), unknown_name("field", name, known), at_key=True)
        elif kind not in warned:
            warned.add(kind)
            report.warning((*path, name), f"ignored: {unknown_name('field', name, known)}", at_key=True)
    return [(*path, name) for name in unknown]


def _report_error(path: Path, error: ValidationError, say: Callable[[Path, str], None]) -> list[Path]:
    """Report an error of jsonschema in plain words; return the paths of the values that must not be used."""
    instance: Any = error.instance
    wanted: Any = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in wanted if name not in instance]
            say(path, f"missing: {_listed(missing)}")
            return []
        case "type":
            say(path, _wrong_type(path, instance, [wanted] if isinstance(wanted, str) else wanted))
        case "enum":
            say(path, _wrong_choice(path, instance, wanted))
        case "const":
            say(path, f"{_name(path)} must be the number {wanted}")
        case "minimum":
            say(path, f"{_name(path)} must be {wanted} or more, not {instance}")
        case "minLength":
            say(path, f"{_name(path)} must not be empty")
        case "pattern":
            say(path, f'{_name(path)} must use ":identifier", which stands for the account to update')
        case other:
            raise AssertionError(f"the schema uses {other!r}, for which there is no message")
    return [path]


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    """Return the message for an unknown name: suggest the closest known name, or list all."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    nearest = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    if nearest:
        hint = f'did you mean "{by_folded[nearest[0]]}"?'
    elif by_folded:
        hint = f"known {'is' if len(by_folded) == 1 else 'are'} {_listed(by_folded.values())}"
    else:
        hint = "none are defined"
    return f'unknown {kind} "{name}"{where}: {hint}'


def _wrong_type(path: Path, instance: Any, wanted: list[str]) -> str:
    expected = " or ".join(_EXPECTED[name] for name in wanted)
    hint = ""
    if isinstance(instance, str) and wanted[0] in ("integer", "number", "boolean"):
        hint = ": leave the quotation marks out"
    elif isinstance(instance, (int, float)) and wanted == ["string"]:
        hint = ": put it in quotation marks"
    found = "null" if instance is None else _FOUND[type(instance)]
    return f"{_name(path)} must be {expected}, not {found}{hint}"


def _wrong_choice(path: Path, instance: Any, choices: list[str]) -> str:
    message = f"{_name(path)} must be {_listed(choices, 'or')}"
    if isinstance(instance, str):
        by_folded = {choice.casefold(): choice for choice in choices}
        nearest = difflib.get_close_matches(instance.casefold(), by_folded, n=1, cutoff=0.8)
        if nearest:
            message += f', not "{instance}": did you mean "{by_folded[nearest[0]]}"?'
        elif path[-1:] != ("secretType",):  # type and secret may have been swapped: then this is the secret
            message += f', not "{instance}"'
    return message


def _name(path: Path) -> str:
    """Return the name of the value at `path` for messages."""
    if not path:
        return "the file"
    last = path[-1]
    if isinstance(last, str):
        return f'"{last}"'
    return f'item {last + 1} of "{path[-2]}"' if len(path) > 1 else f"item {last + 1}"


def _listed(names: Iterable[str], conjunction: str = "and") -> str:
    """Format ``"a", "b" and "c"``; long lists are shortened."""
    quoted = [f'"{name}"' for name in names]
    if len(quoted) > _MOST_LISTED:
        quoted[_MOST_LISTED:] = [f"{len(quoted) - _MOST_LISTED} more"]
    *others, last = quoted
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def _without(root: Any, faulty: set[Path]) -> Any:
    """Remove the values at `faulty` from `root`, in place."""
    if () in faulty:
        return None
    for *way, last in sorted(faulty, key=len, reverse=True):
        holder = root
        for step in way:
            holder = holder[step]
        if isinstance(last, int):
            holder[last] = None
        else:
            del holder[last]
    return root
