"""The control socket: only permitted users can send commands to the daemon."""

from __future__ import annotations

import itertools
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.socket
import gevent.subprocess
import orjson
import pytest
from scripted_server import until

from sipbridge.adapters.control import control_socket
from sipbridge.adapters.control.control_socket import ControlError, ControlServer, ask, ask_on
from sipbridge.core.errors import SipBridgeError
from support.other_user import as_nobody


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@contextmanager
def listening(path: Path, **handlers: Any) -> Iterator[ControlServer]:
    server = ControlServer(path, handlers or {"info": lambda _: {"providers": []}})
    server.start()
    try:
        yield server
    finally:
        server.stop()


def exchange(path: Path, request: bytes, lines: int = 1) -> list[Any]:
    with gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.sendall(request)
        with client.makefile("rb") as answers:
            return [orjson.loads(answers.readline()) for _ in range(lines)]


def test_a_question_is_answered(path: Path) -> None:
    with listening(path, info=lambda _: {"a": [1, "\u00e9"]}):
        assert ask(path, "info") == {"a": [1, "\u00e9"]}
        assert ask(path, "info") == {"a": [1, "\u00e9"]}


def test_many_may_ask_at_once(path: Path) -> None:
    with listening(path):
        asking = [gevent.spawn(ask, path, "info") for _ in range(100)]
        assert [each.get() for each in asking] == [{"providers": []}] * 100


def test_only_owner_and_group_may_connect(path: Path) -> None:
    previous = os.umask(0)
    try:
        with listening(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert stat.S_ISSOCK(path.stat().st_mode)
    finally:
        os.umask(previous)


def test_the_umask_is_as_it_was_before(path: Path) -> None:
    previous = os.umask(0o027)
    try:
        with listening(path):
            assert os.umask(0o027) == 0o027
    finally:
        os.umask(previous)


def test_nothing_is_left_when_it_stops(path: Path) -> None:
    with listening(path):
        assert path.exists()
    assert not path.exists()
    with pytest.raises(ControlError, match="no sipbridge listens on"):
        ask(path, "info")


def test_who_may_not_ask_is_told_so(path: Path) -> None:
    with listening(path), as_nobody(path), pytest.raises(ControlError, match="only root and members of the group"):
        ask(path, "info")


def test_the_socket_of_a_killed_daemon_is_replaced(path: Path) -> None:
    left = gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    with pytest.raises(ControlError, match="Connection refused"):
        ask(path, "info")
    with listening(path):
        assert ask(path, "info") == {"providers": []}


def test_a_second_daemon_does_not_start_and_leaves_the_first_alone(path: Path) -> None:
    with listening(path):
        second = ControlServer(path, {"info": lambda _: "second"})
        with pytest.raises(ControlError, match="another sipbridge already listens on"):
            second.start()
        second.stop()
        assert ask(path, "info") == {"providers": []}


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    server = ControlServer(path, {})
    with pytest.raises(ControlError, match="is not a socket"):
        server.start()
    server.stop()
    assert path.read_text() == "precious"


@pytest.mark.parametrize("folder", ["none", "x" * 200], ids=["does not exist", "too long for a socket"])
def test_a_path_that_does_not_do_is_an_error(tmp_path: Path, folder: str) -> None:
    parent = tmp_path / folder
    if folder != "none":
        parent.mkdir()
    with pytest.raises(ControlError, match=r"cannot create .*(No such file|too long)"):
        ControlServer(parent / "control.sock", {}).start()


@pytest.mark.parametrize(
    ("request_line", "error"),
    [
        (b"\n", "invalid request: not JSON"),
        (b"\xff\xfe\n", "invalid request: not JSON"),
        (b"GET / HTTP/1.1\n", "invalid request: not JSON"),
        (b"[" * 60_000 + b"\n", "invalid request: not JSON"),
        (b"[]\n", "unknown command None; known are info"),
        (b"{}\n", "unknown command None; known are info"),
        (b'{"command": ["info"]}\n', "unknown command ['info']; known are info"),
        (b'{"command": "__init__"}\n', "unknown command '__init__'; known are info"),
    ],
    ids=lambda each: str(each)[:24],
)
def test_junk_is_answered_with_an_error(path: Path, request_line: bytes, error: str) -> None:
    with listening(path):
        answers = exchange(path, request_line + b'{"command": "info"}\n', lines=2)
        assert answers == [{"error": error}, {"result": {"providers": []}}]


def test_a_line_without_an_end_takes_no_memory(path: Path) -> None:
    with listening(path):
        assert exchange(path, b"x" * 200_000) == [{"error": "invalid request: not JSON"}]


def test_a_client_that_goes_away_costs_nothing(path: Path) -> None:
    with listening(path):
        for request in (b"", b"{", b'{"command": "info"}\n'):
            with gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM) as client:
                client.connect(str(path))
                client.sendall(request)
        assert ask(path, "info") == {"providers": []}


