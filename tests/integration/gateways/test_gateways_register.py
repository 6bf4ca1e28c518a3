"""The gateways of the spool in FreeSWITCH: how they register, and to whom they show their passwords."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator

import pytest

from sipbridge.adapters.event_socket.spool import Spool
from sipbridge.core.accounts.account import Account, AccountId, SecretType
from sipbridge.core.gateways.gateway import Gateway, gateway_for
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import parse_sip_uri
from support.digest import DigestProvider
from support.event_socket import Event
from support.freeswitch import FreeSwitch
from support.parked_call import place_call
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply

DOMAIN = "jabiru.example.org"
URI = f"sip:alice@{DOMAIN}"
_salts = (f"test {number}".encode() for number in itertools.count())


@pytest.fixture
def host() -> str:
    """A loopback address that nobody else uses, to listen on the default port of SIP."""
    return "127." + ".".join(str(secrets.randbelow(250) + 1) for _ in range(3))


@pytest.fixture
def provider() -> DigestProvider:
    return DigestProvider(DOMAIN, {"alice-auth": "s3cret"})


@pytest.fixture
def registrar(host: str, provider: DigestProvider) -> Iterator[SipPeer]:
    with SipPeer(provider.rule, ip=host, port=5060) as peer:
        yield peer


def gateway(
    outbound_proxy: str, registrar: str | None = None, *, password: str = "s3cret", registers: bool = True
) -> Gateway:
    """A gateway that has never been before."""
    account = Account(parse_sip_uri(URI), None, "alice-auth", password, SecretType.CLEAR_TEXT)
    policy = PoolPolicy(
        "Pool",
        parse_sip_uri(outbound_proxy),
        registers,
        max_calls_per_line=1,
        registrar=parse_sip_uri(registrar) if registrar else None,
    )
    return gateway_for(AccountId("0123456789abcdef"), account, policy, next(_salts), 3600)


def add(freeswitch: FreeSwitch, *gateways: Gateway) -> None:
    with Spool(freeswitch.spool, retry_s=30).holding(gateways):
        assert freeswitch.event_socket.api("sofia profile providers rescan").startswith("Reload XML [Success]")


def state(freeswitch: FreeSwitch, of: Gateway, *states: str) -> Event:
    """Wait until the gateway is in one of these states."""
    return freeswitch.event_socket.event(
        lambda one: (
            one.get("Event-Subclass") == "sofia::gateway_state" and one["Gateway"] == of.name and one["State"] in states
        )
    )


@pytest.mark.parametrize(
    ("address", "transport"),
    [
        ("sip:HOST:5060;transport=tcp", "tcp"),
        ("sip:HOST:5060;transport=udp", "udp"),
        ("sip:HOST;transport=tcp", "tcp"),
        ("sip:HOST;transport=udp", "udp"),
        ("sip:HOST", "udp"),
    ],
)
def test_registers_where_a_digest_is_asked_for(
    freeswitch: FreeSwitch, registrar: SipPeer, provider: DigestProvider, host: str, address: str, transport: str
) -> None:
    made = gateway(address.replace("HOST", host))
    add(freeswitch, made)
    state(freeswitch, made, "REGED")
    register = registrar.request("REGISTER", count=2)
    assert provider.accepts(register)
    assert register.transport == transport
    assert register.request_uri == f"sip:{DOMAIN};transport={transport}"
    assert register["To"] == f"<{URI}>"
    assert register["From"].startswith(f"<{URI}>;tag=")
    assert int(register["Expires"]) == made.expires_s
    assert register["User-Agent"] == "sipbridge"
    assert provider.bindings[URI] == (f"sip:gw+{made.name}@{freeswitch.providers};transport={transport};gw={made.name}")


def test_unregisters_before_it_is_gone(
    freeswitch: FreeSwitch, registrar: SipPeer, provider: DigestProvider, host: str
) -> None:
    made = gateway(f"sip:{host}")
    add(freeswitch, made)
    state(freeswitch, made, "REGED")
    assert "+OK" in freeswitch.event_socket.api(f"sofia profile providers killgw {made.name}")
    freeswitch.event_socket.event(
        lambda one: one.get("Event-Subclass") == "sofia::gateway_delete" and one["Gateway"] == made.name
    )
    assert provider.bindings == {}


def test_registrar_and_proxy_may_be_two_hosts_that_both_ask(
    freeswitch: FreeSwitch, caller: SipPeer, registrar: SipPeer, provider: DigestProvider, host: str
) -> None:
    with SipPeer(provider.rule) as proxy:
        made = gateway(f"sip:{proxy.hostport};transport=tcp", f"sip:{host};transport=tcp")
        add(freeswitch, made)
        state(freeswitch, made, "REGED")
        assert [one.method for one in proxy.received] == []

        call = place_call(freeswitch, caller)
        route = f"sip_route_uri=sip:{proxy.hostport};transport=tcp"
        call.bridge(f"{{^^|{route}|sip_cid_type=none}}sofia/gateway/{made.name}/bob@{DOMAIN}")
        final = call.final_response()
        assert final.status == 200
        assert provider.accepts(proxy.request("INVITE", count=2))
        call.send("BYE", final, cseq=2)
        call.ended()


@pytest.mark.parametrize(
    "password",
    ["\"<&>'", "$${hostname}", "${hostname}", "100%25", "ключ", " led and trailed "],
)
def test_password_is_taken_as_it_is(freeswitch: FreeSwitch, registrar: SipPeer, host: str, password: str) -> None:
    registrar.rule = DigestProvider(DOMAIN, {"alice-auth": password}).rule
    made = gateway(f"sip:{host}", password=password)
    add(freeswitch, made)
    state(freeswitch, made, "REGED")


def test_password_is_cut_at_a_colon(freeswitch: FreeSwitch, registrar: SipPeer, host: str) -> None:
    """What FreeSWITCH cannot do; should a later one learn it, this says so."""
    registrar.rule = DigestProvider(DOMAIN, {"alice-auth": "s3cret:2"}).rule
    made = gateway(f"sip:{host}", password="s3cret:2")
    add(freeswitch, made)
    assert state(freeswitch, made, "FAILED")["Status"] == "403"


def test_wrong_password_is_reported(freeswitch: FreeSwitch, registrar: SipPeer, host: str) -> None:
    made = gateway(f"sip:{host}", password="guess")
    add(freeswitch, made)
    failed = state(freeswitch, made, "FAILED")
    assert (failed["Status"], failed["Phrase"]) == ("403", "Forbidden")


def test_nobody_there_is_reported(freeswitch: FreeSwitch, host: str) -> None:
    made = gateway(f"sip:{host};transport=tcp")
    add(freeswitch, made)
    assert state(freeswitch, made, "FAILED")["Status"] == "503"


def test_stranger_gets_no_digest(freeswitch: FreeSwitch, host: str) -> None:
    """Whoever knows a contact of ours can call it and challenge our BYE, to attack the password with the answer."""

    def challenge(request: SipMessage) -> list[Reply]:
        return [Reply(407, "Who Are You", {"Proxy-Authenticate": 'Digest realm="evil", nonce="mine", algorithm=MD5'})]

    made = gateway(f"sip:{host}", registers=False)
    add(freeswitch, made)
    with SipPeer(challenge) as mallory, SipPeer() as proxy:
        # FreeSWITCH would take a gateway of the name that the far side claims to be.
        invite = mallory.new_request(
            "INVITE",
            f"sip:gw+{made.name}@{freeswitch.providers};gw={made.name}",
            from_=f"<sip:mallory@{made.name}>",
            to=f"<{URI}>",
            body=sdp(),
        )
        mallory.send(invite, freeswitch.providers)
        parked = freeswitch.event_socket.event(
            lambda one: one["Event-Name"] == "CHANNEL_PARK" and one["variable_sip_call_id"] == invite["Call-ID"]
        )
        dial_string = f"{{^^|sip_route_uri=sip:{proxy.hostport}|sip_cid_type=none}}sofia/inside/sip:alice@flexisip"
        freeswitch.event_socket.execute(parked["Unique-ID"], "bridge", dial_string)
        final = mallory.final_response(invite)
        mallory.send(mallory.within_dialog("ACK", invite, final), freeswitch.providers)
        proxy.request("ACK")
        proxy.send_as_callee("BYE", proxy.request("INVITE"))
        mallory.request("BYE")
        freeswitch.event_socket.event(
            lambda one: one["Event-Name"] == "CHANNEL_HANGUP_COMPLETE" and one["Unique-ID"] == parked["Unique-ID"]
        )
        with pytest.raises(TimeoutError):
            mallory.request("BYE", count=2, timeout_s=1)
        assert [one for one in mallory.received if "Proxy-Authorization" in one] == []
