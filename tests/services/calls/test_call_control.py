"""Calls are decided, and lines are taken and released exactly once, whatever the switch reports."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import pytest
from services_examples import Services, account, outbound, parked, policy, pool

from sipbridge.core.accounts.account import account_id
from sipbridge.core.calls.events import Heartbeat
from sipbridge.core.observe.problems import find_problems
from sipbridge.core.observe.snapshot import AccountQuery
from sipbridge.core.providers.media import MediaEncryption
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.sip.call import ChannelUuid, Side
from sipbridge.ports import CommandRefused, NotSent, Outcome, SwitchLost, Unconfirmed
from support.sdp_offers import AUDIO, CRYPTO, HEAD, KEY

REFUSED = CommandRefused("sendmsg call-1", "-ERR invalid session id [call-1]\n")


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


# Deciding


def test_a_call_goes_out_through_the_gateway_of_its_account_and_holds_its_line(services: Services) -> None:
    services.park("call-1")
    (bridged,) = services.switch.bridged
    assert bridged.channel == "call-1"
    assert bridged.account_id == services.line("alice").id
    assert f"sofia/gateway/{services.gateway_name('alice')}/carol@provider.example.net" in bridged.dial_string
    assert "sip_force_full_from=<sip:alice@provider.example.net>" in bridged.dial_string
    assert services.line("alice").calls == services.calls.calls_in_progress == 1
    assert services.line("bob").calls == 0


@pytest.mark.parametrize(("comes_by", "leaves_by"), [("inside", "providers"), ("providers", "inside")])
def test_a_call_past_the_gateways_leaves_on_the_other_side(comes_by: str, leaves_by: str) -> None:
    services = Services(providers=(outbound(outbound_proxy="sip:proxy.example.org;transport=tcp"),))
    services.connect_and_register()
    services.park("call-1", profile=comes_by)
    (bridged,) = services.switch.bridged
    assert f"}}sofia/{leaves_by}/sip:carol@provider.example.net" in bridged.dial_string
    assert "sip_route_uri=sip:proxy.example.org;transport=tcp" in bridged.dial_string


@pytest.mark.parametrize("gateway", ["", "alice"], ids=["trunk", "contact"])
@pytest.mark.parametrize("side", list(Side))
def test_a_provider_of_one_side_takes_the_calls_of_that_profile(side: Side, gateway: str) -> None:
    takes = outbound(outbound_proxy="sip:proxy.example.org")
    services = Services(providers=(dataclasses.replace(takes, side=side),))
    services.connect_and_register()
    name = services.gateway_name(gateway) if gateway else ""
    services.park("call-1", profile="inside", gateway=name)
    services.park("call-2", profile="providers", gateway=name)
    assert services.bridged() == ["call-1" if side is Side.INSIDE else "call-2"]


def test_a_full_line_declines_and_takes_nothing(services: Services) -> None:
    for channel in ("call-1", "call-2", "call-3"):
        services.park(channel)
    assert services.bridged() == ["call-1", "call-2"]
    assert services.declined() == [("call-3", "lines-taken")]
    services.end("call-3")
    assert services.line("alice").calls == 2
    services.end("call-1")
    services.park("call-4")
    assert services.bridged()[-1] == "call-4"


def test_an_unregistered_account_declines(services: Services) -> None:
    services.state(services.gateway("alice"), "FAILED", "403", "Forbidden")
    services.park("call-1")
    services.park("call-2", "bob")
    assert services.declined() == [("call-1", "not-registered")]
    assert services.bridged() == ["call-2"]


def test_a_caller_without_an_account_is_declined(services: Services) -> None:
    services.park("call-1", "mallory")
    assert services.declined() == [("call-1", "no-provider")]
    assert services.calls.calls_in_progress == 0


def test_an_account_whose_gateway_is_not_there_yet_declines() -> None:
    services = Services(pool("alice", with_=policy(registration_required=False)))
    services.connect()
    services.park("call-1")
    assert services.declined() == [("call-1", "not-registered")]
    assert services.line("alice").calls == 0
    services.step()
    services.park("call-2")
    assert services.bridged() == ["call-2"]


@pytest.mark.parametrize(
    ("offer", "detail"),
    [
        pytest.param(HEAD + "a=ptime\r\n" + AUDIO, "SDP line 6: a=ptime has no value", id="malformed"),
        pytest.param("", "SDP: it holds ${, so FreeSWITCH hides it", id="hidden"),
    ],
)
@pytest.mark.parametrize("profile", ["inside", "providers"])
def test_a_malformed_offer_is_declined_and_never_read(
    services: Services, caplog: pytest.LogCaptureFixture, profile: str, offer: str, detail: str
) -> None:
    services.park("call-1", profile=profile, offer=offer)
    assert services.declined() == [("call-1", "malformed-offer")]
    assert services.switch.bridged == []
    assert services.line("alice").calls == 0
    assert [record.__dict__["detail"] for record in caplog.records if "declined" in record.msg] == [detail]
    (problem,) = find_problems(services.status.snapshot(AccountQuery()))
    assert problem.what == "1 call declined in 5 min: malformed SDP"


def test_a_sound_offer_is_read_when_its_call_is_bridged_and_none_where_there_is_none(services: Services) -> None:
    services.park("call-1", offer=HEAD + AUDIO + CRYPTO)
    services.park("call-2")
    assert [one.has_offer for one in services.switch.bridged] == [True, False]


OPUS = "m=audio 40000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n"


@pytest.mark.parametrize(
    ("codecs", "declined"),
    [(("PCMA", "PCMU"), [("call-1", "unusable-offer")]), (("OPUS", "PCMA"), []), ((), [])],
    ids=["other codecs", "codec in common", "unknown"],
)
def test_an_offer_without_a_codec_of_ours_is_declined_before_anybody_rings(
    services: Services, codecs: tuple[str, ...], declined: list[tuple[str, str]]
) -> None:
    services.switch.known_codecs = codecs
    services.disconnect()
    services.connect()
    services.park("call-1", offer=HEAD + OPUS)
    assert services.declined() == declined
    assert services.line("alice").calls == (0 if declined else 1)


def test_an_offer_that_is_declined_is_logged_with_what_is_wrong(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.park("call-1", offer=HEAD + "m=image 40002 udptl t38\r\n")
    (declined,) = [record.__dict__ for record in caplog.records if "declined" in record.msg]
    assert declined["detail"] == "no audio is offered, only image"
    assert declined["provider"] == outbound().name


def test_a_call_without_an_offer_is_made_so_that_it_rings(services: Services) -> None:
    services.park("call-1")
    services.park("call-2", offer=HEAD + AUDIO)
    late, usual = (each.dial_string for each in services.switch.bridged)
    assert "|ignore_early_media=ring_ready|signal_bond=none" in late
    assert "signal_bond" not in usual


def test_no_key_of_an_offer_is_ever_shown(services: Services) -> None:
    assert KEY not in repr(parked("call-1", offer=HEAD + AUDIO + CRYPTO))


DTLS = dataclasses.replace(
    outbound(),
    outgoing_invite=dataclasses.replace(outbound().outgoing_invite, media_encryption=MediaEncryption.DTLS_SRTP),
)


@pytest.mark.parametrize(
    ("version", "accepted", "declined"),
    [
        pytest.param("1.10.12", False, [("call-1", "media-not-offered")], id="not verified"),
        pytest.param("1.10.12", True, [], id="not verified, and accepted"),
        pytest.param("1.11.2", False, [], id="verified"),
        pytest.param("", False, [], id="unknown"),
    ],
)
def test_dtls_srtp_that_nobody_verifies_declines(version: str, accepted: bool, declined: list[tuple[str, str]]) -> None:
    services = Services(providers=(DTLS,))
    services.calls.use_table(
        dataclasses.replace(services.calls.table, media=MediaDefaults(accept_unverified_dtls=accepted))
    )
    services.connect_and_register()
    services.session.on_switch_event(Heartbeat(version, 1.0, 0, 1_000, 99.0))
    services.park("call-1")
    assert services.declined() == declined
    assert services.bridged() == ([] if declined else ["call-1"])
    (provider,) = services.status.snapshot(AccountQuery()).providers
    assert bool(provider.dtls_fault) == bool(declined)


def test_dtls_srtp_without_a_certificate_declines() -> None:
    services = Services(providers=(DTLS,))
    services.switch.has_certificate = False
    services.connect_and_register()
    services.session.on_switch_event(Heartbeat("1.11.2", 1.0, 0, 1_000, 99.0))
    services.park("call-1")
    assert services.declined() == [("call-1", "media-not-offered")]


def test_a_503_says_when_to_come_again_and_nothing_else_does(services: Services) -> None:
    services.line("alice").set_drained(True)
    services.park("call-1")
    services.park("call-2", "mallory")
    assert services.declined() == [("call-1", "draining"), ("call-2", "no-provider")]
    assert [each.retry_after_s for each in services.switch.responded] == [5, None]


def test_a_call_to_a_contact_of_ours_is_seen_as_one_to_the_account(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()
    services.connect_and_register()
    name = services.gateway_name("alice")
    call = parked("call-1", "mallory", profile="providers", gateway=name)
    # The host is whatever the caller likes.
    call.request.request_uri_text = f"sip:gw+{name}@bridge.example.org;transport=udp;gw={name}"
    services.session.on_switch_event(call)
    assert [record.__dict__["request_uri"] for record in caplog.records] == ["sip:alice@192.0.2.1:5080"]


def test_a_call_to_a_contact_of_others_is_seen_as_it_is(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    services.park("call-1", "mallory", gateway="carrier.main")
    assert [record.__dict__["request_uri"] for record in caplog.records] == ["sip:carol@bridge.example.org"]


# Giving back


@pytest.mark.parametrize(
    "outcome", [None, Unconfirmed("lost"), NotSent("lost")], ids=["carried out", "unconfirmed", "not sent"]
)
def test_a_line_is_held_until_the_call_ends(services: Services, outcome: Outcome) -> None:
    services.park("call-1")
    services.switch.bridged[0].on_done(outcome)
    assert services.line("alice").calls == 1
    services.end("call-1")
    assert services.line("alice").calls == services.calls.calls_in_progress == 0


def _refused(services: Services) -> None:
    services.switch.bridged[0].on_done(REFUSED)


def _ended(services: Services) -> None:
    services.end("call-1")


def _reconciled(services: Services) -> None:
    services.calls.reconcile()


@pytest.mark.parametrize("second", [_refused, _ended, _reconciled])
@pytest.mark.parametrize("first", [_refused, _ended, _reconciled])
def test_a_line_is_given_back_once(
    services: Services, first: Callable[[Services], None], second: Callable[[Services], None]
) -> None:
    services.park("call-1")
    services.park("call-2")
    services.switch.alive.discard(ChannelUuid("call-1"))
    first(services)
    assert services.line("alice").calls == 1
    second(services)
    assert services.line("alice").calls == 1


def test_the_end_of_a_call_that_held_no_line_changes_nothing(services: Services) -> None:
    services.end("call-1")
    assert services.calls.calls_in_progress == 0
    assert services.line("alice").calls == 0


def test_a_call_that_is_parked_again_gives_its_first_line_back(services: Services) -> None:
    services.park("call-1")
    services.park("call-1", "bob")
    assert services.bridged() == ["call-1", "call-1"]
    assert (services.line("alice").calls, services.line("bob").calls) == (0, 1)
    services.end("call-1")
    assert services.calls.calls_in_progress == 0


def test_a_call_that_is_parked_again_may_take_its_own_line_again() -> None:
    services = Services(pool("alice", with_=policy(max_calls_per_line=1)))
    services.connect_and_register()
    services.park("call-1")
    services.park("call-1")
    assert services.bridged() == ["call-1", "call-1"]
    assert services.line("alice").calls == 1


def test_a_decline_that_comes_too_late_is_no_error(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    services.park("call-1", "mallory")
    caplog.set_level(logging.INFO)
    caplog.clear()
    services.switch.responded[0].on_done(REFUSED)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    services.switch.responded[0].on_done(None)
    assert len(caplog.records) == 1


# Reconciling


def test_calls_of_before_a_restart_hold_their_lines_again(services: Services) -> None:
    for channel, user in (("call-1", "alice"), ("call-2", "alice"), ("call-3", "bob"), ("call-4", None)):
        services.show(channel, user)
        services.switch.alive.add(ChannelUuid(channel))
    assert services.calls.reconcile() == (3, 0)
    assert (services.line("alice").calls, services.line("bob").calls) == (2, 1)
    assert services.calls.reconcile() == (0, 0)
    services.park("call-5")
    assert services.declined() == [("call-5", "lines-taken")]


def test_more_calls_than_the_limit_are_all_counted(services: Services) -> None:
    for number in range(5):
        services.show(f"call-{number}")
        services.switch.alive.add(ChannelUuid(f"call-{number}"))
    assert services.calls.reconcile() == (5, 0)
    assert services.line("alice").calls == 5
    assert services.line("alice").free_slots == 0
    for number in range(4):
        services.end(f"call-{number}")
    assert services.line("alice").is_available
    assert services.line("alice").free_slots == 1


def test_calls_that_are_found_before_their_account_count_as_soon_as_it_is_there() -> None:
    """The controller was started again, and the database is slower than FreeSWITCH."""
    services = Services(pool("bob"))
    the_pool = services.pools["Pool"]
    id_ = account_id("Pool", account("alice").uri)
    for channel in ("call-1", "call-2", "call-3"):
        services.switch.alive.add(ChannelUuid(channel))
        services.switch.table[ChannelUuid(channel)] = id_
    services.connect()
    services.end("call-3")
    line = the_pool.add(account("alice"), id_)
    services.account_changed(line)
    services.settle()
    services.register()
    assert (line.calls, line.is_usable, line.is_available) == (2, True, False)
    services.park("call-4")
    assert services.declined() == [("call-4", "lines-taken")]
    for channel in ("call-1", "call-2"):
        services.end(channel)
    assert (line.calls, line.is_available, services.calls.calls_in_progress) == (0, True, 0)


def test_a_call_whose_account_never_came_and_that_ended_unseen_counts_nowhere() -> None:
    services = Services(pool("bob"))
    id_ = account_id("Pool", account("alice").uri)
    services.switch.alive.add(ChannelUuid("call-1"))
    services.switch.table[ChannelUuid("call-1")] = id_
    services.connect()
    services.disconnect()
    services.switch.alive.clear()
    services.switch.table.clear()
    services.connect()
    line = services.pools["Pool"].add(account("alice"), id_)
    services.account_changed(line)
    assert (line.calls, services.calls.calls_in_progress) == (0, 0)


def test_calls_of_nobody_or_of_others_hold_nothing(services: Services) -> None:
    services.switch.table = {ChannelUuid("call-1"): None, ChannelUuid("call-2"): account("x").uri.text}  # type: ignore[dict-item]
    services.switch.alive = {ChannelUuid("call-1"), ChannelUuid("call-2")}
    assert services.calls.reconcile() == (0, 0)


def test_a_row_of_a_call_that_is_gone_holds_nothing(services: Services) -> None:
    services.show("call-1")
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 0


def test_a_call_that_the_table_does_not_show_yet_keeps_its_line(services: Services) -> None:
    services.park("call-1")
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 1


def test_a_call_whose_mark_the_table_does_not_show_yet_keeps_its_line(services: Services) -> None:
    services.park("call-1")
    services.show("call-1", None)
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 1


def test_the_line_of_a_call_that_ended_unseen_is_given_back(services: Services) -> None:
    services.park("call-1")
    services.show("call-1")
    services.switch.alive.clear()
    assert services.calls.reconcile() == (0, 1)
    assert services.line("alice").calls == 0


@pytest.mark.parametrize("question", ["channels", "accounts_of"])
def test_a_call_that_ends_meanwhile_holds_nothing(services: Services, question: str) -> None:
    services.show("call-1")
    services.switch.alive.add(ChannelUuid("call-1"))
    services.switch.during(question, lambda: services.end("call-1"))
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 0


@pytest.mark.parametrize("question", ["channels", "accounts_of"])
def test_a_held_call_that_ends_meanwhile_is_given_back_once(services: Services, question: str) -> None:
    services.park("call-1")
    services.park("call-2")
    services.show("call-1")
    services.switch.during(question, lambda: services.end("call-1"))
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 1


@pytest.mark.parametrize("question", ["channels", "accounts_of"])
def test_a_call_that_begins_meanwhile_keeps_its_line(services: Services, question: str) -> None:
    services.switch.during(question, lambda: services.park("call-1"))
    assert services.calls.reconcile() == (0, 0)
    assert services.line("alice").calls == 1


@pytest.mark.parametrize("question", ["channels", "accounts_of"])
def test_a_link_that_breaks_meanwhile_leaves_the_counts_as_they_are(services: Services, question: str) -> None:
    services.park("call-1")
    services.switch.fail(question, SwitchLost("lost"))
    with pytest.raises(SwitchLost):
        services.calls.reconcile()
    assert services.line("alice").calls == 1
    services.end("call-1")
    assert services.line("alice").calls == 0
