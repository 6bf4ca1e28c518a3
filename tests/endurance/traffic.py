"""Calls of every kind, one after another, and all that may change while they go on. Drives a `World`."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import gevent

from endurance.flatness import Holdings
from endurance.world import OUR_DOMAIN, World
from sipbridge.simulator import CallState, SimulatedCall
from support.processes import wait_until

PEOPLE = 200
TRUNKS = 20
_AT_ONCE = 40
_TALK_S = 0.02
_PATIENCE_S = 300.0
_VERSIONS = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call.

    Attributes:
        weight: how often it is made, relative to the others.
        callee: the user part that is dialled; the far side has its ways with these.
        host: of the Request-URI.
        caller: who calls; ``person`` and ``stranger`` are followed by a number.
        hangs_up_s: until the caller does; None where somebody else ends it.
    """

    weight: int
    callee: str
    caller: str = "person"
    host: str = "bridge.example.org"
    hangs_up_s: float | None = None


KINDS = (
    Kind(25, "talks"),
    Kind(15, "listens", hangs_up_s=_TALK_S),
    Kind(15, "+33612345678", host="pstn.example.org", hangs_up_s=_TALK_S),
    Kind(10, "busy"),
    Kind(5, "nobody"),
    Kind(8, "rings", hangs_up_s=_TALK_S),
    Kind(4, "talks", hangs_up_s=0.0),
    Kind(6, "talks", caller="stranger"),
    Kind(5, "talks", caller="mallory"),
    Kind(5, "talks", caller="carol"),
    Kind(2, "%7b%24%7Bsystem(id)%7D'|", caller="stranger%22;a=", hangs_up_s=_TALK_S),
)
"""Answered, through the caller's account or a trunk; refused; cancelled; from a caller who is unknown, not registered,
or has one line, which is taken; hostile text."""


class Traffic:
    """Makes calls, and changes things in between.

    Args:
        every: calls from one measurement to the next; what changes does so some times meanwhile.

    Attributes:
        statuses: final statuses that callers saw.
        changes: what was done how often.
    """

    def __init__(self, world: World, random: Random, every: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.changes: Counter[str] = Counter()
        self._world = world
        self._random = random
        self._every = every
        self._numbers = itertools.count(1)
        self._began = time.monotonic()
        self._stays: SimulatedCall | None = None
        self._changes: tuple[tuple[int, Callable[[], None]], ...] = (
            (250, self._change_accounts),
            (50, self._look),
            (10, self._reload),
            (2, self._cut),
            (1, self._restart_profile),
            (1, self._restart_redis),
        )

    def run(self, calls: int) -> Iterator[Holdings]:
        """Make so many calls, and measure after each `every` of them."""
        self._settle()
        for number in range(1, calls + 1):
            self._keep_carols_line()
            self._place(number)
            for times, change in self._changes:
                if number % max(1, self._every // times) == 0:
                    self.changes[change.__name__.strip("_").replace("_", " ")] += 1
                    change()
            while len(self._world.simulator.switch.calls) >= _AT_ONCE:
                gevent.sleep(0.002)
            if number % self._every == 0:
                self._settle()
                self._world.move_files_away()
                yield self._world.measure(number, time.monotonic() - self._began)

    # Calls.

    def _place(self, number: int) -> None:
        (kind,) = self._random.choices(KINDS, [kind.weight for kind in KINDS])
        caller = kind.caller
        if caller == "person":
            caller += str(self._random.randrange(PEOPLE))
        elif caller.startswith("stranger"):
            caller += str(number)
        call = self._world.simulator.place_call(
            f"sip:{kind.callee}@{kind.host}",
            f'"{caller} the {number}th" <sip:{caller}@{OUR_DOMAIN}>',
            f"<sip:{kind.callee}@{OUR_DOMAIN}>",
        )
        gevent.spawn(self._watch, call, kind.hangs_up_s)

    def _watch(self, call: SimulatedCall, hangs_up_s: float | None) -> None:
        if hangs_up_s is not None:
            gevent.sleep(hangs_up_s)
            call.hang_up()
        call.wait_until_ended(_PATIENCE_S)
        self.statuses[call.sip_status] += 1

    def _keep_carols_line(self) -> None:
        if self._stays is None or self._stays.state is CallState.ENDED:
            self._stays = self._world.simulator.place_call(
                "sip:stays@bridge.example.org", f"<sip:carol@{OUR_DOMAIN}>", f"<sip:stays@{OUR_DOMAIN}>"
            )

    def _settle(self) -> None:
        """Wait until nothing is under way but the call that stays, and the daemon knows of no other."""
        simulator = self._world.simulator

        def is_settled() -> bool:
            others = [call for call in simulator.switch.calls.values() if call is not self._stays]
            return not others and self._world.lines_in_use() == len(simulator.switch.calls)

        wait_until("all lines are given back", is_settled, timeout_s=_PATIENCE_S)

    # What changes.

    def _change_accounts(self) -> None:
        user = f"person{self._random.randrange(PEOPLE)}"
        secret = None if self._random.random() < 0.3 else f"secret {next(self._numbers)}"
        self._world.set_accounts([(user, secret)])

    def _look(self) -> None:
        self._world.scrape()
        for command, arguments in (("status", {}), ("calls", {}), ("follow", {"latest": 10})):
            self._world.ask(command, **arguments)

    def _reload(self) -> None:
        # Not ever new ones: what a pattern was compiled to is kept for the last 128 of them.
        version = next(self._numbers) % _VERSIONS
        self._world.write_providers(TRUNKS + self._random.randrange(5), version)
        self._world.ask("reload")

    def _cut(self) -> None:
        self._world.simulator.faults.drop_connections()

    def _restart_profile(self) -> None:
        self._world.simulator.restart_profile()

    def _restart_redis(self) -> None:
        self._world.redis.kill()
        self._world.redis.start()
