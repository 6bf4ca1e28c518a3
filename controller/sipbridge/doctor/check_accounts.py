"""Judges the providers file, databases and Redis. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sipbridge.config.load import LoadResult
from sipbridge.doctor.facts import SourceFacts
from sipbridge.doctor.finding import Finding, Section

_SHOWN = 2
_ADVICE = {"pool": "run sipbridge check --connect FILE for the full list", "Redis": "check [redis] in the settings"}


def check_providers_file(file: Path | None, result: LoadResult | None) -> Finding:
    """Check the providers file.

    Args:
        result: the result of loading it; None if the settings name no file.
    """
    id_, section = "providers-file", Section.SETTINGS
    if file is None or result is None:
        return section.failed(
            id_, "the settings name no providers file", 'set providers_file = "…" in the settings file'
        )
    if result.config is None:
        return section.failed(
            id_, f"{file} has errors ({len(result.errors)}); first: {result.errors[0]}", f"run sipbridge check {file}"
        )
    if result.warnings:
        return section.warned(
            id_, f"{file} is valid, with warnings ({len(result.warnings)})", f"run sipbridge check {file}"
        )
    pools = result.config.pools.values()
    accounts = sum(len(pool.loader) for pool in pools if isinstance(pool.loader, tuple))
    counts = f"providers: {len(result.config.providers)}, pools: {len(pools)}, accounts in the file: {accounts}"
    return section.passed(id_, f"{file} is valid; {counts}")


def check_sources(sources: Iterable[SourceFacts], unread: Sequence[str]) -> Iterator[Finding]:
    """Check whether databases and Redis answer.

    Args:
        unread: the pools whose databases were not read.
    """
    for source in sources:
        id_ = f"source.{source.name}"
        if not source.problems:
            yield Section.ACCOUNTS.passed(id_, f"{source.name}: {source.told}")
            continue
        more = f" (and {len(source.problems) - _SHOWN} more)" if len(source.problems) > _SHOWN else ""
        yield Section.ACCOUNTS.failed(
            id_,
            f"{source.name}: {source.told}: {'; '.join(source.problems[:_SHOWN])}{more}",
            _ADVICE["pool" if source.name.startswith("pool ") else "Redis"],
        )
    if unread:
        yield Section.ACCOUNTS.skipped(
            "source", f"databases of {', '.join(unread)} and the proxies in them: checked only with --connect"
        )
