"""Loads accounts as the daemon does, and tells what that took. Reads a database; the switch is in memory.

``python -m benchmarks.accounts_load PROVIDERS_FILE COUNT`` prints a line of JSON when the accounts are loaded, and one
more for each line on standard input, which has all of them loaded again.
"""

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402 - nothing may be imported before the patches
import json  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Collection, Mapping, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402

from benchmarks.machine import memory_kb  # noqa: E402
from sipbridge.adapters.event_socket.spool import Spool  # noqa: E402
from sipbridge.adapters.greenlets import Greenlets  # noqa: E402
from sipbridge.adapters.system_clock import SystemClock  # noqa: E402
from sipbridge.config.load import load_providers  # noqa: E402
from sipbridge.core.accounts.account import AccountId  # noqa: E402
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted  # noqa: E402
from sipbridge.core.calls.routing_table import routing_table  # noqa: E402
from sipbridge.core.gateways.gateway import Gateway, GatewayName  # noqa: E402
from sipbridge.core.pools.account_pool import Line  # noqa: E402
from sipbridge.core.providers.media_defaults import MediaDefaults  # noqa: E402
from sipbridge.core.sip.call import ChannelUuid  # noqa: E402
from sipbridge.daemon.account_syncs import AccountSyncs  # noqa: E402
from sipbridge.daemon.supervisor import Supervisor  # noqa: E402
from sipbridge.ports import Outcome  # noqa: E402
from sipbridge.services.accounts.pool_members import PoolMembers  # noqa: E402
from sipbridge.services.accounts.unread_pools import UnreadPools  # noqa: E402
from sipbridge.services.gateways.gateway_keeper import GatewayKeeper, KeeperSettings  # noqa: E402
from sipbridge.services.gateways.registrations import SwitchGatewayEvent  # noqa: E402
from sipbridge.settings.redis import RedisSettings  # noqa: E402

POOL = "accounts"
_TICK_S = 0.005
_STEP_S = 0.25
_EVENTS_AT_ONCE = 50
"""As many as arrive in one read of a socket."""
_PAUSE_S = 0.0001
_RESCAN_S = 0.01
_DELETED_AFTER_S = 0.5
_TIMEOUT_S = 60.0


class HubWatch:
    """Ticks beside the other greenlets: what a tick is late, a call would have waited for its decision."""

    def __init__(self) -> None:
        self._late_ms: list[float] = []

    def run(self) -> None:
        """Tick for ever; the body of a greenlet."""
        while True:
            begin = time.perf_counter()
            gevent.sleep(_TICK_S)
            self._late_ms.append(1000 * (time.perf_counter() - begin - _TICK_S))

    def restart(self) -> None:
        """Forget what was seen, and what is late already."""
        gevent.sleep(2 * _TICK_S)
        self._late_ms.clear()

    def result(self) -> dict[str, float]:
        """What was seen."""
        # One tick that is late by a second stands for all the calls that would have come within that second.
        waits = [wait for late in self._late_ms for wait in _waits(late)]
        return {"p99_ms": statistics.quantiles(waits, n=100, method="inclusive")[98], "max_ms": max(self._late_ms)}


def _waits(late_ms: float) -> list[float]:
    step = 1000 * _TICK_S
    return [late_ms - number * step for number in range(max(1, int(late_ms / step)))]


