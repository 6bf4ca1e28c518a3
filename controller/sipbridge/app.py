"""The daemon: what is built, started and stopped, in which order."""

from __future__ import annotations

import logging
import secrets
import signal
import time
from typing import Any

import gevent
import gevent.event

from sipbridge.adapters.control_socket import ControlServer
from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.adapters.spool import Spool
from sipbridge.config.load import BridgeConfig
from sipbridge.explain import routing_table
from sipbridge.services.call_control import CallControl
from sipbridge.services.dispatch import Dispatch
from sipbridge.services.registrar import Registrar, RegistrarSettings
from sipbridge.services.status import bridge_info
from sipbridge.settings import Settings

_log = logging.getLogger(__name__)

_STEP_S = 0.25
"""How often what is due is looked for; a lease, a pace and a deadline are all coarser."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()


class App:
    """Everything that runs in one process, wired together."""

    def __init__(self, settings: Settings, config: BridgeConfig) -> None:
        self._settings = settings
        clock = SystemClock()
        table = routing_table(config, settings.media_defaults)
        self._spool = Spool(settings.gateways.spool_file, settings.gateways.retry_s)
        self._switch = FreeSwitch(
            _link_settings(settings),
            self._spool,
            settings.sofia.provider_profile,
            settings.calls.lease_s,
        )
        self._registrar = Registrar(self._switch, table.pools.values(), _registrar_settings(settings), clock)
        self._calls = CallControl(
            self._switch,
            table,
            gateway_of=self._registrar.gateway_of,
            account_behind=self._registrar.account_behind,
            status_lines=settings.calls.status_lines,
            sides=(settings.sofia.inside_profile, settings.sofia.provider_profile),
            random_below=secrets.randbelow,
        )
        self._dispatch = Dispatch(
            self._switch, self._calls, self._registrar, table.pools, clock, lease_renewal_s=settings.calls.lease_s / 3
        )
        self._control = ControlServer(settings.control.socket, {"info": lambda: bridge_info(table)})
        self._stop_wanted = gevent.event.Event()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, then stop in order.

        Raises:
            OSError: the spool or the control socket cannot be made.
            ControlError: another daemon runs already.
        """
        self._control.start()
        try:
            # A daemon that was killed may have left secrets there.
            self._spool.clear()
            for number in (signal.SIGTERM, signal.SIGINT):
                gevent.signal_handler(number, self._stop_wanted.set)
            greenlets = [gevent.spawn(self._switch.run, self._dispatch), gevent.spawn(self._steps)]
            for greenlet in greenlets:
                greenlet.link_exception(self._on_greenlet_failed)
            self._stop_wanted.wait()
            self._stop()
            failed = [greenlet.exception for greenlet in greenlets if greenlet.exception is not None]
            gevent.killall(greenlets)
        finally:
            self._control.stop()
        if failed:
            raise failed[0]

    def _steps(self) -> None:
        while True:
            self._dispatch.step()
            self._registrar.step()
            gevent.sleep(_STEP_S)

    def _on_greenlet_failed(self, greenlet: Any) -> None:
        # A defect. Better to stop, in order, and be started again by systemd than to go on lame.
        _log.critical("stopping: %r failed", greenlet)
        self._stop_wanted.set()

    def _stop(self) -> None:
        _log.info("stopping: new calls get 503, those in progress go on")
        if self._dispatch.is_ready:
            self._dispatch.stop_taking_calls()
            self._registrar.begin_shutdown()
            with gevent.Timeout(self._settings.gateways.unregister_timeout_s, False):
                while self._registrar.pending_removals and self._dispatch.is_ready:
                    gevent.sleep(_STEP_S)
        if self._registrar.pending_removals:
            _log.warning("%d gateways are still in FreeSWITCH", self._registrar.pending_removals)
        self._switch.stop()
        _log.info("stopped")


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


def _registrar_settings(settings: Settings) -> RegistrarSettings:
    gateways = settings.gateways
    return RegistrarSettings(
        gateways.expires_s, gateways.max_registrations_per_s, confirm_timeout_s=gateways.confirm_timeout_s
    )
