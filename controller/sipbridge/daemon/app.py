"""The daemon: what is started and stopped, in which order, and what it does when it is told to."""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import gevent
import gevent.event

from sipbridge.adapters.control.control_socket import ControlServer
from sipbridge.adapters.netlink import watch_network
from sipbridge.adapters.observe.log_output import LogOutput
from sipbridge.config.collector import pass_over_what_stays, without_collector
from sipbridge.config.load import LoadResult
from sipbridge.config.secrets_in_use import secrets_of_providers
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import RoutingTable
from sipbridge.core.errors import SipBridgeError
from sipbridge.daemon.account_syncs import MakeSource, sql_source
from sipbridge.daemon.parts import Parts, build_parts
from sipbridge.daemon.supervisor import Supervisor
from sipbridge.daemon.telemetry import Telemetry
from sipbridge.explain.by_running_bridge import ByRunningBridge
from sipbridge.ports import NotificationListener, SwitchTaken
from sipbridge.services.observe.info import bridge_info
from sipbridge.services.operate.operator_commands import CommandError, OperatorCommands
from sipbridge.services.operate.reload import ReloadResult
from sipbridge.settings import Settings
from sipbridge.settings.providers import load_providers_with

_log = logging.getLogger(__name__)

_STEP_S = 0.1
"""How often what is due is looked for; a lease, a pace and a deadline are all coarser."""


