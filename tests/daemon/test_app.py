"""The daemon starts whole or not at all, and stops whatever the switch does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import gevent
import pytest
from daemon_examples import PROVIDERS
from gevent.threadpool import ThreadPool

from sipbridge.adapters.control.control_socket import ask
from sipbridge.adapters.observe.http_server import HttpServerError
from sipbridge.config.load import parse_providers
from sipbridge.core.observe import metrics
from sipbridge.daemon.app import App
from sipbridge.settings import load_settings
from support.processes import free_tcp_port


def app(folder: Path, spool: str = "gateways.xml", http_port: int = 0, **more: str) -> App:
    settings = load_settings(
        None,
        {
            # Nobody listens on port 1.
            "SIPBRIDGE_EVENT_SOCKET__PORT": "1",
            "SIPBRIDGE_EVENT_SOCKET__PASSWORD": "ClueCon",
            "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(folder / spool),
            "SIPBRIDGE_CONTROL__SOCKET": str(folder / "control.sock"),
            "SIPBRIDGE_HTTP__PORT": str(http_port),
            "SIPBRIDGE_CDR__FILE": str(folder / "cdr.jsonl"),
            **more,
        },
    )
    config = parse_providers(json.dumps(PROVIDERS).encode(), "providers.json", settings.media_defaults).config
    assert config is not None
    return App(settings, config)


def test_without_a_switch_it_answers_and_stops_at_once(tmp_path: Path) -> None:
    daemon = app(tmp_path)
    daemon.start()
    gevent.sleep(0.05)
    assert not daemon.takes_calls
    (account,) = ask(tmp_path / "control.sock", "info")["providers"][0]["accounts"]
    assert account["status"] == "Registration in progress"
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 5.0
    assert [each.name for each in tmp_path.iterdir()] == ["gateways.xml"]


def test_all_metrics_are_exported_and_no_others(tmp_path: Path) -> None:
    port = free_tcp_port()
    daemon = app(tmp_path, http_port=port)
    daemon.start()
    try:
        text = ThreadPool(1).apply(_get, (f"http://127.0.0.1:{port}/metrics",))
    finally:
        daemon.stop()
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE sipbridge_")}
    only_with = {metrics.REDIS_UP, metrics.LOG_DROPPED, metrics.SESSIONS, metrics.SESSIONS_LIMIT}
    only_with |= {metrics.EDGE_UP, metrics.EDGE_ACCOUNTS, metrics.EDGE_KNOWN}
    assert names == {definition.name for definition in metrics.DEFINITIONS if definition not in only_with}
    assert 'sipbridge_ready_condition{condition="event_socket"} 0.0' in text


def test_an_edge_that_is_not_there_is_seen(tmp_path: Path) -> None:
    port = free_tcp_port()
    rpc = str(tmp_path / "nobody.sock")
    daemon = app(tmp_path, http_port=port, SIPBRIDGE_EDGE__ENABLED="true", SIPBRIDGE_EDGE__RPC_SOCKET=rpc)
    daemon.start()
    try:
        text = ThreadPool(1).apply(_get, (f"http://127.0.0.1:{port}/metrics",))
    finally:
        daemon.stop()
    assert "\nsipbridge_edge_up 0.0\n" in text


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as response:
        text: str = response.read().decode()
        return text


def test_a_port_that_somebody_else_has_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        daemon = app(tmp_path, http_port=other.getsockname()[1])
        with pytest.raises(HttpServerError, match="Address already in use"):
            daemon.start()
    assert not list(tmp_path.iterdir())


def test_secrets_that_a_killed_daemon_left_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "gateways.xml").write_text("<include><gateway name='x'/></include>")
    daemon = app(tmp_path)
    daemon.start()
    daemon.stop()
    assert "gateway " not in (tmp_path / "gateways.xml").read_text()


def test_a_spool_that_cannot_be_written_leaves_no_socket_behind(tmp_path: Path) -> None:
    daemon = app(tmp_path, spool="none/gateways.xml")
    with pytest.raises(FileNotFoundError):
        daemon.start()
    assert not list(tmp_path.iterdir())


def test_who_has_no_database_starts_without_what_reads_them() -> None:
    """They take a quarter of a second to import: an eighth of the time to the first call with 20,000 accounts."""
    script = "import sys, sipbridge.cli.run; print(sorted({'sqlalchemy', 'pymysql', 'redis'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
