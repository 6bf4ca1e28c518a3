"""The torture messages of RFC 4475, sent through FreeSWITCH: what is valid and is a call reaches the other side.

Those of its messages that are an INVITE, or not what they seem, adapted in one thing: Via and Contact name the test,
so that answers arrive. Whatever comes of a message, FreeSWITCH and the bridge take the next call.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.providers_file import all_calls_out
from support.sip_message import SipMessage, sdp, without_tag
from support.sip_peer import SipPeer
from support.sip_rule import Reply, replies

MESSAGES = {file.stem: file for file in sorted((Path(__file__).parents[1] / "torture").glob("*.sip"))}
ACCOUNT = "sip:account@jabiru.example.org"

# What FreeSWITCH lets through to the bridge, and the Request-URI and From that it goes on with.
BRIDGED = {
    # The Route that its URI asks for is not taken over.
    "escruri": ("sip:user@example.com", "<sip:caller@example.net>"),
    # Two spaces in the first line are one.
    "lwsstart": ("sip:user@example.com", "<sip:caller@example.net>"),
    # The address of section 3.1.1.2 in an INVITE. FreeSWITCH does not tell the password in it.
    "intmeth-invite": (
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        "<sip:mundane@example.com>",
    ),
}
ANSWERED = {"lwsdisp": 200, "semiuri": 200}
"""OPTIONS, which are valid."""
IGNORED = {"badinv01", "bext01", "intmeth", "lwsruri"}
"""What FreeSWITCH does not answer, or not where the test is."""


@dataclass(frozen=True, slots=True)
class Torture:
    freeswitch: FreeSwitch
    bridge: Bridge
    caller: SipPeer
    callee: SipPeer

    def send(self, name: str) -> tuple[int | None, list[SipMessage]]:
        """Send a message; the final status of its answer, if any, and the INVITEs that the callee got."""
        heard = len(self.callee.received)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            sender.settimeout(4.0)
            via = f"127.0.0.1:{sender.getsockname()[1]}"
            text = MESSAGES[name].read_text().replace("{via}", via).replace("\n", "\r\n")
            body = text.partition("\r\n\r\n")[2]
            text = text.replace("{length}", str(len(body.encode())))
            host, _, port = self.freeswitch.inside.rpartition(":")
            sender.sendto(text.encode(), (host, int(port)))
            status = _final_status(sender)
        return status, [one for one in self.callee.received[heard:] if one.method == "INVITE"]

    def takes_calls(self) -> bool:
        """Whether an ordinary call gets through."""
        invite = self.caller.new_request(
            "INVITE", "sip:bob@x.example.org", from_="<sip:alice@x>", to="<sip:bob@x>", body=sdp()
        )
        self.caller.send(invite, self.freeswitch.inside)
        final = self.caller.final_response(invite)
        self.caller.send(self.caller.within_dialog("ACK", invite, final), self.freeswitch.inside)
        return final.status == 486


def _final_status(sender: socket.socket) -> int | None:
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        try:
            answer = sender.recv(65536)
        except TimeoutError:
            return None
        status = int(re.match(rb"SIP/\d\.\d (\d{3})", answer)[1])  # type: ignore[index]
        if status >= 200:
            return status
    return None


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Torture]:
    freeswitch = FreeSwitch(tmp_path_factory.mktemp("fs"))
    with SipPeer() as caller, SipPeer(replies(Reply(486, "Busy Here"))) as callee:
        try:
            bridge = Bridge(tmp_path_factory.mktemp("bridge"), freeswitch, _providers(callee))
            try:
                torture = Torture(freeswitch, bridge, caller, callee)
                wait_until("calls are taken", torture.takes_calls)
                yield torture
            finally:
                bridge.kill()
        finally:
            freeswitch.kill()


def _providers(callee: SipPeer) -> Providers:
    return all_calls_out(
        callee.hostport, to="{incoming.requestUri}", from_="{incoming.from}", account=ACCOUNT, lines=100
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_message(torture: Torture, name: str) -> None:
    status, invites = torture.send(name)
    if name in BRIDGED:
        assert [(each.request_uri, without_tag(each["from"])) for each in invites] == [BRIDGED[name]]
        assert status == 486
    else:
        assert not invites
        if name in IGNORED:
            assert status is None
        elif name in ANSWERED:
            assert status == ANSWERED[name]
        else:
            assert status is not None
            assert 400 <= status < 600
    assert torture.takes_calls()
