"""What ``explain`` hears from the running bridge, with a thousand accounts in MariaDB, is what calls then come to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jabiru
import pytest
from jabiru import DOMAIN, PROXY_DOMAIN, Call, TwoDomains

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.mariadb import PROGRAM, MariaDb
from support.processes import wait_until
from support.sip_message import sdp, without_tag
from support.sip_peer import SipPeer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs mariadbd")

ACCOUNTS, REFUSED = 1_000, range(990, 1_000)
POOL = "JabiruAccountPool"
COLUMNS = (
    "username VARCHAR(20) PRIMARY KEY, domain VARCHAR(64), user_id VARCHAR(20), secret_type VARCHAR(10), "
    "secret VARCHAR(20), alias_username VARCHAR(20), alias_domain VARCHAR(64)"
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[MariaDb]:
    server = MariaDb(tmp_path / "db")
    server.execute("CREATE USER b2bua IDENTIFIED BY 'x'")
    server.execute("GRANT SELECT ON accounts.* TO b2bua")
    server.execute(f"CREATE TABLE users ({COLUMNS})")
    rows = [(f"u{n}", DOMAIN, None, "CLRTXT", f"s{n}", f"u{n}", PROXY_DOMAIN) for n in range(ACCOUNTS)]
    server.execute("INSERT INTO users VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
    yield server
    server.kill()


def providers(far: SipPeer, proxy: SipPeer, database: MariaDb) -> Providers:
    file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=1)
    outbound, inbound = file["providers"]
    outbound["triggerCondition"]["side"], inbound["triggerCondition"]["side"] = "inside", "providers"
    outbound["outgoingInvite"]["from"] = "{incoming.from.displayName} {account.uri}"
    numbers = outbound | {
        "name": "Numbers",
        "triggerCondition": {"strategy": "MatchRegex", "pattern": r"sip:\+33.*", "source": "", "side": "inside"},
        "accountToUse": {"strategy": "Random"},
        "outgoingInvite": {"to": "sip:{incoming.requestUri.user}@{account.uri.hostport};user=phone"},
    }
    file["providers"].insert(0, numbers)
    file["accountPools"][POOL]["loader"] = {
        "dbBackend": "mysql",
        "connection": f"db=accounts user=b2bua password=x host=127.0.0.1 port={database.port}",
        "initQuery": "SELECT * FROM users;",
        "updateQuery": "SELECT * FROM users WHERE username = :identifier;",
    }
    return file


@pytest.fixture
def domains(bridged_freeswitch: FreeSwitch, tmp_path: Path, database: MariaDb) -> Iterator[TwoDomains]:
    passwords = {f"u{n}": f"s{n}" for n in range(ACCOUNTS) if n not in REFUSED}
    provider = DigestProvider(DOMAIN, passwords)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        bridge = Bridge(tmp_path, bridged_freeswitch, providers(far, proxy, database))
        try:
            wait_until(
                "990 accounts are registered", lambda: registered(bridge) == ACCOUNTS - len(REFUSED), timeout_s=120
            )
            yield TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp")
        finally:
            bridge.kill()
            bridged_freeswitch.event_socket.api("hupall")


def registered(bridge: Bridge) -> int:
    (pool,) = json.loads(bridge.command("status", "--json").stdout)["pools"]
    return int(pool["registrations"].get("OK", 0))


def explained(domains: TwoDomains, request_uri: str, from_: str, to: str, side: str) -> dict[str, Any]:
    call = ("--request-uri", request_uri, "--from", from_, "--to", to, "--side", side)
    told: dict[str, Any] = json.loads(domains.bridge.command("explain", *call, "--json").stdout)
    assert told["basis"].startswith("the running bridge now")
    return told


def out(domains: TwoDomains, user: str, callee: str = "bob") -> tuple[dict[str, Any], Call]:
    """What is told of a call of our side, and the call."""
    to, from_ = (
        f"sip:{callee}@{PROXY_DOMAIN}",
        rf'"{user} \"the\" O\'B" <sip:{user}@{PROXY_DOMAIN}>'.replace("\\'", "'"),
    )
    told = explained(domains, to, from_, f"<{to}>", "inside")
    invite = domains.proxy.new_request("INVITE", to, from_=from_, to=f"<{to}>", transport="udp", body=sdp())
    domains.proxy.send(invite, domains.inside, "udp")
    return told, domains.outcome(domains.proxy, domains.inside, invite)


def come_in(domains: TwoDomains, user: str) -> tuple[dict[str, Any], Call]:
    """What is told of a call of the far side, and the call."""
    from_, to = f'"Bob" <sip:bob@{DOMAIN};user=phone>', f"<sip:{user}@{DOMAIN}>"
    told = explained(domains, f"sip:{user}@{domains.providers}", from_, to, "providers")
    return told, domains.call_in(user)


def agree(told: dict[str, Any], call: Call, callee: SipPeer, *, at_random: bool = False) -> None:
    """See that a call came to what was told; one that was bridged is hung up."""
    if told["decision"] == "decline":
        assert call.answer.status == int(told["sip_status"].split()[0])
        return
    assert (told["decision"], call.answer.status) == ("bridge", 200)
    invite = [one for one in callee.received if one.method == "INVITE"][-1]
    assert invite.request_uri == told["request_uri"]
    if not at_random:
        assert without_tag(invite["From"]) in (told["from"], f"<{told['from']}>")
    call.hang_up()


@pytest.mark.timeout(300)
def test_fifty_calls_come_to_what_was_told(domains: TwoDomains) -> None:
    far, decisions = domains.jabiru, []

    def both(made: tuple[dict[str, Any], Call], callee: SipPeer = far, **how: bool) -> None:
        decisions.append(made[0]["decision"])
        agree(*made, callee, **how)

    for n in range(10):
        both(out(domains, f"u{n}"))
    for n in range(10):
        both(out(domains, f"x{n}", f"+3361234567{n}"), at_random=True)
    for n in range(40, 50):
        both(come_in(domains, f"u{n}"), domains.proxy)
    for n in range(5):
        both(out(domains, f"nobody{n}"))
    for n in REFUSED[:5]:
        both(out(domains, f"u{n}"))
    held = domains.call_out("u20")
    assert held.answer.status == 200
    for _ in range(5):
        both(out(domains, "u20"))
    held.hang_up()
    for n in range(30, 35):
        assert domains.bridge.command("drain", "--account", f"sip:u{n}@{DOMAIN}").returncode == 0
        both(out(domains, f"u{n}"))
    assert (decisions.count("bridge"), decisions.count("decline"), len(decisions)) == (30, 20, 50)
