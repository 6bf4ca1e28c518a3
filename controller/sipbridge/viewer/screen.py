"""Formats a snapshot as the lines of a screen, of a fixed size or as long as needed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from sipbridge.core.observe.problems import find_problems
from sipbridge.core.observe.snapshot import AccountOrder, AccountPage, AccountQuery, Snapshot
from sipbridge.viewer.header import header
from sipbridge.viewer.problem_lines import problems_section
from sipbridge.viewer.section import DIM, Section
from sipbridge.viewer.tables import accounts_section, pools_section, providers_section
from sipbridge.viewer.words import plural, printable

_ORDERS = {
    AccountOrder.NEED: "failing first, then busiest",
    AccountOrder.CALLS: "busiest first",
    AccountOrder.ADDRESS: "by address",
}
_FEWEST_ROWS = 2
"""A section shows at least this many lines below its titles, or is left out."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a terminal, in cells.

    Attributes:
        width: None for unlimited.
        height: None for unlimited.
    """

    width: int | None = None
    height: int | None = None


def screen(snapshot: Snapshot, query: AccountQuery, size: Size, footer: Sequence[Text] = ()) -> tuple[list[Text], int]:
    """Return the lines of the screen, and how many accounts they show.

    Args:
        query: the query that the snapshot's accounts answer; with a limit of 0, no accounts are shown.
        footer: the last lines; always shown.
    """
    problems = find_problems(snapshot)
    top = header(snapshot, problems, size.width)
    pools = pools_section(snapshot.pools, size.width)
    providers = providers_section(snapshot.providers, size.width)
    accounts = _accounts(snapshot.accounts, size.width) if query.limit else Section([])
    if size.height is None:
        wrong = problems_section(problems, size.width, None)
        return _join(top, wrong, pools, providers, _titled(accounts, snapshot.accounts, query)), _rows(accounts)
    room = max(0, size.height - len(footer))
    left = room - len(top.lines)
    # If not even the minimum of each section fits, drop the least important sections first.
    for gone in (1, 2, 0):
        below = [pools, providers, accounts]
        if sum(map(_least, below)) + min(len(problems), 3) <= left:
            break
        pools, providers, accounts = (Section([]) if at == gone else section for at, section in enumerate(below))
    spare = left - sum(map(_least, (pools, providers, accounts)))
    wrong = _cut(problems_section(problems, size.width, spare - 1), spare)
    spare -= _height(wrong)
    grown = []
    for section in (pools, providers, accounts):
        more = max(0, min(spare, _height(section) - _least(section)))
        grown.append(_cut(section, _least(section) + more, says_more=section is not accounts))
        spare -= more
    pools, providers, accounts = grown
    lines = _join(top, wrong, pools, providers, _titled(accounts, snapshot.accounts, query))[:room]
    return [*lines, *[Text()] * (room - len(lines)), *footer], _rows(accounts)


def _accounts(page: AccountPage, width: int | None) -> Section:
    section = accounts_section(page.rows, width)
    return replace(section, lines=[Text(), *section.lines], head=section.head + 1)


def _titled(section: Section, page: AccountPage, query: AccountQuery) -> Section:
    """Put a line before the section that says which accounts it shows."""
    if not section.lines:
        return section
    title = Text(_which(page, _rows(section), query), DIM, no_wrap=True)
    if query.match:
        title.append(printable(f' with "{query.match}"' if not page.matching else f', with "{query.match}"'))
    if query.only_failed:
        title.append(", failed only")
    return replace(section, lines=[title, *section.lines[1:]] if page.matching else [title])


def _which(page: AccountPage, shown: int, query: AccountQuery) -> str:
    if not page.matching:
        return "no accounts"
    order = _ORDERS[query.order]
    if shown == page.matching:
        return f"{shown:,} account{'s' if shown > 1 else ''}, {order}"
    return f"accounts {page.offset + 1:,}-{page.offset + shown:,} of {page.matching:,}, {order}"


def _rows(section: Section) -> int:
    return max(0, len(section.lines) - section.head)


def _least(section: Section) -> int:
    """Return the minimum height at which a section is shown, with the blank line before it."""
    return min(_height(section), 1 + section.head + _FEWEST_ROWS)


def _height(section: Section) -> int:
    return len(section.lines) + 1 if section.lines else 0


def _cut(section: Section, room: int, *, says_more: bool = True) -> Section:
    """Cut a section to the lines that fit below a blank line; the last line says how many were cut."""
    room = max(0, room - 1)
    if len(section.lines) <= room or not says_more or room < 2:
        return replace(section, lines=section.lines[:room])
    more = Text(f"… {plural(len(section.lines) - room + 1, 'line')} more", DIM)
    return replace(section, lines=[*section.lines[: room - 1], more])


def _join(*sections: Section) -> list[Text]:
    lines: list[Text] = []
    for section in sections:
        if section.lines:
            lines += [Text(), *section.lines] if lines else section.lines
    return lines


def narrowed(snapshot: Snapshot, query: AccountQuery) -> Snapshot:
    """Keep only the provider or pool that a query names, and what belongs to it."""
    providers = [
        provider
        for provider in snapshot.providers
        if query.provider in ("", provider.name) and query.pool in ("", provider.pool)
    ]
    used = {provider.pool for provider in providers}
    pools = [
        pool for pool in snapshot.pools if query.pool in ("", pool.name) and (not query.provider or pool.name in used)
    ]
    return replace(snapshot, providers=tuple(providers), pools=tuple(pools))
