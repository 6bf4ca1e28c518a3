"""The daemon: what is built, started and stopped, in which order."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from typing import Any

import gevent
import gevent.event

from sipbridge.account_syncs import AccountSyncs, MakeSource, sql_source
from sipbridge.adapters.control_socket import ControlServer
from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.adapters.event_socket.profiles import Profiles
from sipbridge.adapters.greenlets import Greenlets
from sipbridge.adapters.log_output import LogOutput
from sipbridge.adapters.netlink import watch_network
from sipbridge.adapters.spool import Spool
from sipbridge.config.collector import without_collector
from sipbridge.config.load import BridgeConfig, LoadResult, load_providers
from sipbridge.config.routing_table import routing_table
from sipbridge.config.secrets_in_use import secrets_of_providers
from sipbridge.core.account_pool import Line
from sipbridge.core.errors import SipBridgeError
from sipbridge.core.routing import RoutingTable
from sipbridge.edge_link import EdgeLink
from sipbridge.observation import Observation
from sipbridge.ports import NotificationListener
from sipbridge.services.admission import Admission
from sipbridge.services.call_control import CallControl
from sipbridge.services.call_feed import CallFeed
from sipbridge.services.call_journal import CallJournal
from sipbridge.services.call_pages import CallPages
from sipbridge.services.dispatch import Dispatch
from sipbridge.services.drain import Drain
from sipbridge.services.info import bridge_info
from sipbridge.services.network_watch import NetworkWatch
from sipbridge.services.onlooker_commands import OnlookerCommands
from sipbridge.services.operator_commands import CommandError, OperatorCommands
from sipbridge.services.registrar import Registrar, RegistrarSettings
from sipbridge.services.reload import Reload, ReloadResult
from sipbridge.services.status import Status
from sipbridge.services.traffic import Traffic
from sipbridge.settings import Settings

_log = logging.getLogger(__name__)

_BREATH_S = 0.01
_STEP_S = 0.1
"""How often what is due is looked for; a lease, a pace and a deadline are all coarser."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()


