"""Each log record becomes one line, for people or machines, whatever text a caller put into it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sipbridge.adapters.observe.log_output import is_journal

# In a process of its own: it takes over the log, and what gevent prints.
SCRIPT = """
import gevent, logging, sys
from sipbridge.adapters.observe.log_output import LogOutput
output = LogOutput("INFO", {as_json}, ["top-secret"])
output.start()
log = logging.getLogger("sipbridge.a.module")
{body}
output.stop()
"""


def logged(body: str, *, as_json: bool | None = False, **environ: str) -> list[str]:
    script = SCRIPT.format(as_json=as_json, body=body)
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, **environ},
    )
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_a_line_for_people_has_its_fields_as_key_and_value() -> None:
    (line,) = logged("log.warning('call declined: %s', 'lines-taken', extra={'call_id': 'a@b', 'provider': 'The one'})")
    time, _, rest = line.partition(" ")
    assert time.endswith("Z")
    assert rest == ("[warning  ] call declined: lines-taken [a.module] call_id=a@b provider='The one'")


def test_a_line_for_machines_is_an_object() -> None:
    (line,) = logged("log.warning('declined', extra={'call_id': 'a@b', 'provider': None})", as_json=True)
    fields = json.loads(line)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {"event": "declined", "level": "warning", "logger": "sipbridge.a.module", "call_id": "a@b"}


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "console"])
def test_nobody_makes_two_lines_of_one_nor_colours_it(as_json: bool) -> None:
    hostile = r"x\r\nforged\x1b[31m\u2028\x00\x85"
    (line,) = logged(f"log.warning('%s', '{hostile}', extra={{'call_id': '{hostile}'}})", as_json=as_json)
    assert line.isprintable()
    assert line.count("forged") == 2


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "console"])
def test_no_secret_gets_through(as_json: bool) -> None:
    body = """
log.warning("a top-secret %s", "top-secret", extra={"call_id": "top-secret", "url": "redis://u:hush-hush@h"})
def fails():
    password = local = "another secret"
    raise ValueError("it is top-secret")
try:
    fails()
except ValueError:
    log.exception("failed with top-secret")
gevent.spawn(fails).join()
"""
    text = "\n".join(logged(body, as_json=as_json))
    assert text.count("***") >= 6
    assert text.count("Traceback") == 2
    assert not [secret for secret in ("top-secret", "hush", "another secret\n") if secret in text]
    assert "it is ***" in text


def test_a_traceback_forges_no_line() -> None:
    body = r"""
try:
    raise ValueError("x\n2026-11-24T09:00:00.000Z [info] forged\x1b[2J")
except ValueError:
    log.exception("failed")
"""
    first, *others = logged(body)
    assert first.endswith("failed [a.module]")
    assert any("forged" in line for line in others)
    assert all(line.isprintable() and line.startswith("  ") for line in others)


def test_a_record_that_cannot_be_shown_costs_no_other() -> None:
    first, second = logged("log.warning('%d calls', 'x'); log.warning('still here')")
    assert re.search("cannot format a log record of .*: TypeError", first)
    assert "still here" in second


def test_what_is_less_serious_is_left_out() -> None:
    (line,) = logged("log.debug('detail'); log.info('news')")
    assert "news" in line


def test_no_colours_without_a_terminal() -> None:
    (line,) = logged("log.error('x')", as_json=None)
    assert "\x1b" not in line


def test_what_leads_to_journald_is_json_with_its_priority(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    script = SCRIPT.format(as_json=None, body="log.error('x'); log.info('y')")
    with file.open("w") as journal:
        status = os.fstat(journal.fileno())
        environ = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        subprocess.run([sys.executable, "-c", script], stderr=journal, timeout=60, check=True, env=environ)
    error, news = file.read_text().splitlines()
    assert (error[:3], news[:3]) == ("<3>", "<6>")
    assert [json.loads(line[3:])["event"] for line in (error, news)] == ["x", "y"]


@pytest.mark.parametrize("stream", ["", "8", "8:", "8:x", "0:0"])
def test_anything_else_is_no_journal(stream: str, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert not is_journal(stream, file.fileno())
