"""One FreeSWITCH has one controller: a second one gives way or takes over, and no call is ever made twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest
from jabiru import TwoDomains

from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer
from support.sip_rule import answers


class Controllers:
    """A controller that runs, and a second one for the same FreeSWITCH."""

    def __init__(self, folder: Path, freeswitch: FreeSwitch, far: SipPeer, proxy: SipPeer, provider: DigestProvider):
        file = jabiru.providers_file(far.hostport, proxy.hostport, "udp")
        self.freeswitch, self.far, self.provider = freeswitch, far, provider
        self.first = Bridge(folder / "first", freeswitch, file)
        self.second = Bridge(folder / "second", freeswitch, file, control_socket="second.sock", starts=False)
        self.domains = TwoDomains(freeswitch, self.first, far, provider, proxy, "udp")
        self.first.wait_for_status(jabiru.ALICE, "OK")

    def call_once(self) -> None:
        """A call gets through, and the far side sees one."""
        wait_until("calls are taken", lambda: self.freeswitch.lease() == "true")
        heard = len(self.far.received)
        call = self.domains.call_out()
        assert call.answer.status == 200
        call.hang_up()
        # What a second controller makes of the same call comes after the end of the first one.
        wait_until("the call is over", lambda: not self.freeswitch.channels())
        invites = [one for one in self.far.received[heard:] if one.method == "INVITE" and self.provider.accepts(one)]
        assert len(invites) == 1, invites

    def unregistered(self) -> int:
        registers = (one for one in self.far.received if one.method == "REGISTER" and jabiru.ALICE in one["To"])
        return sum(one["Expires"] == "0" for one in registers)


@pytest.fixture
def controllers(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> Iterator[Controllers]:
    provider = DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        provider.callee = answers()
        made = Controllers(tmp_path, bridged_freeswitch, far, proxy, provider)
        try:
            yield made
        finally:
            for each in (made.first, made.second):
                if each.has_started:
                    each.kill()
            bridged_freeswitch.event_socket.api("hupall")
            # The next test begins with a FreeSWITCH that nobody has.
            for name in bridged_freeswitch.event_socket.api("sofia profile providers gwlist down").split():
                bridged_freeswitch.event_socket.api(f"sofia profile providers killgw {name}")


def test_a_second_one_does_not_start_and_leaves_the_first_alone(controllers: Controllers) -> None:
    gateways = controllers.freeswitch.gateways_up()
    assert controllers.second.run_to_its_end() == 1
    assert f"another controller (PID {controllers.first.pid}) has this FreeSWITCH" in controllers.second.log()
    assert "--take-over" in controllers.second.log()
    assert "Traceback" not in controllers.second.log()
    assert controllers.freeswitch.lease() == "true"
    assert controllers.freeswitch.gateways_up() == gateways
    assert controllers.unregistered() == 0
    controllers.call_once()


def test_one_that_takes_over_has_the_calls_and_the_first_stops_in_order(controllers: Controllers) -> None:
    before = controllers.domains.call_out()
    assert before.answer.status == 200
    gateways = controllers.freeswitch.gateways_up()
    controllers.second.start("--take-over")
    assert controllers.first.wait() == 1
    assert (
        f"another controller (PID {controllers.second.pid}) has taken this FreeSWITCH over" in controllers.first.log()
    )
    assert "Traceback" not in controllers.first.log()
    controllers.second.wait_for_status(jabiru.ALICE, "OK")
    controllers.second.wait_for_free_slots(jabiru.ALICE, jabiru.LINES - 1)
    assert controllers.freeswitch.gateways_up() == gateways
    assert controllers.unregistered() == 0
    before.hang_up()
    controllers.call_once()


def test_a_drained_one_still_has_its_freeswitch(controllers: Controllers) -> None:
    assert controllers.first.command("drain").returncode == 0
    wait_until("no lease", lambda: controllers.freeswitch.lease() != "true")
    assert controllers.second.run_to_its_end() == 1
    assert controllers.freeswitch.lease() != "true"


def test_the_next_one_starts_at_once_after_a_crash(controllers: Controllers) -> None:
    controllers.first.kill()
    began = time.monotonic()
    controllers.second.start()
    controllers.second.wait_for_status(jabiru.ALICE, "OK")
    # The lease of the one that crashed still stands: nobody waited for its end.
    assert time.monotonic() - began < 5.0
    controllers.call_once()


def test_the_next_one_starts_at_once_after_a_stop(controllers: Controllers) -> None:
    assert controllers.first.terminate() == 0
    assert controllers.freeswitch.event_socket.api("global_getvar sipbridge_controller") == "free"
    controllers.second.start()
    controllers.second.wait_for_status(jabiru.ALICE, "OK")


def test_one_that_was_stopped_for_too_long_decides_nothing_of_the_next_one(controllers: Controllers) -> None:
    controllers.first.signal(signal.SIGSTOP)
    wait_until(
        "its claim has ended",
        lambda: controllers.freeswitch.event_socket.api("global_getvar sipbridge_controller") == "free",
    )
    controllers.second.start()
    controllers.second.wait_for_status(jabiru.ALICE, "OK")
    wait_until("calls are taken", lambda: controllers.freeswitch.lease() == "true")
    call = controllers.domains.call_out()
    assert call.answer.status == 200
    # It finds the events of that call waiting for it.
    controllers.first.signal(signal.SIGCONT)
    assert controllers.first.wait() == 1
    call.hang_up()
    wait_until("the call is over", lambda: not controllers.freeswitch.channels())
    invites = [one for one in controllers.far.received if one.method == "INVITE" and controllers.provider.accepts(one)]
    assert len(invites) == 1, invites
