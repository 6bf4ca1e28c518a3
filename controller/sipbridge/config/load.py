"""Loads a providers file: returns providers and account pools, or everything that is wrong. Reads one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sipbridge.config.absent import leave_out_absent
from sipbridge.config.accounts import read_pools
from sipbridge.config.arriving_calls import caught_calls
from sipbridge.config.collector import without_collector
from sipbridge.config.next_hops import warn_of_next_hops
from sipbridge.config.providers import edge_of_pool, read_providers
from sipbridge.config.schema import check_schema
from sipbridge.config.text.diagnostic import Diagnostic, Report, Severity
from sipbridge.config.text.json_reader import parse_json
from sipbridge.config.version1 import to_version1_path, to_version2
from sipbridge.core.accounts.next_hops import Networks
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.providers.edge import Edge
from sipbridge.core.providers.media_defaults import NO_DEFAULTS, MediaDefaults
from sipbridge.core.providers.provider import FindInPool, SqlLoader
from sipbridge.core.providers.template import NO_CALL


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of loading a providers file.

    Attributes:
        config: the configuration; None if there is an error.
        diagnostics: all errors and warnings, in the order of the file.
    """

    config: BridgeConfig | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that prevent the use of the file."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.is_error)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that do not prevent anything."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity is Severity.WARNING)

    @property
    def skipped(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that each prevent the use of one account."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity is Severity.SKIPPED)


def load_providers(
    path: Path,
    defaults: MediaDefaults = NO_DEFAULTS,
    edge: Edge | None = None,
    unknown_fields: Severity = Severity.ERROR,
    refused_next_hops: Networks = (),
) -> LoadResult:
    """Read and check a providers file; a file that cannot be read is reported as a diagnostic too.

    Args:
        defaults: the media protection of providers that do not set their own.
        edge: serves accounts and media that FreeSWITCH alone cannot; without an edge, these are errors.
        unknown_fields: the severity of fields that are not in the schema.
        refused_next_hops: where no account of a database may send its calls; in the file, a warning.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return _unreadable(str(path), 1, 1, f"cannot be read: {error.strerror or error}")
    with without_collector():
        return parse_providers(content, str(path), defaults, edge, unknown_fields, refused_next_hops)


def parse_providers(
    text: str | bytes,
    file: str,
    defaults: MediaDefaults = NO_DEFAULTS,
    edge: Edge | None = None,
    unknown_fields: Severity = Severity.ERROR,
    refused_next_hops: Networks = (),
) -> LoadResult:
    """Check the content of a providers file and convert it to core types.

    All errors are reported at once, except that errors in the JSON syntax hide errors in its meaning. Pure.

    Args:
        file: its name, for messages.
        defaults: the media protection of providers that do not set their own.
        edge: as in `load_providers`.
        unknown_fields: as in `load_providers`.
        refused_next_hops: as in `load_providers`.
    """
    try:
        # A string is checked too: half of a surrogate pair cannot be printed or used in a regular expression.
        text = (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")).decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(file, error)
    report = Report(file, parse_json(text.removeprefix("\ufeff")))
    config = _read(report, defaults, edge, unknown_fields, refused_next_hops)
    diagnostics = report.diagnostics
    is_usable = not any(diagnostic.is_error for diagnostic in diagnostics)
    return LoadResult(config if is_usable else None, diagnostics)


def _read(
    report: Report, defaults: MediaDefaults, edge: Edge | None, unknown_fields: Severity, refused: Networks
) -> BridgeConfig | None:
    source = report.source
    if source.first_no_break_space is not None:
        message = "no-break space (U+00A0) between values: treated as a space, but other JSON parsers reject it"
        report.add(Severity.WARNING, source.first_no_break_space, message)
    for index, message in source.mistakes + source.duplicates:
        report.add(Severity.ERROR, index, message)
    if source.mistakes:
        return None
    root = check_schema(leave_out_absent(source.value), report, unknown_fields)
    if isinstance(root, list):
        root = to_version2(root)
        report.original_path = to_version1_path
    if not isinstance(root, dict):
        return None
    providers = read_providers(root, defaults, edge, report)
    warn_of_next_hops(providers, refused, report)
    pools = read_pools(root, partial(edge_of_pool, edge, providers, defaults), report, refused)
    _warn_of_unused_pools(root, report)
    config = BridgeConfig(providers, MappingProxyType(pools))
    if not any(diagnostic.is_error for diagnostic in report.diagnostics):
        _warn_of_absent_keys(config, report)
        # A file of version 1 has no side, and nothing else to take these calls.
        for caught in caught_calls(config) if isinstance(source.value, dict) else ():
            report.warning(("providers", caught.provider, "triggerCondition", "pattern"), str(caught))
    return config


def _warn_of_unused_pools(root: Mapping[str, Any], report: Report) -> None:
    used = {(provider or {}).get("accountPool") for provider in root.get("providers", (None,))}
    if None in used:
        return  # unknown which pools are meant
    for name in root.get("accountPools", ()):
        if name not in used:
            report.warning(("accountPools", name), f'no provider uses the account pool "{name}"', at_key=True)


def _warn_of_absent_keys(config: BridgeConfig, report: Report) -> None:
    """Warn if FindInPool looks up something that no account has."""
    for index, provider in enumerate(config.providers):
        loader = config.pools[provider.account_pool].loader
        if not isinstance(provider.account_to_use, FindInPool) or not loader or isinstance(loader, SqlLoader):
            continue
        by = provider.account_to_use.by
        if not any(by.render(NO_CALL, account) for account in loader):
            message = f'never finds an account: no account of "{provider.account_pool}" has this'
            report.warning(("providers", index, "accountToUse", "by"), message)


def _not_utf8(file: str, error: UnicodeDecodeError) -> LoadResult:
    before = error.object[: error.start].decode("utf-8")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    byte = error.object[error.start]
    return _unreadable(file, line, column, f"byte 0x{byte:02X} is not UTF-8: save the file as UTF-8")


def _unreadable(file: str, line: int, column: int, message: str) -> LoadResult:
    return LoadResult(None, (Diagnostic(file, line, column, Severity.ERROR, message),))
