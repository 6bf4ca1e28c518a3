"""A real FreeSWITCH, ``sipbridge run`` beside it, and a callee, on a loopback address of their own. Starts processes.

FreeSWITCH has the configuration of ``freeswitch/``, plus a third profile and context: the floor, which bridges without
anybody's help. So what is compared is measured in one and the same process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.machine import cpu_s
from benchmarks.sipp_calls import Calls, call, start_callee
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until

_ADDITIONS = Path(__file__).parent / "freeswitch"
_FLOOR_PORT = 5070
_CALLEE_PORT = 5090
_ACCOUNTS = 100


class Way(Enum):
    """How a call gets from one leg to the other."""

    FLOOR = "static dialplan"
    BRIDGED = "sipbridge"


@dataclass(frozen=True, slots=True)
class Cost:
    """A series of calls, and the CPU that each of them took."""

    calls: Calls
    freeswitch_ms: float
    bridge_ms: float


class Testbed:
    """FreeSWITCH and a callee that answers at once; gone at the end of the ``with`` block.

    Args:
        directory: for all files.
        accounts: how many sipbridge has; they take turns in calling.

    Attributes:
        in_real_time: whether all of it runs in the scheduling class that FreeSWITCH has as a service.
    """

    def __init__(self, directory: Path, accounts: int = _ACCOUNTS) -> None:
        self._directory = directory
        self._accounts = accounts
        self._stack = ExitStack()
        self.in_real_time = False
        self._series = 0
        self._bridge: Bridge | None = None
        self._callers = directory / "callers.csv"
        self._callers.write_text("SEQUENTIAL\n" + "".join(f"caller{number}\n" for number in range(accounts)))

    def __enter__(self) -> Self:
        self.in_real_time = _run_in_real_time()
        with ExitStack() as stack:
            ip_and_port = "$${sipbridge_inside_ip}:" + str(_CALLEE_PORT)
            self._freeswitch = FreeSwitch(
                self._directory / "freeswitch",
                _ADDITIONS,
                own_priorities=self.in_real_time,
                benchmark_floor_port=str(_FLOOR_PORT),
                benchmark_callee=ip_and_port,
                benchmark_edge="nowhere",
                # Admission must not be what limits the rate.
                sipbridge_sessions_per_second="5000",
                sipbridge_max_sessions="5000",
            )
            stack.callback(self._freeswitch.kill)
            self._ip = self._freeswitch.ip
            callee = start_callee(self._ip, _CALLEE_PORT, self._directory)
            stack.callback(callee.kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def bridge(self) -> Iterator[Bridge]:
        """A running sipbridge whose gateways are all in FreeSWITCH."""
        bridge = Bridge(
            self._directory / "bridge",
            self._freeswitch,
            providers_file(f"{self._ip}:{_CALLEE_PORT}", self._accounts),
            # What is carried is measured here, not what is let in. The log is as under systemd.
            more_settings='[calls]\nmax_calls_per_s = 10000\n[logging]\nformat = "json"',
        )
        try:
            wait_until("all gateways are up", lambda: len(self._freeswitch.gateways_up()) == self._accounts)
            wait_until("calls are taken", self._is_lease_taken)
            self._bridge = bridge
            yield bridge
            bridge.terminate()
        finally:
            self._bridge = None
            bridge.kill()

    def call(self, way: Way, rate: float, count: int) -> Cost:
        """Make calls at a steady rate and wait until they are over, in FreeSWITCH too."""
        self._series += 1
        directory = self._directory / f"series-{self._series}"
        directory.mkdir()
        bridge_pid = self._bridge.pid if self._bridge and way is Way.BRIDGED else None
        if way is Way.FLOOR:
            # A controller that has gone leaves it paused.
            self._freeswitch.take_calls()
        target = f"{self._ip}:{_FLOOR_PORT}" if way is Way.FLOOR else self._freeswitch.inside
        freeswitch_s, bridge_s = cpu_s(self._freeswitch.pid), cpu_s(bridge_pid) if bridge_pid else 0.0
        calls = call(target, self._callers, rate, count, self._ip, directory)
        freeswitch_s = cpu_s(self._freeswitch.pid) - freeswitch_s
        bridge_s = cpu_s(bridge_pid) - bridge_s if bridge_pid else 0.0
        if calls.failed:
            self._freeswitch.event_socket.api("hupall")
        wait_until("all calls are over", self._is_idle, timeout_s=60)
        return Cost(calls, 1000 * freeswitch_s / count, 1000 * bridge_s / count)

    def _is_lease_taken(self) -> bool:
        return self._freeswitch.event_socket.api("global_getvar sipbridge_lease") == "true"

    def _is_idle(self) -> bool:
        return self._freeswitch.event_socket.api("show channels count").startswith("0 total")


def providers_file(callee: str, accounts: int) -> dict[str, Any]:
    """As in the specification's first example, its outbound half: a caller's own account is used."""
    return {
        "schemaVersion": 2,
        "providers": [
            {
                "name": "outbound",
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "onAccountNotFound": "nextProvider",
                "outgoingInvite": {
                    "to": "sip:{incoming.to.user}@{account.uri.hostport}{incoming.to.uriParameters}",
                    "from": "{account.uri}",
                },
                "accountPool": "accounts",
            }
        ],
        "accountPools": {
            "accounts": {
                "outboundProxy": f"<sip:{callee};transport=udp>",
                "registrationRequired": False,
                "maxCallsPerLine": 1000,
                "loader": [
                    {"uri": f"sip:line{number}@provider.example.org", "alias": f"sip:caller{number}@inside.example.org"}
                    for number in range(accounts)
                ],
            }
        },
    }


def _run_in_real_time() -> bool:
    """Give this program, and all that it starts, the scheduling class that Debian's unit gives FreeSWITCH.

    Whatever works with it has to be in the same class, or gets no processor when it matters: the floor's caller and
    callee as much as the controller.

    Returns:
        Whether that is allowed here.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return False
    return True
