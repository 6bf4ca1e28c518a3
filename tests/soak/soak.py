"""Steady calls, and faults at random moments; counts what became of both, and finds out what is left at the end."""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from soak.faults import FAULTS, Fault
from soak.world import World
from support.processes import wait_until

_TWO_AT_ONCE = 0.25
"""How often a fault does not come alone."""
_PATIENCE_S = 150.0
"""An account that is refused twice is tried again after two minutes."""
_WRITTEN_BY_TESTS = ("providers.json", "sipbridge.toml", "test.xml", "redis.conf")


class Soak:
    """A world in which things break.

    Args:
        tell: told the name of each fault as it happens.

    Attributes:
        recovery_s: by fault, the seconds from its end until calls are carried, and until every account is right.
    """

    def __init__(self, world: World, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self.recovery_s: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._world = world
        self._wait_until_settled()
        self._descriptors = self._count_descriptors()

    def run(self, seconds: float) -> None:
        """Carry calls, and have something break again and again, sometimes two things at once.

        Raises:
            TimeoutError: it did not recover.
        """
        random = self._world.random
        ends_at = time.monotonic() + seconds
        coming: list[Fault] = []
        with _carrying(self._world):
            while time.monotonic() < ends_at:
                # Each as often as any other.
                coming = coming or random.sample(FAULTS, len(FAULTS))
                fault = coming.pop()
                others = [other for other in FAULTS if not fault.parts & other.parts]
                self._break([fault, random.choice(others)] if random.random() < _TWO_AT_ONCE else [fault])

    def run_each(self) -> None:
        """Carry calls, and have everything break once, one after the other."""
        with _carrying(self._world):
            for fault in FAULTS:
                self._break([fault])

    def _break(self, faults: Sequence[Fault]) -> None:
        world, random = self._world, self._world.random
        time.sleep(random.uniform(0.2, 2.0))
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault.breaking(world))
            time.sleep(random.uniform(0.2, 3.0))
        ended = time.monotonic()
        world.accounts.are_still = True
        name = faults[0].name if len(faults) == 1 else "two at once"
        self._tell(" and ".join(fault.name for fault in faults))
        self._wait_until_carried({user for fault in faults for user in fault.users}, ended)
        carried_s = time.monotonic() - ended
        self._wait_until_settled()
        self.recovery_s[name].append((carried_s, time.monotonic() - ended))
        world.accounts.are_still = False

    def _wait_until_carried(self, users: set[str], since: float) -> None:
        """Wait until one call of each of them that there are is carried."""
        callers, accounts = self._world.callers, self._world.accounts

        def missing() -> list[str]:
            present = {uri.partition(":")[2].partition("@")[0] for uri in accounts.expected}
            return sorted(user for user in users & present if callers.carried.get(user, 0.0) < since)

        def are_carried() -> bool:
            callers.favoured = missing()
            return accounts.is_idle and not callers.favoured

        try:
            wait_until("a call is carried", are_carried, timeout_s=_PATIENCE_S)
        except TimeoutError as error:
            raise TimeoutError(f"no call of {callers.favoured}: {self._wrong_accounts()}") from error
        finally:
            callers.favoured = ()

    def _wait_until_settled(self) -> None:
        """Wait until the bridge has just the accounts that the file and the database have, all of them registered."""
        try:
            wait_until("all accounts are right", lambda: not self._wrong_accounts(), timeout_s=_PATIENCE_S, poll_s=0.1)
        except TimeoutError as error:
            raise TimeoutError(f"not up to date: {self._wrong_accounts()}") from error

    def _wrong_accounts(self, *, free_slots: int | None = None) -> dict[str, Any]:
        """The accounts that are too many, missing, not registered, or have other than so many lines free."""
        there = self._world.bridge.accounts()
        expected = self._world.accounts.expected
        wrong: dict[str, Any] = dict.fromkeys(expected - there.keys(), "not there")
        for uri, account in there.items():
            is_free = free_slots in (None, account.get("freeSlots"))
            if uri not in expected or account["status"] != "OK" or not is_free:
                wrong[uri] = account
        return wrong

    # What is left.

    def problems(self) -> Iterator[str]:
        """What is wrong after all calls have ended; nothing, if all is well."""
        world = self._world
        spool = world.freeswitch.spool
        yield from world.far_side.oversold
        yield from world.calls_while_drained()
        yield from _left("accounts", lambda: self._wrong_accounts(free_slots=world.limit.calls))
        yield from _left("calls in FreeSWITCH", world.freeswitch.channels)
        yield from _left("gateways", self._wrong_gateways)
        yield from _left("descriptors", lambda: max(0, self._count_descriptors() - self._descriptors))
        yield from _left("gateways in the spool", lambda: "<gateway" in spool.read_text())
        yield from _left("files beside the spool", lambda: [one.name for one in spool.parent.iterdir() if one != spool])
        yield from (f"{secret} stands in {file}" for secret, file in self._secrets_found())

    def _wrong_gateways(self) -> set[str]:
        users = [name.split(".")[1] for name in self._world.freeswitch.gateways_up()]
        expected = [uri.partition(":")[2].partition("@")[0] for uri in self._world.accounts.expected]
        return set(users) ^ set(expected) or {user for user in users if users.count(user) > 1}

    def _count_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._world.bridge.pid}/fd"))

    def _secrets_found(self) -> Iterator[tuple[str, Path]]:
        world = self._world
        for name in ("info", "status --json", "calls"):
            done = world.bridge.command(*name.split())
            (world.folder / f"told by {name}").write_text(done.stdout + done.stderr)
        (world.folder / "metrics").write_text(world.bridge.get("/metrics")[1])
        database = world.folder / "db/data"
        for file in world.folder.rglob("*"):
            if file.is_file() and file.name not in _WRITTEN_BY_TESTS and database not in file.parents:
                text = file.read_text(errors="replace")
                yield from ((secret, file) for secret in world.accounts.secrets if secret in text)

    def report(self) -> Iterator[str]:
        """What came of it, in lines."""
        world = self._world
        statuses = dict(sorted(world.callers.statuses.items()))
        yield f"calls that arrived {len(world.far_side.taken)}; all calls by final status: {statuses}"
        yield f"lines oversold {len(world.far_side.oversold)}, accounts changed {world.accounts.changes}"
        yield f"{'':24} {'':>5} {'a call is carried':>17} {'accounts right':>15}"
        yield f"{'fault':24} {'times':>5} {'median':>9} {'worst':>7} {'median':>7} {'worst':>7}  seconds"
        for fault, times in sorted(self.recovery_s.items()):
            carried, settled = ([one[column] for one in times] for column in (0, 1))
            yield f"{fault:24} {len(times):5} {statistics.median(carried):9.2f} {max(carried):7.2f} " + (
                f"{statistics.median(settled):7.2f} {max(settled):7.2f}"
            )


def _left(what: str, look: Callable[[], object]) -> Iterator[str]:
    """Tell what is still there after a while."""
    try:
        wait_until(f"no {what} are left", lambda: not look(), timeout_s=_PATIENCE_S)
    except TimeoutError:
        yield f"{what} left: {look()}"


@contextmanager
def _carrying(world: World) -> Iterator[None]:
    """Calls are carried, and accounts change, while the block runs."""
    world.callers.start()
    world.accounts.are_still = False
    try:
        yield
    finally:
        world.accounts.are_still = True
        world.callers.stop()
