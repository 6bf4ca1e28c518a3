"""Passwords of accounts are on the disk of FreeSWITCH only while it reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until

SECRET = "s3cret-of-an-account"
ACCOUNT = {
    "uri": "sip:alice@127.0.0.1",
    "userid": "alice",
    "secretType": "clrtxt",
    "secret": SECRET,
}
PROVIDERS = {
    "schemaVersion": 2,
    "providers": [],
    "accountPools": {
        "Pool": {
            "outboundProxy": "<sip:127.0.0.1:9>",
            "registrationRequired": False,
            "maxCallsPerLine": 1,
            "loader": [ACCOUNT],
        }
    },
}


def files_with(text: str, folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and text.encode() in file.read_bytes():
            yield file


def test_no_file_of_freeswitch_keeps_a_password(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> None:
    bridge = Bridge(tmp_path / "bridge", bridged_freeswitch, PROVIDERS)
    try:
        wait_until("the gateway is there", lambda: bridged_freeswitch.gateways_up() != set())
        # What it was started with tells that it is there, and read.
        kept = bridged_freeswitch.directory / "log/freeswitch.xml.fsxml"
        assert "sipbridge_inside" in kept.read_text()
        wait_until("no file has it", lambda: not list(files_with(SECRET, bridged_freeswitch.directory)))
    finally:
        bridge.kill()
