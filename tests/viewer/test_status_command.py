"""``sipbridge status`` on the command line: in a pipe, in a terminal, with keys, and without a daemon."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.processes import wait_until
from support.simulated_bridge import Stage, stage, two_providers
from support.terminal import Terminal

ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def shown() -> Iterator[Stage]:
    """A bridge with an account that is refused, one whose line is taken, and some calls."""
    with (
        TemporaryDirectory(prefix="sipbridge-") as folder,
        stage(Path(folder), two_providers(["alice", "bob", "mallory"], max_calls_per_line=1)) as made,
    ):
        made.wait_until_settled()
        made.happen("call alice yvonne")
        made.happen("call alice zoe")
        wait_until("both calls are decided", lambda: made.status()["traffic"]["total"]["declined"])
        yield made


@contextmanager
def terminal(
    shown: Stage, *arguments: str, size: tuple[int, int] = (100, 40), **environment: str
) -> Iterator[Terminal]:
    made = Terminal(shown.command_line("status", *arguments), size, environment)
    try:
        yield made
    finally:
        made.close()


def test_in_a_pipe_it_is_plain_text_and_nothing_is_cut(shown: Stage) -> None:
    done = shown.command("status", environment={"COLUMNS": "40"})
    assert (done.returncode, done.stderr) == (0, "")
    assert ESCAPE not in done.stdout
    assert "…" not in done.stdout
    assert "warn  accounts    pool JabiruAccountPool: 1 of 3 rejected: 403 Forbidden\n" in done.stdout
    assert 'warn  lines       provider "Flexisip -> Jabiru (Outbound)": 1 call declined in 5 min: lines-taken\n' in (
        done.stdout
    )
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("sip:alice@"))
    assert row[1:] == ["JabiruAccountPool", "OK", "1", "of", "1", "sip:alice@flexisip.example.org"]


def test_for_machines(shown: Stage) -> None:
    told = json.loads(shown.command("status", "--json", "--limit", "1").stdout)
    assert [problem["side"] for problem in told["problems"]] == ["accounts", "lines"]
    assert [row["uri"] for row in told["accounts"]["rows"]] == ["sip:mallory@jabiru.example.org"]
    assert told["accounts"]["matching"] == 4


def test_a_closer_look(shown: Stage) -> None:
    pool = shown.command("status", "--pool", "FrenchPSTN").stdout
    assert "account1" in pool
    assert "Jabiru" not in pool
    account = shown.command("status", "--account", "mallory").stdout
    assert account.startswith("account       sip:mallory@jabiru.example.org\n")
    assert "registration  403 Forbidden for " in account
    assert 'no accounts with "nobody"' in shown.command("status", "--account", "nobody").stdout


@pytest.mark.parametrize(("option", "what"), [("--pool", "pool"), ("--provider", "provider")])
def test_a_name_that_nobody_has_is_an_error(shown: Stage, option: str, what: str) -> None:
    done = shown.command("status", option, "Jabiru")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f'sipbridge: error: unknown {what} "Jabiru"; known are "French')


def test_in_a_terminal_it_has_colours_and_its_width(shown: Stage) -> None:
    with terminal(shown, size=(80, 24)) as seen:
        assert seen.wait() == 0
    assert f"{ESCAPE}[" in seen.shown
    plain = [line for line in seen.shown.replace("\r", "").split("\n") if " accounts, failing" in line]
    assert plain


def test_without_colours_it_says_the_same(shown: Stage) -> None:
    with terminal(shown, NO_COLOR="1") as seen:
        assert seen.wait() == 0
    assert not any(f"{ESCAPE}[{colour}m" in seen.shown for colour in ("31", "32", "33", "1;31"))
    assert "warn  accounts" in seen.shown.replace(f"{ESCAPE}[0m", "")


def test_keys_change_what_is_watched(shown: Stage) -> None:
    with terminal(shown, "--watch", "--interval", "0.5") as seen:
        seen.wait_for("failing first", "q quit")
        seen.type("s")
        seen.wait_for("busiest first")
        seen.type("s")
        seen.wait_for("by address")
        seen.type("/ali")
        seen.wait_for("filter accounts: ali")
        seen.type("\r")
        seen.wait_for('1 account, by address, with "ali"')
        seen.type("\x1b")
        seen.wait_for("4 accounts, by address")
        seen.type("f")
        seen.wait_for("1 account, by address, failed only")
        seen.type("q")
        assert seen.wait() == 0
    # The terminal is as it was: the usual screen, with its cursor.
    assert f"{ESCAPE}[?1049l" in seen.shown
    assert seen.shown.rindex(f"{ESCAPE}[?25h") > seen.shown.rindex(f"{ESCAPE}[?25l")


def test_another_size_is_noticed_and_ctrl_c_ends_it(shown: Stage) -> None:
    with terminal(shown, "--watch", size=(40, 8)) as seen:
        seen.wait_for("sipbridge")
        assert "those that need" not in seen.shown
        seen.resize(120, 40)
        seen.wait_for("failing first")
        seen.type("\x03")
        assert seen.wait() == 0


def test_a_signal_leaves_the_terminal_as_it_was(shown: Stage) -> None:
    with terminal(shown, "--watch") as seen:
        seen.wait_for("q quit")
        before = termios.tcgetattr(seen.fileno)[3]
        os.kill(seen.pid, signal.SIGTERM)
        assert seen.wait() == 128 + signal.SIGTERM
        assert not before & termios.ICANON
        assert termios.tcgetattr(seen.fileno)[3] & termios.ICANON
    assert seen.shown.rindex(f"{ESCAPE}[?1049l") > seen.shown.rindex(f"{ESCAPE}[?1049h")


def test_whoever_reads_only_the_beginning_gets_it(shown: Stage) -> None:
    pipe = f"{shlex.join(shown.command_line('status'))} | head -n 1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_to_watch_takes_a_terminal(shown: Stage) -> None:
    done = shown.command("status", "--watch")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--watch needs a terminal" in done.stderr


def test_without_a_bridge_it_says_so_in_one_line(tmp_path: Path) -> None:
    nobody = Stage.without_a_bridge(tmp_path)
    done = nobody.command("status")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"sipbridge: error: no sipbridge listens on {tmp_path}/s: No such file or directory\n"


def test_a_bridge_that_stops_is_waited_for() -> None:
    with TemporaryDirectory(prefix="sipbridge-") as folder:
        with stage(Path(folder), two_providers(["alice"])) as made:
            watching = Terminal(made.command_line("status", "--watch", "--interval", "0.5"), (120, 30))
            watching.wait_for("q quit")
        try:
            watching.wait_for("no sipbridge listens on", "old")
            watching.type("q")
            assert watching.wait() == 0
        finally:
            watching.close()
