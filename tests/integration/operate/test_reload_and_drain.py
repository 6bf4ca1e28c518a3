"""On a real FreeSWITCH the providers file is reloaded, calls are refused by wish, and the bridge stops, amid calls."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jabiru
import pytest
from jabiru import ALICE, DOMAIN, PROXY_DOMAIN, TwoDomains

from support.bridge import Bridge, Providers
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer

LINES = 3
DAVE, ERIN, FRANK = (f"sip:{user}@{DOMAIN}" for user in ("dave", "erin", "frank"))
OUTBOUND = "Flexisip -> Jabiru (Outbound)"
POOL = "JabiruAccountPool"

Start = Callable[..., contextlib.AbstractContextManager[TwoDomains]]


def entry(user: str, password: str = "secret of ") -> dict[str, Any]:
    """An account of the file."""
    return {
        "uri": f"sip:{user}@{DOMAIN}",
        "secretType": "clrtxt",
        "secret": f"{password}{user}",
        "alias": f"sip:{user}@{PROXY_DOMAIN}",
    }


@pytest.fixture
def start(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> Start:
    """Start a bridge between the two domains with these accounts, all registered; end it."""

    @contextlib.contextmanager
    def started(*users: str, settings: str = "") -> Iterator[TwoDomains]:
        provider = DigestProvider(DOMAIN, {user: f"secret of {user}" for user in ("alice", "dave", "erin", "frank")})
        with SipPeer(provider.rule) as far, SipPeer() as proxy:
            file = file_with(far, proxy, *map(entry, users))
            bridge = Bridge(tmp_path, bridged_freeswitch, file, more_settings=settings)
            try:
                for user in users:
                    bridge.wait_for_status(f"sip:{user}@{DOMAIN}", "OK")
                yield TwoDomains(bridged_freeswitch, bridge, far, provider, proxy, "udp")
                assert bridge.terminate() == 0
                assert provider.bindings == {}, "not unregistered"
            finally:
                bridge.kill()
                # What a test that failed has left.
                bridged_freeswitch.event_socket.api("hupall")

    return started


def file_with(far: SipPeer, proxy: SipPeer, *accounts: dict[str, Any]) -> Providers:
    """A providers file with these accounts."""
    file = jabiru.providers_file(far.hostport, proxy.hostport, "udp", max_calls_per_line=LINES)
    file["accountPools"][POOL]["loader"] = list(accounts)
    return jabiru.without_warning(file)


def registers(domains: TwoDomains, address: str, since: int) -> list[tuple[str, str]]:
    """The REGISTERs of an account: whether it unregisters, and its gateway; those that repeat one before left out."""
    told = [
        ("away" if one["Expires"] == "0" else "here", one["Contact"].partition("gw=")[2].rstrip(">"))
        for one in domains.jabiru.received[since:]
        if one.method == "REGISTER" and f"<{address}>" in one["To"]
    ]
    return [each for each, _ in itertools.groupby(told)]


def test_accounts_come_change_and_go_while_calls_go_on(start: Start) -> None:
    with start("alice", "erin", "frank") as domains:
        bridge = domains.bridge
        calls = {user: domains.call_out(user) for user in ("alice", "erin", "frank")}
        assert [call.answer.status for call in calls.values()] == [200] * 3
        heard = len(domains.jabiru.received)
        domains.provider.passwords["alice"] = "another of alice"
        bridge.write_providers(
            file_with(domains.jabiru, domains.proxy, entry("alice", "another of "), entry("frank"), entry("dave"))
        )

        shown = bridge.command("reload", "--dry-run")
        assert bridge.accounts().keys() == {ALICE, ERIN, FRANK}
        done = bridge.command("reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert "would be " in shown.stdout
        assert shown.stdout.replace("would be ", "") == done.stdout
        assert done.stdout.splitlines() == [
            "account pools",
            f"  ~ {POOL}",
            "      accounts: 1 added, 1 changed, 1 removed",
            f"      + {DAVE}",
            f"      ~ {ALICE}: secret",
            f"      - {ERIN}",
            "gateways: 1 added, 1 replaced, 1 removed",
        ]
        assert bridge.accounts().keys() == {ALICE, FRANK, DAVE}

        bridge.wait_for_status(DAVE, "OK")
        bridge.wait_for_status(ALICE, "OK")
        wait_until("erin has unregistered", lambda: ERIN not in domains.provider.bindings)
        alice = registers(domains, ALICE, heard)
        assert [what for what, _ in alice] == ["away", "here"]
        assert alice[0][1] != alice[1][1]
        assert domains.provider.bindings.keys() == {ALICE, FRANK, DAVE}
        assert registers(domains, FRANK, heard) == [], "frank is as he was"

        assert {address: one["freeSlots"] for address, one in bridge.accounts().items()} == {
            ALICE: LINES - 1,
            FRANK: LINES - 1,
            DAVE: LINES,
        }
        assert len(domains.freeswitch.channels()) == 6
        assert domains.call_out("erin").answer.status == 488
        for user in ("dave", "alice"):
            call = domains.call_out(user)
            assert call.answer.status == 200
            call.hang_up()
        for call in calls.values():
            call.hang_up()
        for address in (ALICE, FRANK, DAVE):
            bridge.wait_for_free_slots(address, LINES)
        assert "secret of" not in bridge.log() + done.stdout
        assert bridge.command("reload").stdout == "nothing changes\n"


def test_a_bad_file_is_refused_and_a_good_one_taken_by_signal_as_well(start: Start) -> None:
    with start("alice") as domains:
        bridge = domains.bridge
        good = bridge.providers_file.read_text()
        bridge.providers_file.write_text(good.replace('"sip:.*"', '"sip:(.*"'))
        refused = bridge.command("reload")
        assert refused.returncode == 1
        assert refused.stdout == ""
        first, last = refused.stderr.splitlines()
        assert first.startswith(f"{bridge.providers_file}:")
        assert "error: " in first
        assert last == "sipbridge: error: the file has errors; the previous configuration stays in use"
        bridge.signal(signal.SIGHUP)
        wait_until("the signal is answered", lambda: bridge.log().count("the file has errors") == 2)
        assert bridge.log().count(f"reload: {first}") == 2
        call = domains.call_out()
        assert call.answer.status == 200

        bridge.write_providers(file_with(domains.jabiru, domains.proxy, entry("alice"), entry("dave")))
        bridge.signal(signal.SIGHUP)
        wait_until("dave is there", lambda: DAVE in bridge.accounts())
        bridge.wait_for_status(DAVE, "OK")
        call.hang_up()
        bridge.wait_for_free_slots(ALICE, LINES)


def test_provider_account_and_bridge_are_drained_and_take_calls_again(start: Start) -> None:
    with start("alice", "frank") as domains:
        bridge = domains.bridge

        def outcomes() -> tuple[int, int, int]:
            """Of a call out of alice, one out of frank, and one in to alice."""
            calls = [domains.call_out("alice"), domains.call_out("frank"), domains.call_in()]
            for call in calls:
                if call.answer.status == 200:
                    call.hang_up()
            bridge.wait_for_free_slots(ALICE, LINES - 1)
            return calls[0].answer.status, calls[1].answer.status, calls[2].answer.status

        running = domains.call_out("alice")
        for wish, expected, said in (
            (["--account", ALICE], (503, 200, 503), f"account {ALICE} accepts no new calls; 1 call in progress\n"),
            (
                ["--provider", OUTBOUND],
                (503, 503, 200),
                f'provider "{OUTBOUND}" accepts no new calls; 1 call in progress',
            ),
            ([], (503, 503, 503), "the bridge accepts no new calls; 1 call in progress\n"),
        ):
            done = bridge.command("drain", *wish)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(said)
            # An Event Socket command is under way for a moment.
            if not wish:
                wait_until("the lease has ended", lambda: domains.freeswitch.lease() != "true")
            assert outcomes() == expected
            undone = bridge.command("drain", *wish, "--undo")
            assert " accepts new calls again; " in undone.stdout
            wait_until("the lease is there", lambda: domains.freeswitch.lease() == "true")
            assert outcomes() == (200, 200, 200)
        running.hang_up()
        bridge.wait_for_free_slots(ALICE, LINES)


def test_what_cannot_be_drained_is_told(start: Start) -> None:
    with start("alice") as domains:
        for arguments, status, message in (
            (["--account", f"sip:alcie@{DOMAIN}"], 1, f'unknown account "sip:alcie@{DOMAIN}"; did you mean "{ALICE}"?'),
            (["--provider", "Jabiru"], 1, 'unknown provider "Jabiru"'),
            (["--provider", "a", "--account", "b"], 2, "--provider and --account cannot be used together"),
        ):
            refused = domains.bridge.command("drain", *arguments)
            assert (refused.returncode, refused.stdout) == (status, "")
            assert message in refused.stderr
            assert "Traceback" not in refused.stderr


# Stopping


def test_stopping_waits_for_calls_then_unregisters(start: Start) -> None:
    with start("alice", settings="[calls]\ndrain_timeout_s = 60") as domains:
        bridge = domains.bridge
        call = domains.call_out()
        assert call.answer.status == 200
        bridge.signal(signal.SIGTERM)
        wait_until("the lease has ended", lambda: domains.freeswitch.lease() != "true")
        assert domains.call_out().answer.status == 503
        assert bridge.command("drain", "--undo").stderr == "sipbridge: error: the bridge is stopping\n"
        # It is still there, counts, and its account still registered.
        assert bridge.accounts()[ALICE]["freeSlots"] == LINES - 1
        assert domains.provider.bindings.keys() == {ALICE}
        call.hang_up()
        assert bridge.wait() == 0
        assert domains.provider.bindings == {}


@pytest.mark.parametrize("drain_timeout_s", [0, 1])
def test_stopping_waits_no_longer_than_it_may(start: Start, drain_timeout_s: int) -> None:
    with start("alice", settings=f"[calls]\ndrain_timeout_s = {drain_timeout_s}") as domains:
        call = domains.call_out()
        started = time.monotonic()
        domains.bridge.signal(signal.SIGTERM)
        assert domains.bridge.wait() == 0
        assert drain_timeout_s <= time.monotonic() - started < drain_timeout_s + 6
        assert domains.provider.bindings == {}
        call.hang_up()
        wait_until("no call is left", lambda: not domains.freeswitch.channels())


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_cuts_the_wait_short(start: Start, second: int) -> None:
    with start("alice", settings="[calls]\ndrain_timeout_s = 60") as domains:
        call = domains.call_out()
        domains.bridge.signal(signal.SIGTERM)
        wait_until("it stops", lambda: "stopping: " in domains.bridge.log())
        domains.bridge.signal(second)
        assert domains.bridge.wait() == 0
        assert domains.provider.bindings == {}
        call.hang_up()
