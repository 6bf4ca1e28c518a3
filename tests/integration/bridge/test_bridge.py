"""`sipbridge run` on a real FreeSWITCH carries the calls of the specification's first example, both ways."""

from __future__ import annotations

from collections.abc import Iterator

import jabiru
import pytest
from jabiru import TwoDomains

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_message import without_tag
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies

NEVER_SENT = ("Route", "Remote-Party-ID", "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "X-FS-Support")
LINES = 2


@pytest.fixture(scope="module", params=["udp", "tcp"])
def domains(
    request: pytest.FixtureRequest, bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoDomains]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        file = jabiru.providers_file(far.hostport, proxy.hostport, request.param, max_calls_per_line=LINES)
        bridge = Bridge(tmp_path_factory.mktemp("bridge"), bridged_freeswitch, file)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            yield TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, request.param)
        finally:
            status = bridge.terminate()
        assert status == 0
        assert provider.bindings == {}, "not unregistered"


@pytest.fixture(autouse=True)
def _answering(domains: TwoDomains) -> Iterator[None]:
    domains.provider.callee = answers()
    domains.proxy.rule = answers()
    yield
    # What a test that failed has left.
    domains.freeswitch.event_socket.api("hupall")


def test_account_registers_as_itself(domains: TwoDomains) -> None:
    registers = [one for one in domains.jabiru.received if one.method == "REGISTER" and jabiru.ALICE in one["To"]]
    first, second = registers[:2]
    for one in (first, second):
        assert one.transport == domains.transport
        assert one.request_uri == f"sip:{jabiru.DOMAIN};transport={domains.transport}"
        assert one["To"] == without_tag(one["From"]) == f"<{jabiru.ALICE}>"
        assert one["User-Agent"] == "sipbridge"
    assert domains.provider.accepts(second)
    assert domains.provider.bindings[jabiru.ALICE].endswith(f"transport={domains.transport};gw=" + _gateway(domains))
    assert domains.bridge.accounts()[jabiru.ALICE] == {
        "address": jabiru.ALICE,
        "status": "OK",
        "registerEnabled": True,
        "freeSlots": LINES,
    }


def test_outbound_call_is_what_the_file_says(domains: TwoDomains) -> None:
    heard = len(domains.jabiru.received)
    call = domains.call_out()
    assert call.answer.status == 200
    first, second = (domains.jabiru.request("INVITE", count=count, since=heard) for count in (1, 2))
    for invite in (first, second):
        assert invite.transport == domains.transport
        assert invite.request_uri == f"sip:bob@{jabiru.DOMAIN};user=phone"
        assert invite["To"] == f"<sip:bob@{jabiru.DOMAIN};user=phone>"
        assert without_tag(invite["From"]) == f"<{jabiru.ALICE}>"
        assert [name for name in NEVER_SENT if name in invite] == []
        assert "private" not in invite.encode().decode()
    assert domains.provider.accepts(second)
    assert domains.bridge.accounts()[jabiru.ALICE]["freeSlots"] == LINES - 1
    call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def test_inbound_call_is_what_the_file_says(domains: TwoDomains) -> None:
    heard = len(domains.proxy.received)
    call = domains.call_in()
    assert call.answer.status == 200

    arrived = domains.proxy.request("INVITE", since=heard)
    assert arrived.transport == domains.transport
    assert arrived.request_uri == f"sip:alice@{jabiru.PROXY_DOMAIN}"
    assert arrived["To"] == f"<sip:alice@{jabiru.PROXY_DOMAIN}>"
    assert without_tag(arrived["From"]) == f"<sip:bob@{jabiru.PROXY_DOMAIN};user=phone>"
    assert [name for name in NEVER_SENT if name in arrived] == []
    assert "private" not in arrived.encode().decode()
    assert domains.bridge.accounts()[jabiru.ALICE]["freeSlots"] == LINES - 1

    bye = domains.proxy.send_as_callee("BYE", arrived)
    assert domains.proxy.final_response(bye).status == 200
    domains.jabiru.wait_for(lambda one: one.method == "BYE" and one["Call-ID"] == call.invite["Call-ID"])
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


@pytest.mark.parametrize(
    ("from_", "shown"),
    [
        ("<tel:+49170555>", f"<sip:+49170555@{jabiru.PROXY_DOMAIN};user=phone>"),
        ("<tel:+49-170-555;ext=7>", f"<sip:+49170555;ext=7@{jabiru.PROXY_DOMAIN};user=phone>"),
        ("<sip:anonymous.invalid>", '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        ("<urn:service:sos>", '"Anonymous" <sip:anonymous@anonymous.invalid>'),
    ],
    ids=["number", "extension", "no user", "another kind of URI"],
)
def test_a_caller_without_a_sip_address_is_shown_as_what_it_is(domains: TwoDomains, from_: str, shown: str) -> None:
    heard = len(domains.proxy.received)
    call = domains.outcome(domains.jabiru, domains.providers, domains.invite_in(from_=from_))
    assert call.answer.status == 200
    assert without_tag(domains.proxy.request("INVITE", since=heard)["From"]) == shown
    call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def test_call_beyond_the_lines_of_an_account_is_declined(domains: TwoDomains) -> None:
    calls = [domains.call_out() for _ in range(LINES)]
    assert [call.answer.status for call in calls] == [200] * LINES
    assert domains.call_out().answer.status == 488
    calls.pop().hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, 1)
    calls.append(domains.call_out())
    assert calls[-1].answer.status == 200
    for call in calls:
        call.hang_up()
    domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def test_busy_callee_reaches_the_caller_and_frees_the_line(domains: TwoDomains) -> None:
    domains.provider.callee = replies(Reply(486, "Busy Here"))
    for _ in range(LINES + 1):
        assert domains.call_out().answer.status == 486
        domains.bridge.wait_for_free_slots(jabiru.ALICE, LINES)


def test_account_that_cannot_register_declines(domains: TwoDomains) -> None:
    domains.bridge.wait_for_status(jabiru.CAROL, "Registration failed: 403")
    heard = len(domains.jabiru.received)
    assert domains.call_out("carol").answer.status == 488
    assert [one for one in domains.jabiru.received[heard:] if one.method == "INVITE"] == []


def test_caller_that_nobody_knows_is_declined(domains: TwoDomains) -> None:
    assert domains.call_out("stranger").answer.status == 488


def test_no_secret_is_left_anywhere(domains: TwoDomains) -> None:
    wait_until("the spool is empty", lambda: "gateway" not in domains.freeswitch.spool.read_text())
    for secret in jabiru.PASSWORDS.values():
        assert secret not in domains.bridge.log()
        assert secret not in domains.freeswitch.log()


def _gateway(domains: TwoDomains) -> str:
    (name,) = (one for one in domains.freeswitch.gateways_up() if one.startswith("sipbridge.alice."))
    return name
