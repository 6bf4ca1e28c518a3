"""systemd receives the expected notifications; without systemd nothing is sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipbridge.adapters.observe.service_manager import ServiceManager


class Manager:
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(0.0)

    def told(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["in the file system", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "in the file system" else f"@sipbridge-test-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    yield made
    made.socket.close()


def test_it_is_told_everything(manager: Manager, address: str) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": address})
    assert service.is_listening
    service.ready()
    service.status("ready; 3 calls")
    service.status("ready; 3 calls")
    service.reloading()
    service.ready()
    service.stopping(within_s=30)
    service.alive()
    ready, status, reloading, again, stopping = manager.told()
    assert (ready, status, again) == ("READY=1", "STATUS=ready; 3 calls", "READY=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert int(reloading.partition("USEC=")[2]) > 0
    assert stopping == "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000"
    service.close()
    service.ready()
    assert manager.told() == []


def test_a_sign_of_life_is_given_twice_as_often_as_it_is_expected(
    manager: Manager, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 101.0, 104.9, 105.0, 106.0, 110.0))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    service = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "10000000"})
    for _ in range(6):
        service.alive()
    assert manager.told() == ["WATCHDOG=1"] * 3
    service.close()


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}]
)
def test_no_sign_of_life_where_none_is_expected(manager: Manager, address: str, environ: dict[str, str]) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": address} | environ)
    service.alive()
    assert manager.told() == []
    service.close()


def test_without_systemd_nothing_happens() -> None:
    service = ServiceManager({"WATCHDOG_USEC": "1000"})
    assert not service.is_listening
    service.ready()
    service.alive()
    service.close()


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    service.ready()
    assert service.is_listening, "it may come back"
    service.close()