class InstantSwitch:
    """The `Switch` port: takes all gateways, through a real spool, as soon as it is asked to; never has a call."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._up: set[str] = set()
        self.tell: Callable[[SwitchGatewayEvent], None]

    def __len__(self) -> int:
        return len(self._up)

    @property
    def memory_kb(self) -> float:
        """What it takes itself, which is FreeSWITCH's in real life; the names are the daemon's."""
        return sys.getsizeof(self._up) / 1024

    def bridge(
        self, channel: ChannelUuid, dial_string: str, on_done: Callable[[Outcome], None], *, has_offer: bool = True
    ) -> None:
        """There is no call."""

    def respond(
        self,
        channel: ChannelUuid,
        status_line: str,
        on_done: Callable[[Outcome], None],
        retry_after_s: int | None = None,
    ) -> None:
        """There is no call."""

    def renew_lease(self) -> None:
        """There is no call."""

    def end_lease(self) -> None:
        """There is no call."""

    def channels(self) -> Sequence[ChannelUuid]:
        """None."""
        return ()

    def call_states(self) -> Mapping[ChannelUuid, str]:
        """None."""
        return {}

    def hold_calls(self) -> None:
        """There is no call."""

    def release_calls(self) -> None:
        """There is no call."""

    def register_gateway(self, name: GatewayName) -> None:
        """There is no registrar."""

    def codecs(self) -> Sequence[str]:
        """There is no call."""
        return ()

    def accounts_of(self, channels: Collection[ChannelUuid]) -> Mapping[ChannelUuid, AccountId | None]:
        """None."""
        return {}

    def gateways(self) -> tuple[set[str], set[str]]:
        """All are up."""
        return set(self._up), set()

    def gateway_salt(self) -> bytes:
        """Always the same."""
        return bytes(32)

    def lost_gateways(self) -> int:
        """None."""
        return 0

    def keep_lost_gateways(self, count: int) -> None:
        """Nobody asks."""

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        """Write the file, as for FreeSWITCH, and wait as long as it takes to read some."""
        with self._spool.holding(gateways):
            gevent.sleep(_RESCAN_S)
        self._up.update(gateway.name for gateway in gateways)
        gevent.spawn(self._tell_all, [GatewayAdded(gateway.name) for gateway in gateways])

    def remove_gateway(self, name: GatewayName) -> None:
        """It is gone half a second later, as in FreeSWITCH, which looks once a second."""
        self._up.discard(name)
        gevent.spawn_later(_DELETED_AFTER_S, self._tell_all, [GatewayDeleted(name)])

    def _tell_all(self, events: Sequence[SwitchGatewayEvent]) -> None:
        for number, event in enumerate(events, 1):
            self.tell(event)
            if number % _EVENTS_AT_ONCE == 0:
                gevent.sleep(_PAUSE_S)


class Loading:
    """What the daemon has for accounts in a database, without the rest of it."""

    def __init__(self, providers_file: Path, count: int, spool: Spool) -> None:
        config = load_providers(providers_file).config
        assert config is not None
        self._count = count
        self._pools = routing_table(config, MediaDefaults()).pools
        self._switch = InstantSwitch(spool)
        settings = KeeperSettings(
            expires_s=3600,
            max_registrations_per_s=300,
            confirm_timeout_s=10,
            profile="providers",
            lost_memory_warning_mb=1_000_000,
        )
        clock = SystemClock()
        self._keeper = GatewayKeeper(self._switch, self._pools.values(), settings, clock, Greenlets())
        self._switch.tell = self._keeper.on_gateway_event
        members = PoolMembers(self, self._keeper)
        self._syncs = AccountSyncs(RedisSettings(), clock, members, UnreadPools(), Supervisor(_fail))
        self._config = config
        self._watch = HubWatch()

    def on_account_added(self, line: Line) -> None:
        """There is no call."""

    def first(self) -> dict[str, Any]:
        """Load all accounts, and have a gateway for each of them."""
        self._keeper.reconcile()
        # As the daemon does when it starts.
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
        for run in (self._watch.run, self._steps):
            gevent.spawn(run).link_exception(_fail)
        before_kb = memory_kb()
        begin = time.perf_counter()
        self._syncs.start(self._config, self._pools)
        loaded_s = self._wait_for(lambda: len(self._pools[POOL]) == self._count) - begin
        self._wait_for(lambda: len(self._switch) == self._count and not self._keeper.pending_removals)
        return {
            "seconds": loaded_s,
            "kb_each": (memory_kb() - before_kb - self._switch.memory_kb) / self._count,
            **self._watch.result(),
        }

    def again(self) -> dict[str, Any]:
        """Load all accounts again."""
        self._watch.restart()
        before = self._syncs.states()[POOL]
        begin = time.perf_counter()
        self._syncs.on_notifications_up()
        loaded_s = self._wait_for(lambda: self._syncs.states()[POOL] is not before) - begin
        result = {"seconds": loaded_s, **self._watch.result()}
        self._wait_for(lambda: not self._keeper.pending_removals and len(self._switch) == self._count)
        return result

    def _steps(self) -> None:
        while True:
            self._keeper.step()
            gevent.sleep(_STEP_S)

    def _wait_for(self, is_so: Callable[[], bool]) -> float:
        """When it became so."""
        deadline = time.perf_counter() + _TIMEOUT_S
        while not is_so():
            if time.perf_counter() > deadline:
                raise SystemExit(f"not within {_TIMEOUT_S:g} s: {self._syncs.states()}, {len(self._switch)} gateways")
            gevent.sleep(0.01)
        return time.perf_counter()


def _fail(greenlet: Any = None) -> None:
    raise SystemExit(f"{greenlet or 'a greenlet'!r} failed")


def main(providers_file: Path, count: int) -> None:
    """Load once, then once for each line."""
    with tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-") as directory:
        loading = Loading(providers_file, count, Spool(Path(directory, "gateways.xml"), 30))
        print(json.dumps(loading.first()), flush=True)
        for _ in sys.stdin:
            print(json.dumps(loading.again()), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
