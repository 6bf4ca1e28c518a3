"""The proxy in front of the bridges (freeswitch/front), and phones that register there. I/O: a process."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.digest import answer_to, md5
from support.edge import some_ip
from support.json_rpc import json_rpc
from support.processes import Program, wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

CONFIGURATION = Path(__file__).parents[2] / "freeswitch/front"
DOMAIN = "example.net"
PASSWORD = "secret-of-a-phone"
NUMBER = f"sip:+33612345678@{DOMAIN};user=phone"


class Front:
    """A Kamailio that runs in front of bridges, for `DOMAIN`.

    Args:
        directory: for its files; made if it is not there.
        bridges: ``ip:port`` of each.
        users: who may register and call, all with `PASSWORD`.
        definitions: more lines of local.cfg, by name.

    Attributes:
        ip: its address.
        hostport: where phones and bridges reach it, over UDP and TCP.
    """

    def __init__(
        self,
        directory: Path,
        bridges: Iterable[str],
        users: Iterable[str],
        definitions: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(exist_ok=True)
        ip = some_ip()
        self.ip = ip
        self.hostport = f"{ip}:5060"
        self._directory = directory
        self._rpc_socket = directory / "rpc.sock"
        write_configuration(
            directory,
            bridges,
            users,
            {
                "IP": ip,
                "DOMAIN": DOMAIN,
                "DISPATCHER": str(directory / "dispatcher.list"),
                "PROBE_INTERVAL_S": "1",
                "USERS": f"text://{directory / 'users'}",
                "RPC_SOCKET": str(self._rpc_socket),
                "WORKERS": "2",
                **(definitions or {}),
            },
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # -DD: in the foreground, with its children. -E: messages to standard error.
        command = [shutil.which("kamailio") or "kamailio", "-DD", "-E", "-f", str(self._directory / "kamailio.cfg")]
        command += ["-Y", str(self._directory), "-m", "64"]
        self._program = Program(command, self._directory / "output.txt")
        wait_until("the front answers", self._answers, timeout_s=30)

    def rpc(self, method: str, *params: Any) -> Any:
        """The result of a call."""
        return json_rpc(self._rpc_socket, method, *params)

    def kill(self) -> None:
        """End it and its children."""
        self._program.kill()

    def bridges_up(self) -> set[str]:
        """``ip:port`` of the bridges that calls are sent to."""
        (answer,) = self.rpc("dispatcher.list")["RECORDS"]
        told = [target["DEST"] for target in answer["SET"]["TARGETS"]]
        # The first letter of the flags: Active, Inactive, Trying, Disabled.
        return {one["URI"].removeprefix("sip:") for one in told if one["FLAGS"].startswith("A")}

    def wait_for_bridges(self, *bridges: str) -> None:
        """Wait until calls are sent to just these."""
        wait_until(f"calls go to {bridges}", lambda: self.bridges_up() == set(bridges), timeout_s=30)

    def log(self) -> str:
        """What it has printed."""
        return self._program.text()

    def _answers(self) -> bool:
        if not self._program.is_running:
            raise AssertionError(f"the front did not start: {self.log()}")
        try:
            return bool(json_rpc(self._rpc_socket, "core.version", timeout_s=0.5))
        except (OSError, TimeoutError):
            return False


def write_configuration(
    directory: Path, bridges: Iterable[str], users: Iterable[str], definitions: Mapping[str, str]
) -> None:
    """The configuration of the repository, with what is local put into it."""
    shutil.copytree(CONFIGURATION, directory, dirs_exist_ok=True)
    file = directory / "local.cfg"
    text = file.read_text()
    for name, value in definitions.items():
        text, count = re.subn(rf'"!FRONT_{name}![^!]*!g"', f'"!FRONT_{name}!{value}!g"', text)
        if count != 1:
            raise AssertionError(f"local.cfg has no FRONT_{name}")
    file.write_text(text)
    key = secrets.token_hex(16)
    (directory / "key.cfg").write_text(f'#!substdef "!FRONT_KEY!{key}!g"\n')
    (directory / "dispatcher.list").write_text("".join(f"1 sip:{bridge}\n" for bridge in bridges))
    with (directory / "users/subscriber").open("a") as subscribers:
        subscribers.writelines(f"{user}:{DOMAIN}:{md5(user, DOMAIN, PASSWORD)}\n" for user in users)


class Phone(SipPeer):
    """A phone of somebody who has an account at the front.

    Attributes:
        user: who it is.
        address: the address of record that it says it has.
        knows_qop: whether it answers with a quality of protection, as all do but those of RFC 2069.
        transport: by which it sends.
        bogus: more credentials, sent before the right ones; ``{uri}`` stands for the Request-URI.
    """

    def __init__(self, front: Front, user: str) -> None:
        super().__init__()
        self.user = user
        self.knows_qop = True
        self.bogus = ""
        self.transport = "udp"
        self.address = f"sip:{user}@{DOMAIN}"
        self._front = front

    def register(self, *contacts: str, password: str = PASSWORD) -> int:
        """Register these contacts, ``<sip:…>;q=0.5``, by default the phone's own; return the status of the answer."""
        return self.final_response(self.new_registration(*contacts, password=password), timeout_s=20).status

    def new_registration(self, *contacts: str, password: str = PASSWORD) -> SipMessage:
        """Register these contacts; return the REGISTER."""
        own = f"<sip:{self.user}@{self.hostport}>;q=1"
        own_address = f"<{self.address}>"
        request = self.new_request(
            "REGISTER", f"sip:{DOMAIN}", from_=own_address, to=own_address, transport=self.transport
        )
        kept = tuple(header for header in request.headers if header[0] != "Contact")
        request = replace(request, headers=(*kept, *(("Contact", one) for one in contacts or (own,))))
        return self._send_with_credentials(request, password)

    def call(
        self,
        request_uri: str,
        password: str = PASSWORD,
        headers: Iterable[tuple[str, str]] = (),
        body: str | None = None,
    ) -> SipMessage:
        """Call somebody; return the INVITE."""
        from_, to, offer = f"<{self.address}>", f"<{request_uri}>", sdp() if body is None else body
        return self._send_with_credentials(
            self.new_request("INVITE", request_uri, from_=from_, to=to, headers=headers, body=offer), password
        )

    def send_within_dialog(
        self, method: str, invite: SipMessage, final: SipMessage, cseq: int, body: str
    ) -> SipMessage:
        """Send a request in the dialog of an answered call; return its final response."""
        request = with_routes(self.within_dialog(method, invite, final, cseq=cseq, body=body), final)
        self.send(request, self._front.hostport)
        return self.final_response(request, timeout_s=20)

    def outcome(self, invite: SipMessage, timeout_s: float = 30.0) -> SipMessage:
        """The final response to a call, acknowledged."""
        final = self.final_response(invite, timeout_s=timeout_s)
        ack = self.within_dialog("ACK", invite, final, cseq=int(invite["CSeq"].partition(" ")[0]))
        self.send(with_routes(ack, final) if final.status == 200 else ack, self._front.hostport)
        return final

    def hang_up(self, invite: SipMessage, final: SipMessage) -> int:
        """Send BYE; return the status of its answer."""
        bye = with_routes(self.within_dialog("BYE", invite, final, cseq=9), final)
        self.send(bye, self._front.hostport)
        return self.final_response(bye, timeout_s=20).status

    def _send_with_credentials(self, request: SipMessage, password: str) -> SipMessage:
        """Send a request, and again as the challenge asks; return what was sent last."""
        self.send(request, self._front.hostport, self.transport)
        challenge = self.final_response(request, timeout_s=20)
        kind = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
        if challenge.status not in kind:
            return request
        if request.method == "INVITE":
            self.send(self.within_dialog("ACK", request, challenge), self._front.hostport, self.transport)
        asked, given = kind[challenge.status]
        wanted = challenge[asked] if self.knows_qop else challenge[asked].replace(', qop="auth"', "")
        answer = answer_to(wanted, self.user, password, request.method, request.request_uri)
        kept = [(name, value) for name, value in request.headers if name not in ("CSeq", "Via")]
        fresh = [("Via", self.new_via(self.transport)), ("CSeq", f"2 {request.method}")]
        if self.bogus:
            # $au of Kamailio is of this one, where there is one.
            fresh += [("Proxy-Authorization", self.bogus.format(uri=request.request_uri))]
        fresh += [(given, answer)]
        again = replace(request, headers=(*fresh, *kept))
        self.send(again, self._front.hostport, self.transport)
        return again


def calls_to(peer: SipPeer) -> list[str]:
    """The Request-URIs of the calls that have reached it."""
    return [one.request_uri for one in peer.received if one.method == "INVITE"]


def with_routes(request: SipMessage, final: SipMessage) -> SipMessage:
    """A request in the dialog of `final`, with the caller's route set (RFC 3261, 12.1.2)."""
    routes = [("Route", value) for name, value in final.headers if name.lower() == "record-route"]
    return replace(request, headers=(*routes[::-1], *request.headers))
