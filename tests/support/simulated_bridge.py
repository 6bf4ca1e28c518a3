"""`sipbridge run` beside a simulated FreeSWITCH, for what shows them: each a process. I/O: processes, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.processes import Program, wait_until

_TESTS = Path(__file__).parents[1]
_INSIDE = "flexisip.example.org"


class Stage:
    """What runs, and ways to look at it and to have things happen."""

    def __init__(self, settings: Path, switch: subprocess.Popen[str] | None, daemon: Program | None) -> None:
        self.settings = settings
        self._daemon = daemon
        self._switch = switch

    @classmethod
    def without_a_bridge(cls, folder: Path) -> Stage:
        """Settings, and nothing that runs."""
        settings = folder / "sipbridge.toml"
        settings.write_text(f'[control]\nsocket = "{folder}/s"\n')
        return cls(settings, None, None)

    @property
    def control_socket(self) -> Path:
        """Where the daemon is asked."""
        return self.settings.with_name("control.sock")

    @property
    def daemon(self) -> Program:
        """``sipbridge run``."""
        assert self._daemon is not None
        return self._daemon

    def happen(self, line: str) -> None:
        """Have something happen: ``call alice yvonne``, ``hang up``, ``down``, ``up``."""
        assert self._switch is not None
        assert self._switch.stdin is not None
        self._switch.stdin.write(line + "\n")
        self._switch.stdin.flush()

    def command(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a `sipbridge` command, as an operator does in a pipe."""
        return subprocess.run(
            self.command_line(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **(environment or {})},
        )

    def command_line(self, *arguments: str) -> list[str]:
        """The words of such a command."""
        return [sys.executable, "-m", "sipbridge", *arguments, "--settings", str(self.settings)]

    def status(self) -> dict[str, Any]:
        """What ``sipbridge status --json`` prints."""
        done = self.command("status", "--json", "--limit", "100")
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def wait_until_settled(self, timeout_s: float = 60.0) -> None:
        """Wait until no account waits for the answer of its registrar."""

        def is_settled() -> bool:
            status = self.status()
            waiting = ("Should register", "Registration in progress")
            return status["bridge"]["takesCalls"] and not any(
                pool["registrations"].get(each) for pool in status["pools"] for each in waiting
            )

        wait_until("every account has registered, or failed", is_settled, timeout_s=timeout_s, poll_s=0.3)


@contextmanager
def stage(folder: Path, providers: Mapping[str, Any], more_settings: str = "") -> Iterator[Stage]:
    """Both processes, until the end of the block.

    Args:
        folder: for their files; its path is short, because that of a UNIX socket is.
        providers: the providers file.
        more_settings: TOML, with whole tables.
    """
    (folder / "providers.json").write_text(json.dumps(providers))
    spool = folder / "gateways.xml"
    spool.write_text("<include>\n</include>\n")
    switch = subprocess.Popen(
        [sys.executable, "-m", "support.simulated_switch", str(spool)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
    )
    assert switch.stdout is not None
    try:
        settings = folder / "sipbridge.toml"
        port = int(switch.stdout.readline())
        settings.write_text(_settings(port, spool, settings.with_name("control.sock")) + more_settings)
        settings.chmod(0o600)
        daemon = Program([sys.executable, "-m", "sipbridge", "run", "--settings", str(settings)], folder / "log.txt")
        shown = Stage(settings, switch, daemon)
        try:
            wait_until("the bridge answers", lambda: _answers(shown), timeout_s=60.0, poll_s=0.2)
            yield shown
        finally:
            daemon.kill()
    finally:
        # The end of its standard input is its end.
        switch.stdin.close() if switch.stdin else None
        switch.kill()
        switch.wait()
        switch.stdout.close()


def _answers(shown: Stage) -> bool:
    if not shown.daemon.is_running:
        raise AssertionError(f"the bridge did not start: {shown.daemon.text()}")
    return shown.command("status", "--json").returncode == 0


def _settings(port: int, spool: Path, control_socket: Path) -> str:
    return f"""
providers_file = "providers.json"
[event_socket]
port = {port}
password = "ClueCon"
backoff_max_s = 0.5
[control]
socket = "{control_socket}"
[http]
port = 0
[gateways]
spool_file = "{spool}"
"""


def two_providers(users: Sequence[str], max_calls_per_line: int = 2) -> dict[str, Any]:
    """The specification's first example with accounts in the file, and a provider for telephone numbers."""
    accounts = [_account(user, "jabiru.example.org") for user in users]
    return {
        "schemaVersion": 2,
        "providers": [
            {
                "name": "French telephone numbers",
                "triggerCondition": {"strategy": "MatchRegex", "source": "{requestUri}", "pattern": r"sip:\+33.*"},
                "accountToUse": {"strategy": "Random"},
                "onAccountNotFound": "decline",
                "outgoingInvite": {"to": "sip:{incoming.requestUri.user}@{account.uri.hostport}"},
                "accountPool": "FrenchPSTN",
            },
            {
                "name": "Flexisip -> Jabiru (Outbound)",
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "onAccountNotFound": "nextProvider",
                "outgoingInvite": {"to": "sip:{incoming.to.user}@{account.uri.hostport}", "from": "{account.uri}"},
                "accountPool": "JabiruAccountPool",
            },
        ],
        "accountPools": {
            "FrenchPSTN": {
                "outboundProxy": "<sip:some.provider.example.com;transport=tls>",
                "registrationRequired": True,
                "maxCallsPerLine": 1,
                "loader": [_account("account1", "some.provider.example.com")],
            },
            "JabiruAccountPool": {
                "outboundProxy": "<sip:jabiru.example.org;transport=tls>",
                "registrationRequired": True,
                "maxCallsPerLine": max_calls_per_line,
                "loader": accounts,
            },
        },
    }


def _account(user: str, domain: str) -> dict[str, str]:
    return {
        "uri": f"sip:{user}@{domain}",
        "alias": f"sip:{user}@{_INSIDE}",
        "secretType": "clrtxt",
        "secret": "a secret of the stage",
    }