class App:
    """Everything that runs in one process, wired together.

    Args:
        make_source: where the accounts of a pool with a loader are read from.
        log: told which secrets are in use.
        takes_over: whether another controller of the same FreeSWITCH is put out.
    """

    def __init__(
        self,
        settings: Settings,
        config: BridgeConfig,
        make_source: MakeSource = sql_source,
        log: LogOutput | None = None,
        *,
        takes_over: bool = False,
    ) -> None:
        self._settings = settings
        self._log_output = log
        self._learn_secrets(config)
        self._config = config
        self._stop_wanted = gevent.event.Event()
        self._hurry = gevent.event.Event()
        self._supervisor = Supervisor(self._stop_wanted.set)
        self._parts = parts = build_parts(
            settings, config, make_source, self._load_providers, self._supervisor, takes_over=takes_over
        )
        self._services = services = parts.services
        self._telemetry = Telemetry(settings, log, os.environ, parts, self._supervisor)
        operators = OperatorCommands(self._reload_file, parts.operations.drain, self._stop_wanted.is_set)
        running = ByRunningBridge(services.calls, services.session, settings.calls.status_lines)
        self._control = _control_server(settings.control.socket, parts, operators, running)
        self._taken: SwitchTaken | None = None

    @property
    def table(self) -> RoutingTable:
        """The routing table in use."""
        return self._services.table

    @property
    def takes_calls(self) -> bool:
        """Whether calls are decided now."""
        return self._services.session.is_ready

    @property
    def calls_in_progress(self) -> int:
        """Calls that hold a line now."""
        return self._services.calls.calls_in_progress

    @property
    def account_changes(self) -> NotificationListener:
        """Who has to be told when accounts change in their database; Redis tells it, where there is one."""
        return self._parts.syncs

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop in order; SIGHUP reloads the providers file.

        Raises:
            OSError: the spool cannot be made.
            ControlError: the control socket cannot be made, or another daemon runs already.
            HttpServerError: somebody else has the port of metrics and health.
            SwitchTaken: another controller has this FreeSWITCH.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._on_stop_signal)
        gevent.signal_handler(signal.SIGHUP, self._on_reload_signal)
        # Who moves files away may send it, and would end us; the next line goes to a new file all the same.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.start()
        self._stop_wanted.wait()
        self.stop()

    def start(self) -> None:
        """Start everything, and return at once.

        Raises:
            OSError: the spool cannot be made.
            ControlError: the control socket cannot be made, or another daemon runs already.
            HttpServerError: somebody else has the port of metrics and health.
        """
        # What was loaded stays: looking through a hundred thousand accounts for garbage would hold up every call. More
        # of them come from databases, in bursts that by default would be looked through again and again.
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
        self._control.start()
        try:
            self._telemetry.start()
            # A killed daemon may have left secrets there.
            self._parts.spool.clear()
        except BaseException:
            self._telemetry.stop()
            self._control.stop()
            raise
        services, supervisor = self._services, self._supervisor
        supervisor.spawn(self._run_switch)
        supervisor.spawn_steps(services.session.step, _STEP_S)
        # In separate greenlets: they wait while FreeSWITCH reads gateways or starts a profile, and the lease must not.
        supervisor.spawn_steps(services.gateways.step, _STEP_S)
        if _follows_network(self._settings):
            supervisor.spawn(watch_network, services.network)
            supervisor.spawn_steps(services.network.step, _STEP_S)
        if _is_beside_switch(self._settings):
            supervisor.spawn_steps(services.sip.step, _STEP_S)
        self._parts.edge.start()
        self._parts.syncs.start(self._config, self.table.pools)
        self._telemetry.ready()

    def stop(self) -> None:
        """Stop in order: no new calls, wait for those in progress, unregister what is to be unregistered, disconnect.

        Raises:
            Exception: what made the daemon stop, where it stopped by itself.
            SwitchTaken: another controller has this FreeSWITCH.
        """
        _log.info("stopping: new calls get 503, %d calls in progress continue", self.calls_in_progress)
        self._stop_wanted.set()
        self._telemetry.stopping()
        self._parts.syncs.stop()
        self._services.session.stop_taking_calls()
        self._wait_while(lambda: self.calls_in_progress > 0, self._settings.calls.drain_timeout_s)
        session, gateways = self._services.session, self._services.gateways
        if session.is_ready:
            within_s = self._settings.gateways.unregister_timeout_s
            gateways.begin_shutdown(within_s)
            self._wait_while(lambda: session.is_ready and gateways.pending_removals > 0, within_s)
        if gateways.pending_removals:
            _log.warning("stopped with %d gateways still in FreeSWITCH", gateways.pending_removals)
        self._parts.edge.stop(gives_way=self._taken is not None)
        self._parts.switch.stop()
        self._control.stop()
        self._telemetry.stop()
        _log.info("stopped")
        self._supervisor.stop_all()
        if self._taken is not None:
            raise self._taken

    def _wait_while(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it is no longer so, or can no longer change, or another signal asks for hurry."""
        self._hurry.clear()
        deadline = time.monotonic() + timeout_s
        while is_so() and not self._supervisor.has_failed:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or self._hurry.wait(min(_STEP_S, left_s)):
                return

    def _on_stop_signal(self) -> None:
        if self._stop_wanted.is_set():
            _log.info("second stop signal: stopping now")
            self._hurry.set()
        self._stop_wanted.set()

    def _on_reload_signal(self) -> None:
        if self._stop_wanted.is_set():
            return
        try:
            self._reload_file(dry_run=False)
        except SipBridgeError as error:
            _log.error("reload failed, nothing changed: %s", error)

    def _reload_file(self, *, dry_run: bool) -> ReloadResult:
        if self._settings.providers_file is None:
            raise CommandError("no providers file to reload")
        with without_collector(), nullcontext() if dry_run else self._telemetry.reloading():
            try:
                return self._parts.operations.reload.reload(dry_run=dry_run)
            finally:
                pass_over_what_stays()

    def _load_providers(self) -> LoadResult:
        settings = self._settings
        if settings.providers_file is None:
            raise AssertionError("reloading without a providers file")
        result = load_providers_with(settings, settings.providers_file)
        if result.config is not None:
            self._learn_secrets(result.config)
        return result

    def _learn_secrets(self, config: BridgeConfig) -> None:
        if self._log_output is not None:
            self._log_output.learn(secrets_of_providers(config))

    def _run_switch(self) -> None:
        try:
            self._parts.switch.run(self._telemetry.switch_listener)
        except SwitchTaken as error:
            _log.error("stopping: %s", error)
            self._taken = error
            self._stop_wanted.set()


def _control_server(socket: Path, parts: Parts, operators: OperatorCommands, running: ByRunningBridge) -> ControlServer:
    queries = parts.operations.queries
    return ControlServer(
        socket,
        {
            "info": lambda _: bridge_info(parts.services.table),
            "status": queries.status,
            "calls": queries.calls,
            "follow": queries.follow,
            "explain": running.explain,
            "reload": operators.reload,
            "drain": operators.drain,
        },
        logged=("reload", "drain"),
    )


def _follows_network(settings: Settings) -> bool:
    """Whether this host's network is FreeSWITCH's, and is to be watched."""
    return settings.network.watch and _is_beside_switch(settings)


def _is_beside_switch(settings: Settings) -> bool:
    host = settings.event_socket.host
    return host.startswith("127.") or host in ("localhost", "::1")
