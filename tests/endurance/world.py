"""The daemon in its own process, a simulated FreeSWITCH, a database and a Redis. I/O: processes, files, sockets."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from endurance.flatness import Holdings
from sipbridge.simulator import CalleeRule, Refuse, RegistrarRule, SimulatedInvite, Simulator
from support.processes import Program, free_tcp_port, wait_until
from support.redis_server import RedisServer

DOMAIN, OUR_DOMAIN = "jabiru.example.org", "flexisip.example.org"
_CHANNEL = "accounts"
_TICK_S = 0.05
_PATIENCE_S = 120.0
_QUERY = (
    f"SELECT user AS username, '{DOMAIN}' AS hostport, '' AS user_id, 'clrtxt' AS secret_type, secret, "
    f"user AS alias_username, '{OUR_DOMAIN}' AS alias_hostport, '' AS outbound_proxy FROM people"
)


class World:
    """All of it, for as long as the block of `world` lasts.

    Attributes:
        simulator: the FreeSWITCH.
        redis: tells the daemon of changed accounts.
    """

    def __init__(self, folder: Path, simulator: Simulator, redis: RedisServer) -> None:
        self.simulator = simulator
        self.redis = redis
        self._folder = folder
        self._database = folder / "people.sqlite3"
        self._control, self._probe = folder / "control.sock", folder / "probe.sock"
        self._cdr, self._output = folder / "cdr.jsonl", folder / "output.txt"
        self._providers = folder / "providers.json"
        self._http_port = free_tcp_port()
        with closing(sqlite3.connect(self._database)) as database, database:
            database.execute("CREATE TABLE people (user TEXT PRIMARY KEY, secret TEXT)")

    def start(self, trunks: int) -> Program:
        """Start the daemon, and wait until it answers."""
        self.write_providers(trunks, 0)
        settings = self._folder / "sipbridge.toml"
        settings.write_text(self._settings())
        settings.chmod(0o600)
        command = [sys.executable, "-m", "endurance.controller", str(self._probe), "run", "--settings", str(settings)]
        self._program = Program(command, self._output, {"PYTHONPATH": str(Path(__file__).parents[1])})
        wait_until("the daemon answers", self._answers, timeout_s=_PATIENCE_S)
        return self._program

    def stop(self) -> int:
        """Ask the daemon to end; return its exit status."""
        return self._program.terminate(_PATIENCE_S)

    def log(self) -> str:
        """The last that the daemon has logged."""
        return self._program.text()[-4_000:]

    # What changes.

    def write_providers(self, trunks: int, version: int) -> None:
        """Write a providers file that has so many trunks, and a pattern and secrets of this version."""
        self._providers.write_text(json.dumps(_providers(self._database, trunks, version)))

    def set_accounts(self, secrets: Iterable[tuple[str, str | None]]) -> None:
        """Give people other secrets, or none at all, and tell of it."""
        changed = list(secrets)
        with closing(sqlite3.connect(self._database)) as database, database:
            for user, secret in changed:
                database.execute("DELETE FROM people WHERE user = ?", (user,))
                if secret is not None:
                    database.execute("INSERT INTO people VALUES (?, ?)", (user, secret))
        self.redis.publish(
            _CHANNEL,
            (json.dumps({"username": user, "domain": DOMAIN, "identifier": user}) for user, _ in changed),
        )

    def move_files_away(self) -> None:
        """As logrotate does with call records, and journald with the log."""
        self._cdr.unlink(missing_ok=True)
        os.truncate(self._output, 0)

    # What is asked.

    def ask(self, command: str, **arguments: object) -> Any:
        """The answer to a command of the control socket, or the first line of one that goes on."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PATIENCE_S)
            client.connect(str(self._control))
            client.sendall(json.dumps({**arguments, "command": command}).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer = json.loads(lines.readline())
        if "error" in answer:
            raise AssertionError(f"{command}: {answer['error']}")
        return answer["result"]

    def scrape(self) -> str:
        """``/metrics``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http_port}/metrics", timeout=_PATIENCE_S) as answer:
            text: str = answer.read().decode()
            return text

    def lines_in_use(self) -> int:
        """Calls in progress, as all accounts together say."""
        limits = {"trunks": 1_000, "single": 1, "people": 5}
        used = 0
        for provider in self.ask("info")["providers"]:
            for account in provider["accounts"]:
                if account["status"] == "OK":
                    used += limits[provider["name"]] - account["freeSlots"]
        return used

    def measure(self, calls: int, seconds: float) -> Holdings:
        """What the daemon holds now."""
        # First of all: to be asked takes memory.
        pages = int(Path(f"/proc/{self._program.pid}/statm").read_text().split()[1])
        descriptors = len(os.listdir(f"/proc/{self._program.pid}/fd"))
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_PATIENCE_S)
            client.connect(str(self._probe))
            with client.makefile("rb") as lines:
                counted = json.loads(lines.readline())
        return Holdings(calls, seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1024, descriptors, **counted)

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"the daemon did not start: {self.log()}")
        try:
            return bool(self.ask("info"))
        except OSError:  # not there yet
            return False

    def _settings(self) -> str:
        return f"""
            providers_file = "{self._providers}"
            [event_socket]
            port = {self.simulator.port}
            password = "{self.simulator.password}"
            backoff_min_s = 0.05
            backoff_max_s = 0.2
            [calls]
            max_calls_per_s = 10000
            [gateways]
            spool_file = "{self._folder / "gateways.xml"}"
            max_registrations_per_s = 2000
            [redis]
            url = "redis://127.0.0.1:{self.redis.port}"
            channel = "{_CHANNEL}"
            [control]
            socket = "{self._control}"
            [http]
            port = {self._http_port}
            [cdr]
            file = "{self._cdr}"
            """


@contextmanager
def world(folder: Path, people: int, trunks: int) -> Iterator[World]:
    """Start everything; all of it is gone at the end.

    Args:
        people: accounts in the database: ``person0`` and so on; their registrar refuses ``mallory``, who is one more.
        trunks: accounts in the providers file.
    """
    spool = folder / "gateways.xml"
    spool.write_text("<include>\n</include>\n")
    with ExitStack() as stack:
        redis = RedisServer(folder / "redis")
        stack.callback(redis.kill)
        simulator = stack.enter_context(Simulator(spool_file=spool, tick_s=_TICK_S))
        refuses = RegistrarRule(Refuse(403, "Forbidden"), lambda gateway: gateway.username == "mallory")
        simulator.registrar.rules.append(refuses)
        simulator.far_side.rules += [
            CalleeRule(_called("busy"), rings_s=None, status=486, phrase="Busy Here"),
            CalleeRule(_called("nobody"), rings_s=None, status=404, phrase="Not Found"),
            CalleeRule(_called("rings"), final_s=None),
            CalleeRule(_called("talks"), hangs_up_s=0.05),
        ]
        made = World(folder, simulator, redis)
        made.set_accounts([("mallory", "wrong"), *((f"person{number}", "secret") for number in range(people))])
        stack.callback(made.start(trunks).kill)
        yield made


def _called(user: str):  # type: ignore[no-untyped-def]
    return lambda invite: _user(invite) == user


def _user(invite: SimulatedInvite) -> str:
    return invite.request_uri.partition(":")[2].partition("@")[0]


def _providers(database: Path, trunks: int, version: int) -> dict[str, Any]:
    callers_account = {"strategy": "FindInPool", "source": "{from}", "by": "alias"}
    as_dialled = {"to": "sip:{incoming.to.user}@{account.uri.hostport}", "from": "{account.uri}"}
    single = [{"uri": f"sip:carol@{DOMAIN}", "alias": f"sip:carol@{OUR_DOMAIN}"}]
    loader = {"dbBackend": "sqlite3", "connection": str(database), "initQuery": _QUERY}
    return {
        "schemaVersion": 2,
        "providers": [
            _provider("single", {"strategy": "Always"}, callers_account, "nextProvider", as_dialled),
            _provider(
                "trunks",
                {"strategy": "MatchRegex", "pattern": rf"sip:.*@pstn(\..*|{version})", "source": "{requestUri}"},
                {"strategy": "Random"},
                "decline",
                as_dialled,
            ),
            _provider("people", {"strategy": "Always"}, callers_account, "decline", as_dialled),
        ],
        "accountPools": {
            "single": _pool(single, 1, registers=False),
            "trunks": _pool([_trunk(number, version) for number in range(trunks)], 1_000, registers=False),
            "people": _pool(loader | {"updateQuery": f"{_QUERY} WHERE user = :identifier"}, 5, registers=True),
        },
    }


def _provider(name: str, trigger: object, account: object, not_found: str, invite: object) -> dict[str, Any]:
    return {
        "name": name,
        "triggerCondition": trigger,
        "accountToUse": account,
        "onAccountNotFound": not_found,
        "outgoingInvite": invite,
        "accountPool": name,
    }


def _pool(loader: object, calls_per_line: int, *, registers: bool) -> dict[str, Any]:
    return {
        "outboundProxy": f"<sip:{DOMAIN}>",
        "registrationRequired": registers,
        "maxCallsPerLine": calls_per_line,
        "loader": loader,
    }


def _trunk(number: int, version: int) -> dict[str, str]:
    uri = f"sip:trunk{number}@{DOMAIN}"
    return {"uri": uri, "secretType": "clrtxt", "secret": f"secret {version if number % 2 else 0}"}