def test_a_refusal_is_told(path: Path) -> None:
    with listening(path), pytest.raises(ControlError, match="unknown command 'reload'; known are info"):
        ask(path, "reload")


def test_a_command_gets_its_arguments(path: Path) -> None:
    with listening(path, reload=lambda arguments: [arguments]):
        assert ask(path, "reload", {"dry_run": True, "who": "é"}) == [{"dry_run": True, "who": "é"}]
        assert ask(path, "reload") == [{}]


def test_what_a_command_refuses_is_told_in_its_words(path: Path) -> None:
    def refuse(_: Mapping[str, Any]) -> None:
        raise SipBridgeError("there is no provider")

    with listening(path, drain=refuse), pytest.raises(ControlError, match=r"^there is no provider$"):
        ask(path, "drain")


def test_a_command_may_take_longer_than_a_client(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_CLIENT_TIMEOUT_S", 0.05)
    with listening(path, reload=lambda _: gevent.sleep(0.2) or "done"):
        assert ask(path, "reload") == "done"


def test_a_client_that_says_nothing_is_not_waited_for_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_CLIENT_TIMEOUT_S", 0.05)
    with listening(path), gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM) as client:
        client.connect(str(path))
        assert client.recv(100) == b""


def test_a_handler_that_fails_is_told_and_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listening(path, info=lambda _: 1 / 0, version=lambda _: 1):
        with pytest.raises(ControlError, match="info failed; see the daemon's log"):
            ask(path, "info")
        assert ask(path, "version") == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_daemon_that_does_not_answer_is_not_waited_for_long(path: Path) -> None:
    with (
        listening(path, info=lambda _: gevent.sleep(5)),
        pytest.raises(ControlError, match=r"no answer on .* within 0.1"),
    ):
        ask(path, "info", timeout_s=0.1)


def test_stopping_ends_clients_that_are_still_there(path: Path) -> None:
    with listening(path) as server, gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.sendall(b'{"command": "info"}\n')
        assert client.recv(100)
        stopping = gevent.spawn(server.stop)
        assert client.recv(100) == b""
        until(stopping.ready)


# Who asks

NOBODY = 65_534
_ASK = """
import os, socket, sys
os.setgroups([int(group) for group in sys.argv[3:]])
os.setresgid(*[int(sys.argv[2])] * 3)
os.setresuid(*[int(sys.argv[2])] * 3)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b'{"command": "info"}\\n')
print(client.recv(1000).decode())
"""


def ask_as(path: Path, user: int, *groups: int) -> Any:
    """What somebody else is told, though the file is open to all."""
    path.parent.chmod(0o755)
    path.chmod(0o666)
    command = [sys.executable, "-c", _ASK, str(path), str(user), *map(str, groups)]
    return orjson.loads(gevent.subprocess.check_output(command))


