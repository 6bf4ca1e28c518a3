"""The daemon starts whole or not at all, and stops whatever the switch does."""

from __future__ import annotations

import json
import time
from pathlib import Path

import gevent
import pytest

from sipbridge.adapters.control_socket import ask
from sipbridge.app import App
from sipbridge.config.load import parse_providers
from sipbridge.settings import load_settings

PROVIDERS = {
    "schemaVersion": 2,
    "providers": [
        {
            "name": "PSTN",
            "accountPool": "Pool",
            "triggerCondition": {"strategy": "Always"},
            "accountToUse": {"strategy": "Random"},
            "onAccountNotFound": "decline",
            "outgoingInvite": {"to": "{incoming.to}"},
        }
    ],
    "accountPools": {
        "Pool": {
            "outboundProxy": "<sip:provider.example.net>",
            "registrationRequired": False,
            "maxCallsPerLine": 1,
            "loader": [{"uri": "sip:alice@provider.example.net"}],
        }
    },
}


def app(folder: Path, spool: str = "gateways.xml") -> App:
    settings = load_settings(
        None,
        {
            # Nobody listens on port 1.
            "SIPBRIDGE_EVENT_SOCKET__PORT": "1",
            "SIPBRIDGE_EVENT_SOCKET__PASSWORD": "ClueCon",
            "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(folder / spool),
            "SIPBRIDGE_CONTROL__SOCKET": str(folder / "control.sock"),
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
    assert ask(tmp_path / "control.sock", "info")["providers"][0]["accounts"][0]["freeSlots"] == 1
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 5.0
    assert [each.name for each in tmp_path.iterdir()] == ["gateways.xml"]


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
