"""What the fuzzers keep of calls is sent as it is, in real INVITEs: the one that leaves is the one that was meant.

What was meant is read from the bytes by a few lines of their own, which know nothing of `core.uri`. FreeSWITCH runs
with `api-expansion`, so that what could run would.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hostile_world import ACCOUNT, LINES, everything_goes_out, freeswitch_that_expands

from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

CORPUS = sorted((Path(__file__).parents[2] / "fuzz/corpus/dial_string").iterdir())
SEPARATOR = b"\x1e"
ORDINARY = (b"sip:bob@flexisip.example.org", b"<sip:alice@flexisip.example.org>", b"<sip:bob@flexisip.example.org>")


@dataclass(frozen=True, slots=True)
class World:
    freeswitch: FreeSwitch
    bridge: Bridge
    callee: SipPeer
    trap: Path

    def send(self, request_uri: bytes, from_: bytes, to: bytes) -> tuple[int | None, list[SipMessage]]:
        """Send an INVITE; its final status, if there is any, and the INVITEs that the callee got of it."""
        heard = len(self.callee.received)
        status = self._status_of(request_uri, from_, to)
        return status, [one for one in self.callee.received[heard:] if one.method == "INVITE"]

    def _status_of(self, request_uri: bytes, from_: bytes, to: bytes) -> int | None:
        host, _, port = self.freeswitch.inside.rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.bind(("127.0.0.1", 0))
            here = f"127.0.0.1:{caller.getsockname()[1]}".encode()
            rest = [
                b"Via: SIP/2.0/UDP %s;rport;branch=z9hG4bK%d" % (here, time.monotonic_ns()),
                b"From: %s;tag=corpus" % from_,
                b"To: %s" % to,
                b"Call-ID: %d@%s" % (time.monotonic_ns(), here),
                b"Contact: <sip:caller@%s>" % here,
                b"Max-Forwards: 70",
            ]
            body = sdp().encode()
            invite = [b"INVITE %s SIP/2.0" % request_uri, *rest, b"CSeq: 1 INVITE", b"Content-Type: application/sdp"]
            caller.sendto(_message([*invite, b"Content-Length: %d" % len(body)], body), (host, int(port)))
            final = _final_response(caller)
            if final is None:
                return None
            to_line = re.search(rb"^To:.*$", final, re.MULTILINE | re.IGNORECASE)
            rest[2] = to_line[0].rstrip() if to_line else rest[2]
            ack = [b"ACK %s SIP/2.0" % request_uri, *rest, b"CSeq: 1 ACK", b"Content-Length: 0"]
            caller.sendto(_message(ack), (host, int(port)))
            return int(final[8:11])


def _message(lines: list[bytes], body: bytes = b"") -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _final_response(caller: socket.socket) -> bytes | None:
    """None when there is none: what cannot be read is not answered."""
    deadline = time.monotonic() + 3
    while (left_s := deadline - time.monotonic()) > 0:
        caller.settimeout(left_s)
        try:
            answer = caller.recv(65_536)
        except TimeoutError:
            return None
        if answer.startswith(b"SIP/2.0 ") and int(answer[8:11]) >= 200:
            return answer
    return None


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    freeswitch = freeswitch_that_expands(tmp_path_factory)
    try:
        with SipPeer(replies(Reply(486, "Busy Here"))) as callee:
            bridge = Bridge(tmp_path_factory.mktemp("bridge"), freeswitch, everything_goes_out(callee))
            try:
                world = World(freeswitch, bridge, callee, freeswitch.directory / "trap")
                wait_until("calls are taken", lambda: world.send(*ORDINARY)[0] == 486)
                yield world
            finally:
                bridge.kill()
    finally:
        freeswitch.kill()


ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def _user(address: bytes) -> bytes:
    """The user part, unescaped and without a password, of a URI or of what has one in angle brackets."""
    uri = address.rpartition(b"<")[2].partition(b">")[0] if b"<" in address else address
    userinfo, at, _ = uri.partition(b":")[2].partition(b"?")[0].rpartition(b"@")
    return unquote_to_bytes(userinfo.partition(b":")[0]) if at else b""


def _words(text: bytes) -> set[bytes]:
    return set(re.findall(rb"\w+", text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in CORPUS])
def test_the_invite_that_leaves_is_the_one_that_was_meant(world: World, file: Path) -> None:
    data = file.read_bytes().replace(b"system(id)", b"system(touch %s)" % _bytes(str(world.trap)))
    data = data.replace(b"system:id", b"system:touch %s" % _bytes(str(world.trap)))
    request_uri, from_, to = (data.split(SEPARATOR) + [b"<sip:bob@h>"] * 2)[:3]

    status, arrived = world.send(request_uri, from_, to)

    if status == 486:
        (invite,) = arrived
        assert _user(_bytes(invite.request_uri)) == _user(request_uri)
        assert _user(_bytes(invite["To"])) == _user(request_uri)
        # Whoever cannot be named is shown as anonymous.
        is_named = not invite["From"].startswith(ANONYMOUS)
        assert _user(_bytes(invite["From"])) == (_user(from_) if is_named else b"anonymous")
        assert invite.request_uri.partition("@")[2].partition(";")[0] == "jabiru.example.org"
        assert "?" not in invite.request_uri.partition("@")[2]
        # A name may lose what could mean something, and never gains a word.
        name = invite["From"].partition("<")[0]
        assert _words(_bytes(name)) <= _words(from_ if is_named else _bytes(ANONYMOUS))
        _, (ordinary,) = world.send(*ORDINARY)
        assert [name for name, _ in invite.headers] == [name for name, _ in ordinary.headers]
    else:
        assert arrived == []
    assert not world.trap.exists()
    assert world.send(*ORDINARY)[0] == 486
    world.bridge.wait_for_free_slots(ACCOUNT, LINES)


def test_most_of_them_get_through(world: World) -> None:
    """Else this would show next to nothing."""
    statuses = [world.send(*(file.read_bytes().split(SEPARATOR) + [b"<sip:bob@h>"] * 2)[:3])[0] for file in CORPUS]
    assert statuses.count(486) >= len(CORPUS) // 2