class App:
    """Everything that runs in one process, wired together.

    Args:
        make_source: where the accounts of a pool with a loader are read from.
        log: told which secrets are in use.
    """

    def __init__(
        self,
        settings: Settings,
        config: BridgeConfig,
        make_source: MakeSource = sql_source,
        log: LogOutput | None = None,
    ) -> None:
        self._settings = settings
        self._log_output = log
        self._learn_secrets(config)
        clock = SystemClock()
        with without_collector():
            table = routing_table(config, settings.media_defaults)
        self._spool = Spool(settings.gateways.spool_file, settings.gateways.retry_s)
        self._switch = FreeSwitch(
            _link_settings(settings),
            self._spool,
            settings.sofia.provider_profile,
            settings.calls.lease_s,
        )
        scheduler = Greenlets()
        self._registrar = Registrar(self._switch, table.pools.values(), _registrar_settings(settings), clock, scheduler)
        traffic = Traffic(clock)
        feed = CallFeed(clock, scheduler)
        self._journal = CallJournal(clock, [traffic, feed])
        profiles = (settings.sofia.provider_profile, settings.sofia.inside_profile)
        self._network = NetworkWatch(
            Profiles(self._switch.api), profiles, self._registrar.register_again, clock, settings.network.stable_s
        )
        self._edge = EdgeLink(settings.edge, self._registrar, lambda: self._dispatch.is_ready, clock)
        self._calls = CallControl(
            self._switch,
            table,
            clock,
            self._journal,
            gateway_of=self._registrar.gateway_of,
            account_behind=self._registrar.account_behind,
            status_lines=settings.calls.status_lines,
            sides=(settings.sofia.inside_profile, settings.sofia.provider_profile),
            random_below=secrets.randbelow,
        )
        admission = Admission(self._switch, clock, settings.calls.max_calls_per_s)
        self._dispatch = Dispatch(
            self._switch, self._calls, self._registrar, admission, clock, lease_renewal_s=settings.calls.lease_s / 3
        )
        self._account_syncs = AccountSyncs(
            settings.redis,
            clock,
            self._on_account_changed,
            self._registrar.on_account_removed,
            self._on_greenlet_failed,
            make_source,
        )
        self._config = config
        follow = self._account_syncs.follow
        self._reload = Reload(self._calls, self._registrar, config, self._load_providers, follow, scheduler)
        self._stop_wanted = gevent.event.Event()
        self._hurry = gevent.event.Event()
        commands = OperatorCommands(
            self._reload_file, Drain(self._calls, self._dispatch, scheduler), self._stop_wanted.is_set
        )
        status = Status(
            version("sipbridge"),
            clock,
            scheduler,
            calls=self._calls,
            journal=self._journal,
            dispatch=self._dispatch,
            admission=admission,
            registrar=self._registrar,
            traffic=traffic,
            redis=lambda: self._account_syncs.redis_status,
            sources=self._account_syncs.states,
            edge=lambda: self._edge.state,
            network=lambda: self._network.problem,
        )
        self._observation = Observation(
            settings,
            log,
            os.environ,
            self._switch,
            self._dispatch,
            admission,
            self._calls,
            self._journal,
            self._registrar,
            self._account_syncs,
            lambda: self._edge.state,
            lambda: self._network.problem,
        )
        pages = CallPages(self._switch, self._calls, self._journal, clock, scheduler)
        onlookers = OnlookerCommands(status, pages, feed)
        self._control = ControlServer(
            settings.control.socket,
            {
                "info": lambda _: bridge_info(self.table),
                "status": onlookers.status,
                "calls": onlookers.calls,
                "follow": onlookers.follow,
                "reload": commands.reload,
                "drain": commands.drain,
            },
            logged=("reload", "drain"),
        )
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    @property
    def table(self) -> RoutingTable:
        """What calls are decided by now."""
        return self._calls.table

    @property
    def takes_calls(self) -> bool:
        """Whether calls are decided now."""
        return self._dispatch.is_ready

    @property
    def calls_in_progress(self) -> int:
        """Calls that hold a line now."""
        return self._calls.calls_in_progress

    @property
    def account_changes(self) -> NotificationListener:
        """Who has to be told when accounts change in their database; Redis tells it, where there is one."""
        return self._account_syncs

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop in order; SIGHUP reloads the providers file.

        Raises:
            OSError: the spool cannot be made.
            ControlError: the control socket cannot be made, or another daemon runs already.
            HttpServerError: somebody else has the port of metrics and health.
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
            self._observation.start(self._on_greenlet_failed)
            # A daemon that was killed may have left secrets there.
            self._spool.clear()
        except BaseException:
            self._observation.stop()
            self._control.stop()
            raise
        self._greenlets = [
            gevent.spawn(self._switch.run, self._observation.switch_listener),
            gevent.spawn(self._steps),
        ]
        if _follows_network(self._settings):
            self._greenlets += [gevent.spawn(watch_network, self._network), gevent.spawn(self._network_steps)]
        for greenlet in self._greenlets:
            greenlet.link_exception(self._on_greenlet_failed)
        self._edge.start(self._on_greenlet_failed)
        self._account_syncs.start(self._config, self.table.pools)
        self._observation.ready()

    def stop(self) -> None:
        """Stop in order: no new calls, wait for those in progress, unregister what is to be unregistered, disconnect.

        Raises:
            Exception: what made the daemon stop, where it stopped by itself.
        """
        _log.info("stopping: new calls get 503, %d calls in progress go on", self.calls_in_progress)
        self._stop_wanted.set()
        self._observation.stopping()
        self._account_syncs.stop()
        self._dispatch.stop_taking_calls()
        self._wait_while(lambda: self.calls_in_progress > 0, self._settings.calls.drain_timeout_s)
        if self._dispatch.is_ready:
            within_s = self._settings.gateways.unregister_timeout_s
            self._registrar.begin_shutdown(within_s)
            self._wait_while(lambda: self._dispatch.is_ready and self._registrar.pending_removals > 0, within_s)
        if self._registrar.pending_removals:
            _log.warning("%d gateways are still in FreeSWITCH", self._registrar.pending_removals)
        self._edge.stop()
        self._switch.stop()
        self._control.stop()
        self._observation.stop()
        gevent.killall(self._greenlets)
        _log.info("stopped")
        for greenlet in self._greenlets:
            if greenlet.exception is not None:
                raise greenlet.exception

    def _wait_while(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it is no longer so, or can no longer change, or another signal asks for hurry."""
        self._hurry.clear()
        deadline = time.monotonic() + timeout_s
        while is_so() and not any(greenlet.ready() for greenlet in self._greenlets):
            left_s = deadline - time.monotonic()
            if left_s <= 0 or self._hurry.wait(min(_STEP_S, left_s)):
                return

    def _on_stop_signal(self) -> None:
        if self._stop_wanted.is_set():
            _log.info("told again to stop: waiting no longer")
            self._hurry.set()
        self._stop_wanted.set()

    def _on_reload_signal(self) -> None:
        if self._stop_wanted.is_set():
            return
        try:
            self._reload_file(dry_run=False)
        except SipBridgeError as error:
            _log.error("nothing is reloaded: %s", error)

    def _reload_file(self, *, dry_run: bool) -> ReloadResult:
        if self._settings.providers_file is None:
            raise CommandError("there is no providers file to read again")
        # As at the start: what was made stays, and looking through it for garbage would hold up calls.
        with without_collector(), nullcontext() if dry_run else self._observation.reloading():
            try:
                return self._reload.reload(dry_run=dry_run)
            finally:
                gc.freeze()

    def _load_providers(self) -> LoadResult:
        settings = self._settings
        if settings.providers_file is None:
            raise AssertionError("reloading without a providers file")
        result = load_providers(settings.providers_file, settings.media_defaults, settings.edge.edge)
        if result.config is not None:
            self._learn_secrets(result.config)
        return result

    def _on_account_changed(self, line: Line) -> None:
        self._calls.on_account_added(line)
        self._registrar.on_account_changed(line)

    def _learn_secrets(self, config: BridgeConfig) -> None:
        if self._log_output is not None:
            self._log_output.learn(secrets_of_providers(config))

    def _steps(self) -> None:
        while True:
            self._dispatch.step()
            goes_on = self._registrar.step()
            gevent.sleep(_BREATH_S if goes_on else _STEP_S)

    def _network_steps(self) -> None:
        # Apart: they wait for FreeSWITCH while a profile starts, and the lease must not.
        while True:
            self._network.step()
            gevent.sleep(_STEP_S)

    def _on_greenlet_failed(self, greenlet: Any) -> None:
        # A defect. Better to stop, in order, and be started again by systemd than to go on lame.
        _log.critical("stopping: %r failed", greenlet)
        self._stop_wanted.set()


def _link_settings(settings: Settings) -> LinkSettings:
    esl = settings.event_socket
    return LinkSettings(
        host=esl.host,
        port=esl.port,
        password=esl.password,
        connect_timeout_s=esl.connect_timeout_s,
        command_timeout_s=esl.command_timeout_s,
        silence_timeout_s=esl.heartbeat_timeout_s,
        backoff_min_s=esl.backoff_min_s,
        backoff_max_s=esl.backoff_max_s,
    )


def _follows_network(settings: Settings) -> bool:
    """Whether this host's network is FreeSWITCH's, and is to be watched."""
    host = settings.event_socket.host
    return settings.network.watch and (host.startswith("127.") or host in ("localhost", "::1"))


def _registrar_settings(settings: Settings) -> RegistrarSettings:
    gateways = settings.gateways
    return RegistrarSettings(
        expires_s=gateways.expires_s,
        max_registrations_per_s=gateways.max_registrations_per_s,
        confirm_timeout_s=gateways.confirm_timeout_s,
        profile=settings.sofia.provider_profile,
        lost_memory_warning_mb=gateways.lost_memory_warning_mb,
    )
