"""A call is decided once, whatever its caller or an account does: no second INVITE leaves, and none comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest
from jabiru import TwoDomains, two_domains

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_message import sdp
from support.sip_peer import SipPeer
from support.sip_rule import Reply, answers, replies


@pytest.fixture
def domains(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> Iterator[TwoDomains]:
    with two_domains(bridged_freeswitch, tmp_path) as domains:
        yield domains
        bridged_freeswitch.event_socket.api("hupall")


def calls_made(domains: TwoDomains) -> int:
    """Calls that the far side has got, each by its Call-ID."""
    invites = (one for one in domains.jabiru.received if one.method == "INVITE" and not one.in_dialog)
    return len({one["Call-ID"] for one in invites})


@pytest.mark.parametrize("answered", [False, True], ids=["ringing", "answered"])
def test_a_caller_who_sends_notify_talk_makes_no_other_call(domains: TwoDomains, answered: bool) -> None:
    domains.provider.callee = answers() if answered else replies(Reply(180, "Ringing"))
    invite = domains.invite_out()
    response = domains.proxy.response(invite, 200 if answered else 180)
    if answered:
        domains.proxy.send(domains.proxy.within_dialog("ACK", invite, response), domains.inside)
    for number in range(3):
        notify = domains.proxy.within_dialog(
            "NOTIFY",
            invite,
            response,
            cseq=10 + number,
            headers=[("Event", "talk"), ("Subscription-State", "active")],
        )
        domains.proxy.send(notify, domains.inside)
    wait_until("the call is over", lambda: not domains.freeswitch.channels())
    assert calls_made(domains) == 1
    domains.bridge.wait_for_free_slots(jabiru.ALICE, jabiru.LINES)


def test_an_account_whose_calls_go_to_our_own_side_calls_nobody_there(
    bridged_freeswitch: FreeSwitch, tmp_path: Path
) -> None:
    """Its owner calls the bridge through the bridge, in the name of another user of the bridge."""
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp")
        pool = dict(file["accountPools"]["JabiruAccountPool"])
        pool |= {
            "outboundProxy": f"<sip:{bridged_freeswitch.inside};transport=udp>",
            "registrationRequired": False,
            "loader": [{"uri": f"sip:mallory@{jabiru.PROXY_DOMAIN}", "alias": "sip:mallory@owner.example.org"}],
        }
        file["accountPools"]["Owners"] = pool
        file["providers"].append(
            {
                "name": "Owners",
                "accountPool": "Owners",
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "onAccountNotFound": "nextProvider",
                "outgoingInvite": {"to": "{incoming.to}", "from": f"sip:alice@{jabiru.PROXY_DOMAIN}"},
            }
        )
        bridge = Bridge(tmp_path, bridged_freeswitch, file)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            invite = proxy.new_request(
                "INVITE",
                f"sip:bob@{jabiru.PROXY_DOMAIN}",
                from_="<sip:mallory@owner.example.org>",
                to=f"<sip:bob@{jabiru.PROXY_DOMAIN}>",
                body=sdp(),
            )
            proxy.send(invite, bridged_freeswitch.inside)
            assert proxy.final_response(invite).status == 403
            assert not [one for one in far.received if one.method == "INVITE"]
        finally:
            bridge.terminate()
