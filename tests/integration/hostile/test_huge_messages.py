"""SIP messages that keep FreeSWITCH busy for seconds: the bridge notices, and says so before callers do."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest

from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until

UNKNOWN_HEADERS = 40_000


@pytest.fixture
def bridge(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> Iterator[Bridge]:
    file = jabiru.providers_file("127.0.0.1:9", "127.0.0.1:9", "udp")
    file["accountPools"]["JabiruAccountPool"]["registrationRequired"] = False
    made = Bridge(tmp_path, bridged_freeswitch, file)
    yield made
    made.kill()


def is_ready(bridge: Bridge) -> bool:
    return bridge.get("/readyz")[0] == 200


def huge_invite(hostport: str) -> bytes:
    head = (
        f"INVITE sip:bob@{hostport} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKhuge\r\nMax-Forwards: 70\r\n"
        "From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: huge\r\nCSeq: 1 INVITE\r\n"
    )
    unknown = "".join(f"X-Unknown-{number}: 0123456789\r\n" for number in range(UNKNOWN_HEADERS))
    return f"{head}{unknown}Content-Length: 0\r\n\r\n".encode()


@pytest.mark.timeout(240)
def test_sip_that_stands_still_is_not_ready(bridged_freeswitch: FreeSwitch, bridge: Bridge) -> None:
    wait_until("ready", lambda: is_ready(bridge))
    wait_until("asked", lambda: 'sipbridge_sip_up{profile="inside"} 1.0' in bridge.get("/metrics")[1])
    message = huge_invite(bridged_freeswitch.providers)
    ip, port = bridged_freeswitch.providers.split(":")
    with socket.create_connection((ip, int(port)), timeout=60) as client:
        with contextlib.suppress(OSError):
            client.sendall(message)
        wait_until("not ready", lambda: not is_ready(bridge), timeout_s=30)
        status, body = bridge.get("/readyz")
        assert status == 503
        assert "no answer to OPTIONS within 2 s" in body
        assert "no answer to OPTIONS" in bridge.command("status").stdout
    wait_until("ready again", lambda: is_ready(bridge), timeout_s=120)
