"""The first example of the specification, with accounts in the file, between a proxy and a registrar on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

DOMAIN = "jabiru.example.org"
PROXY_DOMAIN = "flexisip.example.org"
PASSWORDS = {"alice-auth": 's3cret, "quoted" & <marked>', "carol": "another"}
ALICE = f"sip:alice@{DOMAIN}"
LINES = 20
CAROL = f"sip:carol@{DOMAIN}"

_EXAMPLE = Path(__file__).parents[1] / "config/examples/jabiru.json"


def providers_file(registrar: str, proxy: str, transport: str, *, max_calls_per_line: int = LINES) -> Providers:
    """The example as it is, but for where things are.

    Args:
        registrar: ``host:port`` that stands for jabiru.example.org.
        proxy: ``host:port`` that stands for flexisip.example.org.
    """
    # It was copied from a web page, no-break spaces and all.
    providers: Providers = json.loads(_EXAMPLE.read_text().replace("\u00a0", " "))
    providers["providers"][1]["outgoingInvite"]["outboundProxy"] = f"<sip:{proxy};transport={transport}>"
    providers["accountPools"]["JabiruAccountPool"] |= {
        "outboundProxy": f"<sip:{registrar};transport={transport}>",
        "maxCallsPerLine": max_calls_per_line,
        "loader": [
            {
                "uri": ALICE,
                "userid": "alice-auth",
                "secretType": "clrtxt",
                "secret": PASSWORDS["alice-auth"],
                "alias": f"sip:alice@{PROXY_DOMAIN}",
            },
            {
                "uri": CAROL,
                "secretType": "clrtxt",
                "secret": "not her password",
                "alias": f"sip:carol@{PROXY_DOMAIN}",
            },
        ],
    }
    return providers


def without_warning(providers: Providers) -> Providers:
    """The file with a pattern, however wide, and a side in the place of the trigger that the check warns of."""
    wide = {"strategy": "MatchRegex", "source": "{incoming.requestUri}", "pattern": "sip:.*", "side": "inside"}
    providers["providers"][0]["triggerCondition"] = wide
    return providers


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its final response, acknowledged.

    Attributes:
        caller: who made it.
        called: the ``host:port`` it was sent to.
    """

    caller: SipPeer
    called: str
    transport: str
    invite: SipMessage
    answer: SipMessage

    def hang_up(self) -> None:
        """Send BYE and wait until it is answered."""
        bye = self.send("BYE", cseq=9)
        if self.caller.final_response(bye).status != 200:
            raise AssertionError("the call was not in progress any more")

    def acknowledge(self) -> None:
        """Send ACK."""
        self.send("ACK", cseq=1)

    def send(self, method: str, cseq: int, headers: Iterable[tuple[str, str]] = (), body: str = "") -> SipMessage:
        """Send a request of the caller in the dialog; return it."""
        request = self.caller.within_dialog(
            method, self.invite, self.answer, cseq=cseq, transport=self.transport, headers=headers, body=body
        )
        self.caller.send(request, self.called, self.transport)
        return request


@dataclass(frozen=True, slots=True)
class TwoDomains:
    """The two domains of the example, and the bridge between them.

    Attributes:
        jabiru: the far side, which asks for a digest.
        provider: what the far side knows: passwords and bindings.
        proxy: our side's proxy.
    """

    freeswitch: FreeSwitch
    bridge: Bridge
    jabiru: SipPeer
    provider: DigestProvider
    proxy: SipPeer
    transport: str

    @property
    def inside(self) -> str:
        """Where our side calls."""
        return self.freeswitch.inside_tls if self.transport == "tls" else self.freeswitch.inside

    @property
    def providers(self) -> str:
        """Where the far side calls."""
        return self.freeswitch.providers_tls if self.transport == "tls" else self.freeswitch.providers

    def invite_out(self, user: str = "alice", body: str | None = None) -> SipMessage:
        """Call from our side to the far one, with headers that have to stay here; return the INVITE."""
        private = f"<sip:private@{PROXY_DOMAIN}>"
        invite = self.proxy.new_request(
            "INVITE",
            f"sip:bob@{PROXY_DOMAIN}",
            from_=f'"Alice" <sip:{user}@{PROXY_DOMAIN}>',
            to=f"<sip:bob@{PROXY_DOMAIN};user=phone>",
            transport=self.transport,
            headers=[("Remote-Party-ID", private), ("P-Asserted-Identity", private), ("X-Note", private)],
            body=sdp() if body is None else body,
        )
        self.proxy.send(invite, self.inside, self.transport)
        return invite

    def call_out(self, user: str = "alice", body: str | None = None) -> Call:
        """Call from our side to the far one, and wait for the outcome."""
        return self.outcome(self.proxy, self.inside, self.invite_out(user, body))

    def invite_in(
        self, user: str = "alice", body: str | None = None, from_: str = f'"Bob" <sip:bob@{DOMAIN};user=phone>'
    ) -> SipMessage:
        """Call a registered contact from the far side, likewise; return the INVITE."""
        address = f"sip:{user}@{DOMAIN}"
        invite = self.jabiru.new_request(
            "INVITE",
            self.provider.bindings[address],
            from_=from_,
            to=f"<{address}>",
            transport=self.transport,
            headers=[("X-Note", f"<sip:private@{DOMAIN}>")],
            body=sdp() if body is None else body,
        )
        self.jabiru.send(invite, self.providers, self.transport)
        return invite

    def call_in(self, user: str = "alice", body: str | None = None) -> Call:
        """Call a registered contact from the far side, and wait for the outcome."""
        return self.outcome(self.jabiru, self.providers, self.invite_in(user, body))

    def outcome(self, caller: SipPeer, called: str, invite: SipMessage) -> Call:
        """Wait for the outcome of a call."""
        call = Call(caller, called, self.transport, invite, caller.final_response(invite, timeout_s=20))
        call.acknowledge()
        return call


@contextmanager
def two_domains(
    freeswitch: FreeSwitch, folder: Path, transport: str = "udp", *, far_ip: str = "127.0.0.1", lines: int = LINES
) -> Iterator[TwoDomains]:
    """The two domains with a bridge between them that runs and has registered Alice; it is killed in the end."""
    provider = DigestProvider(DOMAIN, PASSWORDS)
    with SipPeer(provider.rule, ip=far_ip) as far, SipPeer() as proxy:
        file = providers_file(far.hostport, proxy.hostport, transport, max_calls_per_line=lines)
        bridge = Bridge(folder, freeswitch, file)
        try:
            bridge.wait_for_status(ALICE, "OK")
            yield TwoDomains(freeswitch, bridge, far, provider, proxy, transport)
        finally:
            bridge.kill()
