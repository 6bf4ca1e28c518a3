"""Builds and runs call records, metrics, health checks and systemd notifications."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from sipbridge.adapters.observe.call_records import CallRecords
from sipbridge.adapters.observe.exposition import Exposition
from sipbridge.adapters.observe.http_server import HttpServer
from sipbridge.adapters.observe.hub_watch import HubWatch
from sipbridge.adapters.observe.line_writer import FileTarget, LineWriter
from sipbridge.adapters.observe.log_output import LogOutput
from sipbridge.adapters.observe.service_manager import ServiceManager
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.observe import metrics
from sipbridge.core.observe.metric import Metric
from sipbridge.core.observe.readiness import Condition, Readiness, loaded_condition, registered_condition
from sipbridge.daemon.parts import Parts
from sipbridge.daemon.supervisor import Supervisor, Task
from sipbridge.ports import SwitchListener
from sipbridge.services.accounts.account_sync import SourceStatus
from sipbridge.services.observe.account_metrics import AccountMetrics
from sipbridge.services.observe.admission_metrics import AdmissionMetrics
from sipbridge.services.observe.call_log import CallLog
from sipbridge.services.observe.call_tally import CallTally
from sipbridge.services.observe.switch_tally import SwitchTally
from sipbridge.settings import Settings

_VERSION = version("sipbridge")
_STOP_MARGIN_S = 5.0
_STATUS_S = 1.0


class Telemetry:
    """All observers, which change nothing.

    Args:
        log: the log output, for its metrics.
        environ: such as `os.environ`; contains systemd's notification socket.
    """

    def __init__(
        self,
        settings: Settings,
        log: LogOutput | None,
        environ: Mapping[str, str],
        parts: Parts,
        supervisor: Supervisor,
    ) -> None:
        self._settings = settings
        self._manager = ServiceManager(environ)
        self._services = services = parts.services
        self._syncs = parts.syncs
        self._supervisor = supervisor
        self._switch_tally = SwitchTally(services.session)
        self._hub_watch = HubWatch(self._on_tick)
        call_tally = CallTally(lambda: [provider.name for provider in services.table.providers])
        for observer in (CallLog(), call_tally):
            services.journal.add(observer)
        self._records: CallRecords | None = None
        if settings.cdr.file is not None:
            self._records = CallRecords(LineWriter(FileTarget(settings.cdr.file)))
            services.journal.add(self._records)
        accounts = AccountMetrics(services.calls, services.gateways, parts.syncs)
        sources = (
            self._metrics,
            call_tally.metrics,
            accounts.metrics,
            parts.switch.metrics,
            AdmissionMetrics(services.admission).metrics,
            self._switch_tally.metrics,
            self._hub_watch.metrics,
            *((self._records.metrics,) if self._records else ()),
            *((log.metrics,) if log else ()),
        )
        http = settings.http
        self._http = HttpServer(http.host, http.port, Exposition(sources), self.readiness) if http.port else None
        self._hub: Task | None = None
        self._status_at = 0.0

    @property
    def switch_listener(self) -> SwitchListener:
        """The listener for switch events."""
        return self._switch_tally

    def start(self) -> None:
        """Begin to look on.

        Raises:
            HttpServerError: the server cannot listen on its port.
        """
        if self._http is not None:
            self._http.start()
        self._hub = self._supervisor.spawn(self._hub_watch.run)

    def ready(self) -> None:
        """Report that the daemon has started or reloaded."""
        self._manager.ready()

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Report a reload while the block runs; afterwards the daemon is ready, whatever the result."""
        self._manager.reloading()
        try:
            yield
        finally:
            self._manager.ready()

    def stopping(self) -> None:
        """Report that the daemon is stopping, which may take some time."""
        within_s = self._settings.calls.drain_timeout_s + self._settings.gateways.unregister_timeout_s
        self._manager.stopping(within_s + _STOP_MARGIN_S)

    def stop(self) -> None:
        """Stop observing."""
        if self._hub is not None:
            self._supervisor.stop(self._hub)
        if self._http is not None:
            self._http.stop()
        if self._records is not None:
            self._records.stop()
        self._manager.close()

    def readiness(self) -> Readiness:
        """Return whether calls can be accepted, and if not, why."""
        session = self._services.session
        loading = [name for name, state in self._syncs.states().items() if state.status is SourceStatus.LOADING]
        return Readiness(
            (
                Condition("event_socket", session.is_ready, session.problem or "connected"),
                loaded_condition(loading),
                Condition("lease", session.has_lease, "held" if session.has_lease else "not held"),
                Condition("sip", not self._services.sip.problem, self._services.sip.problem or "answers"),
                registered_condition(self._services.table.pools.values(), self._settings.http.ready_registered_percent),
            )
        )

    def _on_tick(self) -> None:
        """Send the watchdog keep-alive, ten times a second from the event loop, so that a hanging loop sends none."""
        self._manager.alive()
        if self._records is not None:
            self._records.step()
        if self._manager.is_listening and (now := time.monotonic()) >= self._status_at:
            self._status_at = now + _STATUS_S
            self._manager.status(self._status_line())

    def _status_line(self) -> str:
        pools = self._services.table.pools.values()
        registered = sum(pool.tally.registrations[RegistrationStatus.REGISTERED] for pool in pools)
        missing = [condition.detail for condition in self.readiness().conditions if not condition.holds]
        calls = self._services.calls.calls_in_progress
        counts = f"{calls} calls, {registered} of {sum(map(len, pools))} accounts registered"
        return f"not ready: {'; '.join(missing)}; {counts}" if missing else f"ready; {counts}"

    def _metrics(self) -> Iterator[Metric]:
        readiness = self.readiness()
        yield metrics.BUILD.of({(_VERSION,): 1})
        yield metrics.READY.one(readiness.is_ready)
        yield metrics.CONDITION.of({(each.name,): each.holds for each in readiness.conditions})
        yield metrics.CALLS_IN_PROGRESS.one(self._services.calls.calls_in_progress)
        yield metrics.CALLS_WAITING.one(self._services.session.calls_waiting)
        yield metrics.NETWORK_UP.one(not self._services.network.problem)
        answers_s = self._services.sip.answers_s
        yield metrics.SIP_UP.of({(name,): took_s is not None for name, took_s in answers_s.items()})
        yield metrics.SIP_ANSWER.of({(name,): took_s for name, took_s in answers_s.items() if took_s is not None})
        if (edge := self._services.edge) is not None:
            yield metrics.EDGE_UP.one(not edge.state.problem)
            yield metrics.EDGE_ACCOUNTS.one(edge.state.accounts)
            yield metrics.EDGE_KNOWN.one(edge.state.known)
        if (heartbeat := self._services.session.heartbeat) is not None:
            yield metrics.SESSIONS.one(heartbeat.sessions)
            yield metrics.SESSIONS_LIMIT.one(heartbeat.max_sessions)
        if (redis_up := self._syncs.is_redis_up) is not None:
            yield metrics.REDIS_UP.one(redis_up)
