"""Runs the commands and writes docs/screens.md: what an operator sees. Starts processes; takes some minutes.

``make screens`` runs `sipbridge` beside a simulated FreeSWITCH, once with a few accounts and once with 100,000, makes
things fail, and records what each command shows in a terminal.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.simulated_bridge import Stage, stage, two_providers
from support.terminal import Terminal

TARGET = Path(__file__).with_name("screens.md")
EXAMPLES = Path(__file__).parents[1] / "tests/config/examples"
SMALL, LARGE = (80, 24), (120, 40)
HEADER = """# Screens

<!-- Made by docs/screens.py, which runs these commands: run it again when their output changes. -->

This page shows what the commands print in terminals of 80 and 120 columns. The bridge is real. FreeSWITCH is simulated,
except where the text says otherwise.
"""

# 100,000 accounts register within a minute, and all calls may start at once.
_FAST = "max_registrations_per_s = 2000\n\n[calls]\nmax_calls_per_s = 1000\n"
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")


def main() -> None:
    """Run everything, and write the page."""
    with tempfile.TemporaryDirectory(prefix="sipbridge-") as folder:
        parts = [HEADER, *_few_accounts(Path(folder))]
    with tempfile.TemporaryDirectory(prefix="sipbridge-") as folder:
        parts += _many_accounts(Path(folder))
    with tempfile.TemporaryDirectory(prefix="sipbridge-") as folder:
        parts += _real_freeswitch(Path(folder))
    TARGET.write_text("\n".join(parts))


def _few_accounts(folder: Path) -> Iterator[str]:
    with stage(folder, two_providers(["alice", "bob"])) as shown:
        shown.wait_until_settled()
        yield "## Three accounts\n\nEverything works:\n"
        yield _screen(shown, "status")
    with stage(folder, two_providers(["alice", "bob", "mallory", "trent"])) as shown:
        shown.wait_until_settled()
        yield (
            "Two more accounts: one has a wrong password, the registrar of the other does not answer. The only slot\n"
            "for telephone numbers is taken. `status` shows the problems first, each with the side that it is on:\n"
        )
        following = Terminal(shown.command_line("calls", "--follow"), LARGE)
        for caller, callee in (("alice", "yvonne"), ("eve", "+33612345678"), ("eve", "+33612345679")):
            shown.happen(f"call {caller} {callee}")
        for caller, callee in (("mallory", "yvonne"), ("bob", "busy"), ("nobody", "yvonne")):
            shown.happen(f"call {caller} {callee}")
        wait_until("all calls are decided", lambda: _decided(shown) == 6)
        yield _screen(shown, "status", size=LARGE)
        yield "A closer look at one account:\n"
        yield _screen(shown, "status", "--account", "mallory")
        yield "The calls in progress:\n"
        yield _screen(shown, "calls", size=LARGE)
        yield "Each decision as it is made, with the reasons:\n"
        shown.happen("hang up")
        following.wait_for("ended", timeout_s=60.0)
        yield _block("calls --follow", _lines(following.shown + following.read(1.0)))
        following.close()
        yield "FreeSWITCH is down:\n"
        shown.happen("down")
        wait_until("that is noticed", lambda: not shown.status()["switch"]["isConnected"])
        time.sleep(3.0)
        yield _screen(shown, "status")
    yield "No bridge is running:\n"
    yield _screen(shown, "status")
    yield "## A providers file with an error\n\nThe specification's second example, copied as it is:\n"
    (folder / "french_pstn.json").write_bytes((EXAMPLES / "french_pstn.json").read_bytes())
    yield _screen(shown, "check", str(folder / "french_pstn.json")).replace("/etc/sipbridge/french", "french")


def _real_freeswitch(folder: Path) -> Iterator[str]:
    """Run the doctor beside a real FreeSWITCH."""
    providers = two_providers(["alice"])
    for pool in providers["accountPools"].values():
        pool["outboundProxy"] = "<sip:127.0.0.1:5099>"
    freeswitch = FreeSwitch(folder / "freeswitch")
    try:
        bridge = Bridge(folder / "bridge", freeswitch, providers)
        try:
            told = bridge.command("doctor").stdout
        finally:
            bridge.kill()
    finally:
        freeswitch.kill()
    told = told.replace(str(folder / "bridge"), "/etc/sipbridge").replace(str(freeswitch.spool.parent), "/run/spool")
    yield "## What the doctor finds\n\nThis runs beside a real FreeSWITCH, on a machine with some faults:\n"
    yield _block("doctor", told.strip().split("\n"))


def _many_accounts(folder: Path) -> Iterator[str]:
    users = [f"user{number:06}" for number in range(99_990)] + [f"mallory{number}" for number in range(10)]
    with stage(folder, two_providers(users), _FAST) as shown:
        shown.wait_until_settled(timeout_s=600.0)
        for number in range(0, 400, 3):
            shown.happen(f"call user{number:06} yvonne")
        wait_until("all calls are decided", lambda: _decided(shown) == 134)
        yield "## 100,000 accounts\n\n`status --watch` has keys to sort, filter and page (80 x 24):\n"
        watching = Terminal(shown.command_line("status", "--watch"), SMALL)
        yield _block("status --watch", _watched(watching, "failing first"))
        yield "The same, sorted by address, and only accounts with 0123 in it (keys `s`, `s`, `/0123`):\n"
        watching.type("ss/0123\r")
        yield _block("status --watch", _watched(watching, 'by address, with "0123"'))
        watching.type("q")
        watching.wait()
        watching.close()


def _decided(shown: Stage) -> int:
    total = shown.status()["traffic"]["total"]
    return int(total["bridged"]) + sum(total["declined"].values())


def _screen(shown: Stage, *arguments: str, size: tuple[int, int] = SMALL) -> str:
    """Run a command and return what it shows."""
    terminal = Terminal(shown.command_line(*arguments), size)
    terminal.wait(timeout_s=120.0)
    told = _lines(terminal.shown)
    terminal.close()
    folder = str(shown.settings.parent)
    words = " ".join(Path(word).name if word.startswith(folder) else word for word in arguments)
    scrubbed = (line.replace(f"{folder}/control", "/run/sipbridge/control") for line in told)
    return _block(words, [line.replace(f"{folder}/", "/etc/sipbridge/") for line in scrubbed])


def _watched(terminal: Terminal, sign: str) -> list[str]:
    """Return the last complete screen after `sign` has appeared."""
    terminal.wait_for(sign, timeout_s=60.0)
    terminal.read(2.0)
    whole = [screen for screen in terminal.shown.split("\x1b[H") if "q quit" in screen and sign in screen]
    return _lines(whole[-1])


def _lines(written: str) -> list[str]:
    text = _ESCAPES.sub("", written).replace("\r", "")
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def _block(words: str, lines: list[str]) -> str:
    return "\n".join(["```console", f"$ sipbridge {words}", *lines, "```", ""])


if __name__ == "__main__":
    main()
