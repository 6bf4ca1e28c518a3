"""Simulates FreeSWITCH with its Event Socket, for the demo, tests and benchmarks. Listens on a TCP port.

There is no SIP: calls, registrars and callees are scripted.

    with Simulator(spool_file=spool) as simulator:
        simulator.far_side.rules.append(BUSY)
        call = simulator.place_call("sip:alice@bridge.example.org", "<sip:bob@example.org>", "<sip:alice@example.org>")
        assert call.wait_until_ended().sip_status == 486
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import gevent
from gevent import socket
from gevent.server import StreamServer

from sipbridge.core.freeswitch.version import RECOMMENDED, FreeSwitchVersion
from sipbridge.simulator.calls.call import SimulatedCall
from sipbridge.simulator.calls.far_side import FarSide
from sipbridge.simulator.calls.incoming_invite import IncomingInvite
from sipbridge.simulator.clock import Clock
from sipbridge.simulator.connection import Connection
from sipbridge.simulator.sofia.registrar import Registrar
from sipbridge.simulator.sofia_api import PROFILE_DOWN_TICKS
from sipbridge.simulator.switch import Switch
from sipbridge.simulator.wire.faults import Faults

_log = logging.getLogger(__name__)


class Simulator:
    """A FreeSWITCH with two profiles, one for the inside and one, with gateways, for the providers.

    Args:
        port: 0 chooses a free port; read `port` after the start.
        spool_file: contains the new gateways at every rescan.
        tick_s: real seconds between two ticks of a profile's timer, which advance the states of gateways.
        time_scale: real seconds per simulated second everywhere else: park timeout, ``sched_api``, ringing.
        variables: global variables set by the configuration; ``sipbridge_lease=true`` works without a controller.
        admits_any_provider: as if the ACL contained every provider; otherwise calls from the far side must go to the
            contact of a gateway.
        version: the version of FreeSWITCH to simulate, where versions differ (`core.freeswitch.changes`).

    Attributes:
        registrar: answers REGISTERs.
        far_side: answers INVITEs.
        faults: the faults of the Event Socket.
        injections: every ``${…}`` that FreeSWITCH would have evaluated in the controller's commands.
    """

    def __init__(
        self,
        password: str = "ClueCon",  # noqa: S107  # FreeSWITCH's own default, known to everybody
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        spool_file: Path,
        tick_s: float = 1.0,
        time_scale: float = 1.0,
        inside_profile: str = "inside",
        provider_profile: str = "providers",
        variables: Mapping[str, str] | None = None,
        admits_any_provider: bool = False,
        version: FreeSwitchVersion = RECOMMENDED,
    ) -> None:
        self.password = password
        self.host = host
        self.port = port
        self.registrar = Registrar()
        self.far_side = FarSide()
        self.injections: list[str] = []
        self._connections: set[Connection] = set()
        self.faults = Faults(lambda: self._connections)
        self._profiles: dict[str, tuple[int, Path | None]] = {inside_profile: (5060, None)}
        # Both may be the same profile.
        self._profiles[provider_profile] = (5080, spool_file)
        self._roles = {"inside": inside_profile, "providers": provider_profile}
        self._variables = {"sipbridge_codecs": "PCMA,PCMU", **(variables or {})}
        self._admits_any_provider = admits_any_provider
        self.version = version
        self._tick_s = tick_s
        self._time_scale = time_scale
        self._call_ids = itertools.count(1)
        self._server: StreamServer | None = None
        self.switch = self._make_switch()

    def _make_switch(self) -> Switch:
        return Switch(
            Clock(self._time_scale),
            self._profiles,
            self._variables,
            self._tick_s,
            self.registrar,
            self.far_side,
            self.injections,
            self._admits_any_provider,
            self.version,
        )

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start listening, and start the clock."""
        self.switch.clock.start()
        self.switch.start()
        self._listen()

    def stop(self) -> None:
        """Close everything.

        Raises:
            ExceptionGroup: the simulator or one of the test's rules raised exceptions.
        """
        self.faults.resume()
        self._close_listener()
        clock = self.switch.clock
        clock.stop()
        if clock.errors:
            raise ExceptionGroup("the simulator failed", clock.errors)

    def _listen(self) -> None:
        self._server = StreamServer((self.host, self.port), self._accept)
        self._server.start()
        self.port = int(self._server.address[1])

    def _close_listener(self) -> None:
        if self._server is not None:
            self._server.stop(timeout=0)
            self._server = None
        for connection in tuple(self._connections):
            connection.close()

    def _accept(self, sock: socket.socket, _address: object) -> None:
        if self.faults.refuses_connections:
            sock.close()
            return
        connection = Connection(sock, self, self._connections.discard)
        self._connections.add(connection)
        errors = self.switch.clock.errors
        try:
            connection.serve()
        except Exception as error:  # noqa: BLE001  # the boundary of one connection
            _log.exception("the simulator failed")
            errors.append(error)

    @property
    def connection_count(self) -> int:
        """The number of connected clients."""
        return len(self._connections)

    # Calls.

    def place_call(
        self,
        request_uri: str,
        from_header: str,
        to_header: str,
        *,
        profile: str = "inside",
        call_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SimulatedCall:
        """Send an INVITE to FreeSWITCH.

        Args:
            request_uri: ``sip:+33612345678@bridge.example.org;user=phone``
            from_header: the From header, with or without a tag.
            profile: ``inside`` or ``providers``, regardless of the profiles' names.
            headers: further headers that FreeSWITCH records: User-Agent, P-Asserted-Identity, X-…
        """
        return self._send(profile, request_uri, from_header, to_header, call_id, headers, None)

    def place_call_to_gateway(
        self,
        gateway: str,
        from_header: str,
        to_header: str,
        *,
        call_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SimulatedCall:
        """Send an INVITE from the far side to the contact that a gateway registered.

        A contact without a binding can still be called: the caller may have kept it.
        """
        profile = self.switch.configured_profiles[self._roles["providers"]]
        request_uri = f"sip:gw+{gateway}@127.0.0.1:{profile.port};transport=udp;gw={gateway}"
        return self._send("providers", request_uri, from_header, to_header, call_id, headers, gateway)

    def _send(
        self,
        role: str,
        request_uri: str,
        from_header: str,
        to_header: str,
        call_id: str | None,
        headers: Mapping[str, str] | None,
        gateway: str | None,
    ) -> SimulatedCall:
        number = next(self._call_ids)
        if ";tag=" not in from_header.rpartition(">")[2]:
            from_header = f"{from_header};tag=sim{number}"
        call_id = call_id or f"{number}@simulator"
        profile = self._roles[role]
        return self.switch.take_call(
            IncomingInvite(profile, request_uri, from_header, to_header, call_id, headers or {}, gateway)
        )

    # Restarts.

    def restart_switch(self, down_s: float = 0.0) -> None:
        """Crash and restart: all state and connections are lost; a new Core-UUID on the same port.

        Args:
            down_s: real seconds during which nothing listens.
        """
        self.shut_down_switch()
        gevent.sleep(down_s)
        self.start_switch()

    def shut_down_switch(self, announces: bool = False) -> None:
        """Stop FreeSWITCH, without or with a SHUTDOWN event."""
        if announces:
            self.switch.announce_shutdown()
            for connection in tuple(self._connections):
                connection.say_goodbye()
        self.switch.lose_calls()
        errors = self.switch.clock.errors
        self.switch.clock.stop()
        self._close_listener()
        self.switch = self._make_switch()
        self.switch.clock.errors.extend(errors)

    def start_switch(self) -> None:
        """Start FreeSWITCH after `shut_down_switch`, as if for the first time."""
        self.start()

    def restart_profile(self, role: str = "providers", down_ticks: int = PROFILE_DOWN_TICKS) -> None:
        """Restart a sofia profile: its gateways are lost, and it is unknown for some ticks."""
        self.switch.restart_profile(self._roles[role], down_ticks)
