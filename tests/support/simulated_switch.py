"""A simulated FreeSWITCH in a process of its own, told by lines on its standard input what happens. I/O: a TCP port.

``python -m support.simulated_switch SPOOL_FILE`` prints its port. Then each line is one of:

- ``call CALLER CALLEE``: CALLER, of our side, calls CALLEE at the provider's;
- ``hang up``: all calls end;
- ``down``, ``up``: FreeSWITCH stops and starts.

The registrar refuses whose name begins with ``mallory``, and never answers whose begins with ``trent``. ``busy`` and
``broken`` are not to be called; everybody else answers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gevent
from gevent.fileobject import FileObject

from sipbridge.simulator import CalleeRule, Refuse, RegistrarRule, Silent, SimulatedCall, SimulatedInvite, Simulator

TICK_S = 0.1
"""FreeSWITCH looks after its gateways once a second; nobody wants to wait for that here."""


def main(spool_file: Path) -> None:
    """Run until standard input ends."""
    with Simulator(spool_file=spool_file, tick_s=TICK_S) as simulator:
        simulator.registrar.rules += [
            RegistrarRule(Refuse(403, "Forbidden"), lambda gateway: gateway.username.startswith("mallory")),
            RegistrarRule(Silent(), lambda gateway: gateway.username.startswith("trent")),
        ]
        simulator.far_side.rules += [
            CalleeRule(_called("busy"), rings_s=None, status=486, phrase="Busy Here"),
            CalleeRule(_called("broken"), rings_s=None, status=503, phrase="Service Unavailable"),
        ]
        print(simulator.port, flush=True)  # noqa: T201
        calls: list[SimulatedCall] = []
        for line in FileObject(sys.stdin.fileno(), "rb", closefd=False):
            _do(simulator, calls, line.decode().split())


def _do(simulator: Simulator, calls: list[SimulatedCall], words: list[str]) -> None:
    match words:
        case ["call", caller, callee]:
            from_, to = f"sip:{caller}@flexisip.example.org", f"sip:{callee}@flexisip.example.org"
            calls.append(simulator.place_call(f"sip:{callee}@bridge.example.org", f"<{from_}>", f"<{to}>"))
        case ["hang", "up"]:
            while calls:
                calls.pop().hang_up()
        case ["down"]:
            simulator.shut_down_switch(announces=True)
        case ["up"]:
            simulator.start_switch()
        case _:
            raise ValueError(f"nobody knows what {words} means")
    gevent.sleep(0)


def _called(name: str):  # type: ignore[no-untyped-def]
    def is_called(invite: SimulatedInvite) -> bool:
        return invite.request_uri.startswith(f"sip:{name}@")

    return is_called


if __name__ == "__main__":
    main(Path(sys.argv[1]))