@pytest.fixture
def open_path() -> Iterator[Path]:
    """Where everybody can get at."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "control.sock"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_who_is_not_in_the_group_of_the_socket_is_refused(open_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listening(open_path):
        assert ask_as(open_path, NOBODY) == {
            "error": f"permission denied: only the group of {open_path} may send commands"
        }
        assert f"uid {NOBODY}" in caplog.text
        assert ask_as(open_path, NOBODY, open_path.stat().st_gid) == {"result": {"providers": []}}


def test_what_changes_something_is_logged_with_who_asked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = ControlServer(path, {"drain": lambda _: "done", "info": lambda _: "x"}, logged=("drain",))
    server.start()
    try:
        ask(path, "info")
        assert caplog.messages == []
        ask(path, "drain", {"provider": "Jabiru"})
    finally:
        server.stop()
    (message,) = caplog.messages
    assert "Jabiru" in message
    assert f"uid {os.geteuid()} (pid {os.getpid()})" in message


# Answers that go on


def counting(end: int | None = None) -> Iterator[int | None]:
    """Numbers, with pauses in between."""
    for number in itertools.count():
        if number == end:
            return
        yield number
        yield None
        gevent.sleep(0.001)


def test_an_answer_may_go_on_until_nobody_wants_more(path: Path) -> None:
    ended = gevent.event.Event()

    def follow(_: Mapping[str, Any]) -> Iterator[int | None]:
        try:
            yield from counting()
        finally:
            ended.set()

    with listening(path, follow=follow):
        news = ask_on(path, "follow")
        assert [next(news) for _ in range(5)] == [0, 1, 2, 3, 4]
        news.close()
        assert ended.wait(10), "the daemon goes on telling nobody"


def test_an_answer_that_goes_on_may_end_and_another_command_follow(path: Path) -> None:
    with listening(path, follow=lambda _: counting(2), info=lambda _: "x"):
        request = b'{"command": "follow"}\n{"command": "info"}\n'
        assert exchange(path, request, lines=3) == [{"result": 0}, {"result": 1}, {"result": "x"}]


def test_who_follows_hears_that_there_is_no_news(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_HEARTBEAT_S", 0.02)

    def follow(_: Mapping[str, Any]) -> Iterator[None]:
        while True:
            yield None
            gevent.sleep(0.005)

    with listening(path, follow=follow):
        assert exchange(path, b'{"command": "follow"}\n', lines=3) == [{"result": None}] * 3


def test_who_follows_and_reads_nothing_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_CLIENT_TIMEOUT_S", 0.2)
    ended = gevent.event.Event()

    def follow(_: Mapping[str, Any]) -> Iterator[str]:
        try:
            while True:
                yield "x" * 10_000
                gevent.sleep(0)
        finally:
            ended.set()

    with (
        listening(path, follow=follow, info=lambda _: "x"),
        gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM) as client,
    ):
        client.connect(str(path))
        client.sendall(b'{"command": "follow"}\n')
        assert ask(path, "info") == "x"
        assert ended.wait(10)


def test_followers_leave_room_for_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_MAX_STREAMS", 2)
    with listening(path, follow=lambda _: counting(), info=lambda _: "x"):
        following = [ask_on(path, "follow") for _ in range(2)]
        assert [next(each) for each in following] == [0, 0]
        with pytest.raises(ControlError, match="too many followers: 2"):
            next(ask_on(path, "follow"))
        assert ask(path, "info") == "x"
        following[0].close()
        until(lambda: "error" not in exchange(path, b'{"command": "follow"}\n')[0])


def test_an_answer_that_breaks_off_is_told_and_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def follow(_: Mapping[str, Any]) -> Iterator[float]:
        yield 1.0
        yield 1 / 0

    with listening(path, follow=follow):
        news = ask_on(path, "follow")
        assert next(news) == 1.0
        with pytest.raises(ControlError, match="stream failed; see the daemon's log"):
            next(news)
    assert "ZeroDivisionError" in caplog.text


def test_a_daemon_that_goes_silent_is_not_followed_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_HEARTBEAT_S", 0.05)

    def follow(_: Mapping[str, Any]) -> Iterator[int]:
        yield 1
        gevent.sleep(30)

    with listening(path, follow=follow):
        news = ask_on(path, "follow")
        assert next(news) == 1
        with pytest.raises(ControlError, match=r"no data from .* for 0.15 s"):
            next(news)


def test_following_ends_with_the_daemon(path: Path) -> None:
    with listening(path, follow=lambda _: counting()) as server:
        news = ask_on(path, "follow")
        assert next(news) == 0
        stopping = gevent.spawn(server.stop)
        for _ in news:
            pass
        until(stopping.ready)
    with pytest.raises(ControlError, match="no sipbridge listens on"):
        next(ask_on(path, "follow"))
