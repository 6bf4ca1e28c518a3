"""The providers file, databases and Redis as they were found become findings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sipbridge.config.load import LoadResult
from sipbridge.doctor.facts import SourceFacts
from sipbridge.doctor.finding import Finding, Section

_SHOWN = 2
_ADVICE = {"pool": "sipbridge check --connect FILE shows all of it", "Redis": "see [redis] in the settings"}


def check_providers_file(file: Path | None, result: LoadResult | None) -> Finding:
    """Whether there is a providers file that can be used.

    Args:
        result: what came of it; None where the settings name none.
    """
    id_, section = "providers-file", Section.SETTINGS
    if file is None or result is None:
        return section.failed(
            id_, "the settings name no providers file", 'set providers_file = "…" in the settings file'
        )
    if result.config is None:
        return section.failed(
            id_, f"{file} has errors ({len(result.errors)}), the first: {result.errors[0]}", f"sipbridge check {file}"
        )
    if result.warnings:
        return section.warned(
            id_, f"{file} can be used, with warnings ({len(result.warnings)})", f"sipbridge check {file}"
        )
    pools = result.config.pools.values()
    accounts = sum(len(pool.loader) for pool in pools if isinstance(pool.loader, tuple))
    counts = f"providers: {len(result.config.providers)}, pools: {len(pools)}, accounts in the file: {accounts}"
    return section.passed(id_, f"{file} can be used; {counts}")


def check_sources(sources: Iterable[SourceFacts], unread: Sequence[str]) -> Iterator[Finding]:
    """Whether databases and Redis answer.

    Args:
        unread: the pools whose databases were not asked.
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
            "source", f"the databases of {', '.join(unread)} are read with --connect, and their proxies too"
        )
