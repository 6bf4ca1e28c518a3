"""``sipbridge calls`` on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.processes import Program, wait_until
from support.simulated_bridge import Stage, stage, two_providers


@pytest.fixture(scope="module")
def shown() -> Iterator[Stage]:
    """A bridge with a call that goes on, and one that was declined."""
    with (
        TemporaryDirectory(prefix="sipbridge-") as folder,
        stage(Path(folder), two_providers(["alice", "bob"], max_calls_per_line=1)) as made,
    ):
        made.wait_until_settled()
        made.happen("call alice yvonne")
        made.happen("call alice zoe")
        wait_until("both calls are decided", lambda: made.status()["traffic"]["total"]["declined"])
        yield made


def rows(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_calls_in_progress(shown: Stage) -> None:
    title, _, head, row = rows(shown.command("calls"))
    assert title == "1 call in progress"
    assert head.split()[:3] == ["FOR", "STATE", "FROM"]
    assert "sip:alice@flexisip.example.org  sip:yvonne@flexisip.example.org  sip:alice@jabiru.example.org" in row
    assert rows(shown.command("calls", "--match", "bob")) == ["0 calls in progress"]


def test_calls_for_machines(shown: Stage) -> None:
    (call,) = json.loads(shown.command("calls", "--json").stdout)["calls"]
    assert (call["from"], call["provider"]) == ("sip:alice@flexisip.example.org", "Flexisip -> Jabiru (Outbound)")
    assert call["state"] in ("ringing", "talking")


def test_decisions_are_followed_as_they_are_made(shown: Stage, tmp_path: Path) -> None:
    following = Program(shown.command_line("calls", "--follow", "--match", "bob", "--limit", "0"), tmp_path / "out")
    try:

        def tells(*texts: str) -> bool:
            # A follower that is not there yet is not told: have it happen again.
            shown.happen("call bob busy")
            return all(text in following.text() for text in texts)

        wait_until("the call and its end are shown", lambda: tells("bridged   sip:bob@", "486 USER_BUSY"), timeout_s=30)
        following.signal(signal.SIGINT)
        assert following.wait(20) == 0
    finally:
        following.kill()
    assert "1. French telephone numbers: its pattern does not match the Request-URI" in following.text()
    assert "alice" not in following.text()
    assert "Traceback" not in following.text()
    assert "KeyboardInterrupt" not in following.text()


def test_what_was_before_is_shown_and_only_what_went_wrong_where_that_is_wanted(shown: Stage, tmp_path: Path) -> None:
    following = Program(
        shown.command_line("calls", "--follow", "--declined", "--json", "--limit", "1000"), tmp_path / "out"
    )
    try:
        wait_until("the declined call is shown", lambda: "\n" in following.text(), timeout_s=30)
    finally:
        following.kill()
    first = json.loads(following.text().splitlines()[0])
    assert (first["kind"], first["reason"], first["answer"]) == ("declined", "lines-taken", "488 Not Acceptable Here")


def test_without_a_bridge_it_says_so_in_one_line(tmp_path: Path) -> None:
    nobody = Stage.without_a_bridge(tmp_path)
    for arguments in ((), ("--follow",)):
        done = nobody.command("calls", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"sipbridge: error: no sipbridge listens on {tmp_path}/s: No such file or directory\n"


def test_declined_goes_with_follow(shown: Stage) -> None:
    done = shown.command("calls", "--declined")
    assert done.returncode == 2
    assert "--declined requires --follow" in done.stderr
