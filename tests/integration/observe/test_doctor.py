"""`sipbridge doctor` beside a real FreeSWITCH finds what was broken, and nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import jabiru
import pytest

from sipbridge.core.freeswitch.known_holes import known_holes
from support.bridge import Bridge
from support.digest import DigestProvider
from support.freeswitch import VERSION, FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer

Findings = dict[str, tuple[str, str]]

ABOUT_THE_MACHINE = ("clock", "open-files.", "udp-buffer.")
KNOWN_HOLE = "known-hole."


@pytest.fixture(scope="module")
def bridge(bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    bridged_freeswitch.spool.parent.chmod(0o750)
    with SipPeer(DigestProvider(jabiru.DOMAIN, jabiru.PASSWORDS).rule) as far:
        file = jabiru.without_warning(jabiru.providers_file(far.hostport, far.hostport, "udp"))
        bridge = Bridge(tmp_path_factory.mktemp("bridge"), bridged_freeswitch, file)
        bridge.providers_file.chmod(0o600)
        try:
            bridge.wait_for_status(jabiru.ALICE, "OK")
            yield bridge
        finally:
            bridge.kill()


def examine(bridge: Bridge) -> tuple[int, Findings]:
    """The exit status, and verdict and text of what has not passed, by id; the machine itself may be as it is."""
    run = bridge.command("doctor", "--json")
    assert run.stderr == ""
    return run.returncode, {
        one["id"]: (one["verdict"], one["text"])
        for one in json.loads(run.stdout)
        if one["verdict"] != "pass" and not one["id"].startswith((*ABOUT_THE_MACHINE, KNOWN_HOLE))
    }


def test_nothing_is_wrong(bridge: Bridge) -> None:
    assert examine(bridge) == (0, {})


def test_known_holes_of_the_version_are_named(bridge: Bridge) -> None:
    told = json.loads(bridge.command("doctor", "--json").stdout)
    named = {one["id"].removeprefix(KNOWN_HOLE) for one in told if one["id"].startswith(KNOWN_HOLE)}
    assert named == {hole.name for hole in known_holes(VERSION)}


def test_a_checklist_for_the_eye(bridge: Bridge) -> None:
    run = bridge.command("doctor")
    assert run.returncode == 0
    assert "✓ api-expansion is off" in run.stdout
    assert "0 failed" not in run.stdout
    assert "passed" in run.stdout.splitlines()[-1]
    quiet = bridge.command("doctor", "--quiet").stdout
    assert "✓" not in quiet
    assert "passed" in quiet.splitlines()[-1]
    assert not any(secret in run.stdout + quiet for secret in jabiru.PASSWORDS.values())


@pytest.mark.parametrize(
    ("break_", "mend", "found"),
    [
        pytest.param("fsctl api_expansion on", "fsctl api_expansion off", "api-expansion", id="api-expansion"),
        pytest.param(
            "global_setvar sipbridge_spool=/tmp/another.xml",
            "global_setvar sipbridge_spool={spool}",
            "spool-included",
            id="another spool",
        ),
    ],
)
def test_what_is_broken_in_freeswitch_is_found(
    bridge: Bridge, bridged_freeswitch: FreeSwitch, break_: str, mend: str, found: str
) -> None:
    bridged_freeswitch.event_socket.api(break_)
    try:
        status, findings = examine(bridge)
    finally:
        bridged_freeswitch.event_socket.api(mend.format(spool=bridged_freeswitch.spool))
    assert (status, list(findings)) == (1, [found])


def test_a_dialplan_that_does_not_park_is_found(bridge: Bridge, bridged_freeswitch: FreeSwitch) -> None:
    park = bridged_freeswitch.directory / "conf/dialplan/park.inc"
    before = park.read_text()
    park.write_text(before.replace('application="park"', 'application="answer"'))
    bridged_freeswitch.event_socket.api("reloadxml")
    try:
        status, findings = examine(bridge)
    finally:
        park.write_text(before)
        bridged_freeswitch.event_socket.api("reloadxml")
    assert (status, sorted(findings)) == (1, ["dialplan.inside", "dialplan.providers"])
    assert "does not park" in findings["dialplan.inside"][1]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        pytest.param(("secret-of-a-test", "guess"), "event-socket", id="a wrong password"),
        pytest.param(("gateways.xml", "others/gateways.xml"), "spool-folder", id="no spool folder"),
        pytest.param(("providers.json", "missing.json"), "providers-file", id="no providers file"),
    ],
)
def test_what_is_wrong_in_the_settings_is_found(bridge: Bridge, settings: tuple[str, str], found: str) -> None:
    with other_settings(bridge, *settings):
        status, findings = examine(bridge)
    assert status == 1
    assert findings[found][0] == "fail"
    assert "guess" not in str(findings)


def test_proxies_that_cannot_be_reached_are_found(bridge: Bridge) -> None:
    before = bridge.providers_file.read_text()
    providers = json.loads(before)
    accounts = providers["accountPools"]["JabiruAccountPool"]["loader"]
    accounts[0]["outboundProxy"] = "sip:nowhere.invalid"
    accounts[1]["outboundProxy"] = "sip:127.0.0.1:5061;transport=tls"
    bridge.write_providers(providers)
    try:
        status, findings = examine(bridge)
    finally:
        bridge.providers_file.write_text(before)
    assert status == 1
    assert "nowhere.invalid has no address" in findings["proxy.sip:nowhere.invalid"][1]
    assert "requires TLS" in findings["proxy.sip:127.0.0.1:5061;transport=tls"][1]


def test_without_freeswitch_the_rest_is_looked_at(bridge: Bridge, bridged_freeswitch: FreeSwitch) -> None:
    """The last one: the others need it."""
    bridged_freeswitch.kill()
    status, findings = examine(bridge)
    assert status == 1
    assert findings["event-socket"][0] == "fail"
    assert "spool-folder" not in findings


def test_a_profile_that_was_stopped_is_found(tmp_path: Path) -> None:
    freeswitch = FreeSwitch(tmp_path / "fs")
    try:
        wait_until("it may be stopped", lambda: float(freeswitch.event_socket.api("uptime")) > 11, timeout_s=60)
        bridge = Bridge(tmp_path / "bridge", freeswitch, jabiru.providers_file("127.0.0.1:9", "127.0.0.1:9", "udp"))
        try:
            freeswitch.event_socket.api("sofia profile inside stop")
            wait_until(
                "it has stopped", lambda: "Invalid" in freeswitch.event_socket.api("sofia xmlstatus profile inside")
            )
            assert examine(bridge)[1]["profile-address.inside"][0] == "fail"
        finally:
            bridge.kill()
    finally:
        freeswitch.kill()


@contextlib.contextmanager
def other_settings(bridge: Bridge, before: str, after: str) -> Iterator[None]:
    """Other settings for the command; the daemon has read its own already."""
    text = bridge.settings_file.read_text()
    bridge.settings_file.write_text(text.replace(before, after))
    try:
        yield
    finally:
        bridge.settings_file.write_text(text)
