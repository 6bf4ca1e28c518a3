"""The files of freeswitch/edge as they are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.edge import CONFIGURATION, PROGRAM, Edge

OPTIONS = ["EDGE_WITH_TLS", "EDGE_WITH_RTPENGINE"]


@pytest.mark.parametrize("defined", [[], OPTIONS[:1], OPTIONS[1:], OPTIONS], ids=["plain", "tls", "rtpengine", "both"])
def test_kamailio_reads_it(tmp_path: Path, defined: list[str]) -> None:
    for name in ("kamailio.cfg", "sdp.cfg"):
        (tmp_path / name).write_text((CONFIGURATION / name).read_text())
    local = (CONFIGURATION / "local.cfg").read_text()
    local = re.sub(r"(?m)^(# )?#!define (\w+)$", lambda match: f"#!define {match[2]}" * (match[2] in defined), local)
    assert [name for name in OPTIONS if f"#!define {name}" in local] == defined
    (tmp_path / "local.cfg").write_text(local)
    command = [PROGRAM or "", "-c", "-f", str(tmp_path / "kamailio.cfg"), "-Y", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    messages = [line for line in done.stderr.splitlines() if re.search("ERROR|CRITICAL|WARNING", line)]
    assert (done.returncode, messages) == (0, [])


def test_each_definition_is_used() -> None:
    configuration = (CONFIGURATION / "kamailio.cfg").read_text()
    names = re.findall(r"EDGE_\w+(?=!)", (CONFIGURATION / "local.cfg").read_text())
    assert len(names) > 5
    assert [name for name in names if name not in configuration] == []


def test_rpc_socket_is_for_its_owner_and_group(edge: Edge) -> None:
    assert edge.rpc_socket.is_socket()
    assert oct(edge.rpc_socket.stat().st_mode & 0o777) == "0o660"


def test_secrets_are_in_no_log(edge: Edge) -> None:
    edge.set_account("sipbridge.a.1", "clear", "sip:192.0.2.1", "a secret of a test")
    edge.delete_account("sipbridge.a.1")
    assert "a secret of a test" not in edge.log()
