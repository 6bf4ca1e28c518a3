"""What a declined caller gets, for every reason: the status of the settings, and Retry-After with a 503."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_message import SipMessage, sdp
from support.sip_peer import SipPeer

DEFAULTS = dict.fromkeys(
    ("no-provider", "account-not-found", "not-registered", "lines-taken", "bad-address"), "488 Not Acceptable Here"
) | {"draining": "503 Service Unavailable"}
OF_THE_SETTINGS = {
    "no-provider": "404 Nobody Here",
    "account-not-found": "403 Not Our Customer",
    "not-registered": "480 Temporarily Unavailable",
    "lines-taken": "486 Busy Here",
    "bad-address": "604 Does Not Exist Anywhere",
    "draining": "503 Being Repaired",
}
SOME_503 = dict.fromkeys(DEFAULTS, "503 Try Elsewhere")
NOWHERE = "<sip:127.0.0.1:9>"


def _provider(name: str, pool: str, to: str = "sip:{incoming.to.user}@{account.uri.hostport}") -> dict[str, object]:
    """Takes the calls to the user part of its own name."""
    return {
        "name": name,
        "triggerCondition": {"strategy": "MatchRegex", "source": "{incoming.requestUri}", "pattern": f"sip:{name}@.*"},
        "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "uri"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": to, "from": "{account.uri}"},
        "accountPool": pool,
    }


def _pool(*, lines: int = 1, registers: bool = False) -> dict[str, object]:
    return {
        "outboundProxy": NOWHERE,
        "registrationRequired": registers,
        "maxCallsPerLine": lines,
        "loader": [{"uri": "sip:alice@a.example.org", "secretType": "clrtxt", "secret": "x"}],
    }


def _providers() -> Providers:
    return {
        "schemaVersion": 2,
        "providers": [
            _provider("account-not-found", "Free"),
            _provider("not-registered", "Unregistered"),
            _provider("lines-taken", "Full"),
            # No user part is a host.
            _provider("bad-address", "Free", "sip:x@{incoming.to.user}"),
            _provider("draining", "Free"),
        ],
        "accountPools": {"Free": _pool(), "Unregistered": _pool(registers=True), "Full": _pool(lines=0)},
    }


@dataclass(frozen=True, slots=True)
class Declining:
    """A bridge that declines every call."""

    freeswitch: FreeSwitch
    bridge: Bridge
    statuses: dict[str, str]

    def call(self, user: str) -> SipMessage:
        """The final response to a call; acknowledged."""
        from_user = "mallory" if user == "account-not-found" else "alice"
        with SipPeer() as caller:
            invite = caller.new_request(
                "INVITE",
                f"sip:{user}@b.example.org",
                from_=f"<sip:{from_user}@a.example.org>",
                to="<sip:a%20b@b.example.org>",
                body=sdp(),
            )
            caller.send(invite, self.freeswitch.inside)
            final = caller.final_response(invite)
            caller.send(caller.within_dialog("ACK", invite, final), self.freeswitch.inside)
            return final


def test_a_drained_bridge_and_one_that_was_killed_say_when_to_come_again(
    bridged_freeswitch: FreeSwitch, tmp_path: Path
) -> None:
    # Before the others, whose bridges last for as long as the module.
    bridge = Bridge(tmp_path / "bridge", bridged_freeswitch, _providers())
    declining = Declining(bridged_freeswitch, bridge, DEFAULTS)
    try:
        wait_until("calls are decided", lambda: declining.call("no-provider").status == 488)
        assert bridge.command("drain").returncode == 0
        wait_until("calls are refused", lambda: declining.call("no-provider").status == 503)
        assert declining.call("no-provider").values("Retry-After") == ["300"]
        assert bridge.command("drain", "--undo").returncode == 0
        wait_until("calls are decided again", lambda: declining.call("no-provider").status == 488)
    finally:
        bridge.kill()
    wait_until("the lease is over", lambda: bridged_freeswitch.lease() == "false")
    # Two timers, of which FreeSWITCH may run either first: the variable's, or that of the pause.
    final = declining.call("no-provider")
    assert final.status == 503
    assert final["Retry-After"] in ("5", "300")


@pytest.fixture(
    scope="module", params=[DEFAULTS, OF_THE_SETTINGS, SOME_503], ids=["defaults", "of the settings", "all 503"]
)
def declining(
    request: pytest.FixtureRequest, bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Declining]:
    statuses = request.param
    lines = [f'{reason.replace("-", "_")} = "{status}"' for reason, status in statuses.items()]
    settings = "" if statuses is DEFAULTS else "\n".join(["[calls.decline]", *lines])
    bridge = Bridge(tmp_path_factory.mktemp("bridge"), bridged_freeswitch, _providers(), more_settings=settings)
    try:
        declining = Declining(bridged_freeswitch, bridge, statuses)
        bridge.wait_for_status("sip:alice@a.example.org", "OK")
        decided = f"SIP/2.0 {statuses['no-provider']}"
        wait_until("calls are decided", lambda: declining.call("no-provider").start_line == decided)
        assert bridge.command("drain", "--provider", "draining").returncode == 0
        yield declining
    finally:
        bridge.kill()


@pytest.mark.parametrize("reason", DEFAULTS)
def test_the_caller_gets_what_the_settings_say(declining: Declining, reason: str) -> None:
    final = declining.call(reason)
    status = declining.statuses[reason]
    assert final.start_line == f"SIP/2.0 {status}"
    assert final.values("Retry-After") == (["5"] if status.startswith("503") else [])
