"""No secret of a configuration leaks, whatever goes wrong.

Every secret has one and the same mark in it, so that a part of it, or another way to write it, is found as well. By
hand with ``TEST_LOG_LINES=1000000``, which takes some ten minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import subprocess
from gevent.threadpool import ThreadPool

from sipbridge.adapters.control.control_socket import ControlError, ask
from sipbridge.simulator import Simulator
from sipbridge.simulator.sofia.registrar import Refuse, RegistrarRule
from support.processes import Program, free_tcp_port

MARK = "zqMARKqz"
LOG_LINES = int(os.environ.get("TEST_LOG_LINES", "2000"))
QUERY = (
    "SELECT username, 'db.example.org' AS hostport, '' AS user_id, 'clrtxt' AS secret_type, secret, "
    "'' AS alias_username, '' AS alias_hostport, '' AS outbound_proxy FROM accounts"
)


def secret(what: str) -> str:
    """A secret with the mark, and with what has to be quoted somewhere."""
    return f"{what}{MARK}'\"<&>%41 ${{x}}\\é"


def pool(loader: Any, *, required: bool = True) -> dict[str, Any]:
    return {
        "outboundProxy": "<sip:far.example.org;transport=udp>",
        "registrationRequired": required,
        "maxCallsPerLine": 1_000,
        "loader": loader,
    }


def sql(backend: str, connection: str, query: str = QUERY) -> dict[str, str]:
    update = f"{query} WHERE username = :identifier"
    return {"dbBackend": backend, "initQuery": query, "updateQuery": update, "connection": connection}


def account(user: str, **differing: str) -> dict[str, str]:
    uri = f"sip:{user}@far.example.org"
    return {"uri": uri, "secretType": "clrtxt", "secret": secret(user), "alias": f"sip:{user}@home"} | differing


def providers(folder: Path) -> dict[str, Any]:
    pools = {
        "File": pool([account("alice"), account("refused")]),
        "Database": pool(sql("sqlite3", f"db='{folder / 'accounts.sqlite3'}'")),
        "Bad query": pool(sql("sqlite3", f"db='{folder / 'accounts.sqlite3'}'", "SELECT secret FROM accounts")),
        # Nobody listens on port 1.
        "Gone": pool(sql("mysql", f"db=x user=u password='{MARK} mysql' host=127.0.0.1 port=1")),
        "Gone, by URL": pool(sql("mysql", f"mysql+pymysql://u:{MARK}url@127.0.0.1:1/x")),
    }
    outgoing = {"to": "sip:{incoming.to.user}@{account.uri.hostport}", "from": "{account.uri}"}
    return {
        "schemaVersion": 2,
        "providers": [
            {
                "name": f"through {name}",
                "accountPool": name,
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "onAccountNotFound": "nextProvider",
                "outgoingInvite": outgoing,
            }
            for name in pools
        ],
        "accountPools": pools,
    }


def broken_files(text: str) -> Iterator[tuple[str, str]]:
    """What somebody may make of a providers file, and what is wrong with each."""
    alice = json.dumps(secret("alice"), ensure_ascii=False)
    yield "cut in a secret", text[: text.index(MARK) + 3]
    yield "a secret without its end", text.replace(alice, alice[:-1], 1)
    yield "a bad escape in a secret", text.replace(alice, f'"{MARK}\\q"', 1)
    yield "a secret twice", text.replace(f'"secret": {alice}', f'"secret": {alice}, "secret": {alice}', 1)
    yield "no comma after a secret", text.replace(f"{alice},", alice, 1)
    yield "a secret that is a list", text.replace(alice, f"[{alice}]", 1)
    yield "a secret by another name", text.replace('"secret"', '"password"', 1)
    yield "a secret of another type", text.replace('"clrtxt"', f'"{MARK}"', 1)
    yield "a digest that is none", text.replace('"clrtxt"', '"ha1"', 1)
    yield "a secret with a colon", text.replace(alice, f'"{MARK}:x"', 1)
    yield "a secret with a line end", text.replace(alice, f'"{MARK}\\n"', 1)
    yield "a secret that is too long", text.replace(alice, f'"{MARK * 40}"', 1)
    yield "a connection without a host", text.replace("host=127.0.0.1", "hots=127.0.0.1")
    yield "a connection with an open quote", text.replace(f"'{MARK} mysql'", f"'{MARK} mysql")
    yield "a URL with a bad port", text.replace(":1/x", ":port/x")
    yield "another backend", text.replace('"mysql"', '"postgres"')


class Secretive:
    """The daemon on a simulator, with secrets wherever there can be some, and all that is seen of it."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        self.folder = folder
        self.simulator = simulator
        self.seen: dict[str, str] = {}
        self._lines = self._counted_to = 0
        self.http_port = free_tcp_port()
        self.settings = folder / "sipbridge.toml"
        self.providers_file = folder / "providers.json"
        self.providers_text = json.dumps(providers(folder), indent=1, ensure_ascii=False)
        self.providers_file.write_text(self.providers_text)
        self.settings.write_text(self.settings_text())
        self.settings.chmod(0o600)
        database = sqlite3.connect(folder / "accounts.sqlite3")
        database.execute("CREATE TABLE accounts (username TEXT, secret TEXT)")
        rows = [("bob", secret("bob")), ("", secret("nobody")), ("a b@", secret("bad")), ("colon", f"{MARK}:x")]
        rows += [("bob", secret("again")), ("nul", MARK + "\0")]
        database.executemany("INSERT INTO accounts VALUES (?, ?)", rows)
        database.commit()
        database.close()
        self.program = Program(self.command("run"), folder / "output.txt")

    def settings_text(self) -> str:
        return f"""
providers_file = "providers.json"
[event_socket]
port = {self.simulator.port}
password = {json.dumps(self.simulator.password)}
backoff_min_s = 0.05
backoff_max_s = 0.1
[redis]
url = "redis://user:{MARK}redis@127.0.0.1:1"
[gateways]
spool_file = "gateways.xml"
max_registrations_per_s = 2000
[control]
socket = "control.sock"
[http]
port = {self.http_port}
[cdr]
file = "cdr.jsonl"
[logging]
level = "debug"
"""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sipbridge", *arguments, "--settings", str(self.settings)]

    def run(self, *arguments: str, settings: Path | None = None, **environ: str) -> int:
        """Run a command, and keep what it prints."""
        command = self.command(*arguments)
        if settings is not None:
            command[-1] = str(settings)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            env={**os.environ, **environ},
        )
        text = done.stdout.decode()
        assert text, command
        self.seen[f"{len(self.seen)}: {' '.join(arguments)}"] = text
        status: int = done.returncode
        return status

    def look(self) -> None:
        """Keep what anybody sees from outside."""
        for path in ("/metrics", "/readyz", "/healthz"):
            self.seen[f"{len(self.seen)}: {path}"] = ThreadPool(1).apply(self._get, (path,))
        lines = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.parent.exists()]
        self.seen[f"{len(self.seen)}: command lines"] = b"\n".join(lines).decode(errors="replace")

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
                text: str = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
        return text

    def log(self) -> str:
        return self.program.text()

    def log_lines(self) -> int:
        with self.program.output.open("rb") as file:
            file.seek(self._counted_to)
            for block in iter(lambda: file.read(1 << 20), b""):
                self._lines += block.count(b"\n")
            self._counted_to = file.tell()
        return self._lines

    def wait_for_log(self, text: str) -> None:
        self.wait_until(lambda: text in self.log())

    def wait_until(self, is_so: Callable[[], object], timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert self.program.is_running, self.log()
            if time.monotonic() > deadline:
                raise TimeoutError(self.log()[-3000:])
            gevent.sleep(0.05)

    def call(self, user: str, request_uri: str = "sip:carol@bridge.example.org") -> None:
        self.simulator.place_call(request_uri, f"<sip:{user}@home>", "<sip:carol@home>")


@pytest.fixture
def secretive(tmp_path: Path) -> Iterator[Secretive]:
    spool = tmp_path / "gateways.xml"
    spool.write_text("<include>\n</include>\n")
    with Simulator(secret("esl"), spool_file=spool, tick_s=0.05) as simulator:
        simulator.registrar.rules.append(RegistrarRule(Refuse(), lambda it: it.username == "refused"))
        made = Secretive(tmp_path, simulator)
        try:
            yield made
        finally:
            made.program.kill()


@pytest.mark.timeout(3_600)
def test_no_secret_is_where_it_does_not_belong(secretive: Secretive) -> None:
    secretive.wait_for_log("account sip:refused@far.example.org cannot register")
    secretive.wait_for_log("Gone, by URL: cannot load accounts, keeping the current ones")
    secretive.wait_for_log("Redis: ")
    secretive.wait_for_log("skipped a row")
    secretive.look()
    run_every_command(secretive)
    reload_broken_files(secretive)
    break_the_link(secretive)
    refuse_settings(secretive)
    make_calls(secretive)
    secretive.look()
    secretive.wait_until(lambda: MARK not in (secretive.folder / "gateways.xml").read_text())
    os.kill(secretive.program.pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while secretive.program.is_running:
        assert time.monotonic() < deadline, secretive.log()[-3000:]
        gevent.sleep(0.05)
    secretive.seen["log"] = secretive.log()
    secretive.seen["call detail records"] = (secretive.folder / "cdr.jsonl").read_text()
    assert secretive.seen["log"].count("\n") >= LOG_LINES
    assert {name: context(text) for name, text in secretive.seen.items() if MARK in text} == {}
    # What was meant to go wrong did.
    assert "rejected the Event Socket password" in secretive.seen["log"]
    assert "Traceback" not in secretive.seen["log"]


def run_every_command(secretive: Secretive) -> None:
    file = str(secretive.providers_file)
    for arguments in (
        ("info",),
        ("status",),
        ("status", "--json"),
        ("calls",),
        ("check", file),
        ("check", "--json", file),
        ("check", "--connect", file),
        ("reload", "--dry-run"),
        ("drain", "--account", "sip:alice@far.example.org"),
        ("drain", "--account", "sip:alice@far.example.org", "--undo"),
        ("explain", file, "--request-uri", "sip:a@b", "--from", "sip:alice@home", "--to", "sip:c@d"),
        ("explain", file, "--json", "--request-uri", "sip:a@b", "--from", "sip:alice@home", "--to", "sip:c@d"),
        ("doctor",),
    ):
        secretive.run(*arguments)


def reload_broken_files(secretive: Secretive) -> None:
    files = []
    refused = 0
    for name, text in broken_files(secretive.providers_text):
        assert text != secretive.providers_text, name
        files.append(secretive.folder / f"{len(files)}.json")
        files[-1].write_text(text)
        secretive.providers_file.write_text(text)
        told = ThreadPool(1).apply(reload, (secretive.folder / "control.sock",))
        assert told["plan"] is None, name
        refused += told["error"] is None
        secretive.seen[f"reload: {name}"] = str(told)
    assert secretive.run("check", *map(str, files)) == 1
    assert secretive.run("check", "--json", *map(str, files)) == 1
    assert secretive.run("reload") == 1
    os.kill(secretive.program.pid, signal.SIGHUP)
    secretive.wait_until(lambda: secretive.log().count("the file has errors") == refused + 2)
    secretive.providers_file.write_text(secretive.providers_text)


def reload(socket: Path) -> dict[str, Any]:
    """Reload; a file without errors fails all the same, by a database of it that does not answer."""
    try:
        return {"error": None, **ask(socket, "reload", {"dry_run": False})}
    except ControlError as error:
        return {"error": str(error), "plan": None}


def break_the_link(secretive: Secretive) -> None:
    """What can go wrong between the daemon and FreeSWITCH."""
    simulator = secretive.simulator
    for fault in (
        simulator.faults.drop_connections,
        simulator.faults.send_garbage,
        simulator.faults.truncate_bodies,
        simulator.restart_switch,
        simulator.restart_profile,
    ):
        fault()
        secretive.call("alice")
        secretive.wait_until(lambda: ready(secretive))
    right, simulator.password = simulator.password, "another"
    simulator.faults.drop_connections()
    secretive.wait_for_log("rejected the Event Socket password")
    simulator.password = right
    secretive.wait_until(lambda: ready(secretive))


def ready(secretive: Secretive) -> bool:
    conditions = json.loads(ThreadPool(1).apply(secretive._get, ("/readyz",)))["conditions"]
    return bool(conditions["lease"]["holds"])


def refuse_settings(secretive: Secretive) -> None:
    """Settings that cannot be used, in the file and in the environment."""
    text, file = secretive.settings_text(), secretive.folder / "bad.toml"
    password = f"password = {json.dumps(secretive.simulator.password)}"
    assert password in text
    for bad in (
        text.replace(password, password[:-1]),
        text.replace(password, f'password = ["{MARK}"]'),
        text.replace(password, f'password = "{MARK}\\u0007"'),
        text.replace(password, f'{password}\npasswort = "{MARK}"'),
        text.replace("redis://user", "reddis://user"),
        text.replace("@127.0.0.1:1", "@127.0.0.1:port"),
        text.replace("[redis]", f'[redis]\npassword = "{MARK}"'),
    ):
        assert bad != text
        file.write_text(bad)
        file.chmod(0o600)
        assert secretive.run("run", settings=file) == 1, bad
    secretive.run("run", SIPBRIDGE_EVENT_SOCKET__PASSWORD=f"{MARK}\x07")
    secretive.run("run", SIPBRIDGE_REDIS__URL=f"http://{MARK}:{MARK}@host")
    # Another daemon runs already.
    assert secretive.run("run") == 1


def make_calls(secretive: Secretive) -> None:
    """Calls of all kinds, until the log is long enough."""
    hostile = "sip:%27%22%3C%26%3E${x}@bridge.example.org"
    while secretive.log_lines() < LOG_LINES:
        for _ in range(200):
            for user in ("alice", "refused", "bob", "nobody"):
                secretive.call(user)
            secretive.call("alice", hostile)
            gevent.sleep(0)
        for call in list(secretive.simulator.switch.calls.values()):
            call.hang_up()
        gevent.sleep(0.05)


def context(text: str) -> str:
    """Where the mark is, with some of what is around it."""
    at = text.index(MARK)
    return text[max(0, at - 100) : at + 100]
