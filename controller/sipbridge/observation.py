"""What lets others see how the daemon does: metrics and health. What is built, and who asks whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

import gevent

from sipbridge.account_syncs import AccountSyncs
from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.exposition import Exposition
from sipbridge.adapters.http_server import HttpServer
from sipbridge.adapters.hub_watch import HubWatch
from sipbridge.core import metrics
from sipbridge.core.metric import Metric
from sipbridge.core.readiness import Condition, Readiness, loaded_condition, registered_condition
from sipbridge.ports import SwitchListener
from sipbridge.services.account_metrics import AccountMetrics
from sipbridge.services.account_sync import SourceStatus
from sipbridge.services.call_control import CallControl
from sipbridge.services.call_journal import CallJournal
from sipbridge.services.call_log import CallLog
from sipbridge.services.call_tally import CallTally
from sipbridge.services.dispatch import Dispatch
from sipbridge.services.registrar import Registrar
from sipbridge.services.switch_tally import SwitchTally
from sipbridge.settings import HttpSettings


class Observation:
    """Everything that looks on, and changes nothing.

    Args:
        http: where metrics and health are asked for.
        journal: of the calls.
        dispatch: told what the switch tells, after it has been counted.
    """

    def __init__(
        self,
        http: HttpSettings,
        switch: FreeSwitch,
        dispatch: Dispatch,
        calls: CallControl,
        journal: CallJournal,
        registrar: Registrar,
        syncs: AccountSyncs,
    ) -> None:
        self._least_registered_percent = http.ready_registered_percent
        self._dispatch = dispatch
        self._calls = calls
        self._syncs = syncs
        self._switch_tally = SwitchTally(dispatch)
        self._hub_watch = HubWatch()
        call_tally = CallTally()
        for observer in (CallLog(), call_tally):
            journal.add(observer)
        accounts = AccountMetrics(lambda: calls.table.pools, registrar, syncs.states, syncs.pending_notifications)
        sources = (
            self._metrics,
            call_tally.metrics,
            accounts.metrics,
            switch.metrics,
            self._switch_tally.metrics,
            self._hub_watch.metrics,
        )
        self._http = HttpServer(http.host, http.port, Exposition(sources), self.readiness) if http.port else None
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    @property
    def switch_listener(self) -> SwitchListener:
        """Who is to be told what the switch does."""
        return self._switch_tally

    def start(self, on_failed: Callable[[gevent.Greenlet[..., None]], None]) -> None:
        """Begin to look on.

        Args:
            on_failed: told of a greenlet that ended with an exception, which is a defect.

        Raises:
            HttpServerError: the port cannot be listened on.
        """
        if self._http is not None:
            self._http.start()
        self._greenlets = [gevent.spawn(self._hub_watch.run)]
        for greenlet in self._greenlets:
            greenlet.link_exception(on_failed)

    def stop(self) -> None:
        """Look on no longer."""
        gevent.killall(self._greenlets)
        if self._http is not None:
            self._http.stop()

    def readiness(self) -> Readiness:
        """Whether calls can be taken, and why not."""
        dispatch = self._dispatch
        loading = [name for name, state in self._syncs.states().items() if state.status is SourceStatus.LOADING]
        return Readiness(
            (
                Condition("event_socket", dispatch.is_ready, dispatch.problem or "connected"),
                loaded_condition(loading),
                Condition("lease", dispatch.has_lease, "held" if dispatch.has_lease else "not held"),
                registered_condition(self._calls.table.pools.values(), self._least_registered_percent),
            )
        )

    def _metrics(self) -> Iterator[Metric]:
        readiness = self.readiness()
        yield metrics.BUILD.of({(version("sipbridge"),): 1})
        yield metrics.READY.one(readiness.is_ready)
        yield metrics.CONDITION.of({(each.name,): each.holds for each in readiness.conditions})
        yield metrics.CALLS_IN_PROGRESS.one(self._calls.calls_in_progress)
        yield metrics.CALLS_WAITING.one(self._dispatch.calls_waiting)
        yield metrics.LEASE_HELD.one(self._dispatch.has_lease)
        if (redis_up := self._syncs.is_redis_up) is not None:
            yield metrics.REDIS_UP.one(redis_up)
