"""A whole session, with a real FreeSWITCH and everything that goes wrong in one: no byte of a secret is left anywhere.

Every secret has the same mark in it, so that it is found whatever else is quoted around it; the digests of them are
looked for as well. What was looked through, and how many bytes of secrets were in it, is told at the end of the run.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import jabiru
import pytest
from jabiru import ALICE, CAROL, DOMAIN, TwoDomains

from support.bridge import Bridge
from support.digest import DigestProvider, md5
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer
from support.sip_rule import answers

MARK = "zqMARKqz"
PASSWORDS = {"alice-auth": f's3cret {MARK} "quoted" & <marked>\'', "carol": f"right{MARK}"}
WRONG = f"wrong{MARK}"
CHANGED = f"changed{MARK}"
KEPT_BY_THE_OPERATOR = {"providers.json", "sipbridge.toml"}
SETTINGS = """
[cdr]
file = "cdr.jsonl"
[logging]
level = "debug"
"""


def _providers(far: str, proxy: str, alice: str = PASSWORDS["alice-auth"]) -> dict[str, object]:
    file = jabiru.providers_file(far, proxy, "udp")
    first, second = file["accountPools"]["JabiruAccountPool"]["loader"]
    first["secret"], second["secret"] = alice, WRONG
    return file


@pytest.fixture
def domains(tmp_path: Path) -> Iterator[TwoDomains]:
    freeswitch = FreeSwitch(tmp_path / "fs", sipbridge_log_level="debug", sipbridge_log_file_levels="all")
    provider = DigestProvider(DOMAIN, PASSWORDS)
    provider.callee = answers()
    try:
        with SipPeer(provider.rule) as far, SipPeer(answers()) as proxy:
            file = _providers(far.hostport, proxy.hostport)
            bridge = Bridge(tmp_path / "bridge", freeswitch, file, more_settings=SETTINGS)
            try:
                yield TwoDomains(freeswitch, bridge, far, provider, proxy, "udp")
            finally:
                bridge.kill()
    finally:
        freeswitch.kill()


class Search:
    """What is looked through, and what is found."""

    def __init__(self) -> None:
        hashes = [md5(user, DOMAIN, password) for user, password in PASSWORDS.items()]
        hashes += [md5("carol", DOMAIN, WRONG), md5("alice-auth", DOMAIN, CHANGED)]
        self._wanted = [MARK.encode(), *(each.encode() for each in hashes)]
        self.looked_through = 0
        self.places = 0
        self.found: dict[str, int] = {}

    def look(self, what: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.places += 1
        self.looked_through += len(data)
        if secret := sum(data.count(each) * len(each) for each in self._wanted):
            self.found[what] = self.found.get(what, 0) + secret

    def look_into(self, folder: Path) -> None:
        for file in folder.rglob("*"):
            if file.is_file() and file.name not in KEPT_BY_THE_OPERATOR:
                self.look(str(file), file.read_bytes())

    def look_at_processes(self) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    self.look(f"{folder}/{name}", (folder / name).read_bytes())
                except (OSError, PermissionError):
                    # It is gone, or somebody else's.
                    continue

    def look_at_commands(self, bridge: Bridge) -> None:
        file = str(bridge.providers_file)
        call = ["--request-uri", f"sip:bob@{DOMAIN}", "--from", ALICE, "--to", CAROL]
        for arguments in (
            ("info",),
            ("status", "--json"),
            ("status", "--account", "alice"),
            ("calls", "--json"),
            ("check", file),
            ("explain", file, "--json", *call),
            ("doctor", "--json"),
        ):
            done = bridge.command(*arguments)
            assert done.stdout
            self.look(" ".join(arguments), done.stdout + done.stderr)
        for path in ("/metrics", "/readyz"):
            self.look(path, bridge.get(path)[1])


def _a_call_is_carried(domains: TwoDomains) -> None:
    wait_until("a call is carried", lambda: _status_of_a_call(domains) == 200, timeout_s=60)


def _status_of_a_call(domains: TwoDomains) -> int:
    call = domains.call_out()
    if call.answer.status == 200:
        call.hang_up()
    return call.answer.status


@pytest.mark.timeout(300)
def test_no_byte_of_a_secret_is_left(domains: TwoDomains, capsys: pytest.CaptureFixture[str]) -> None:
    freeswitch, bridge, search = domains.freeswitch, domains.bridge, Search()
    before = _temporary_files()
    bridge.wait_for_status(ALICE, "OK", timeout_s=60)
    bridge.wait_for_status(CAROL, "Registration failed", timeout_s=60)
    _a_call_is_carried(domains)
    search.look_at_processes()
    search.look_at_commands(bridge)
    # What goes wrong: a reload with a secret that is refused, and back; a crash of the one and of the other; a restart.
    for secret, status in ((CHANGED, "Registration failed"), (PASSWORDS["alice-auth"], "OK")):
        bridge.write_providers(_providers(domains.jabiru.hostport, domains.proxy.hostport, secret))
        assert bridge.command("reload").returncode == 0
        bridge.wait_for_status(ALICE, status, timeout_s=60)
    bridge.providers_file.write_text(bridge.providers_file.read_text().replace(MARK, f"{MARK}\\q", 1))
    refused = bridge.command("reload")
    assert refused.returncode == 1
    search.look("a file with a mistake in a secret", refused.stdout + refused.stderr)
    bridge.write_providers(_providers(domains.jabiru.hostport, domains.proxy.hostport))
    logs = bridge.log()
    bridge.kill()
    bridge.start()
    _a_call_is_carried(domains)
    freeswitch.kill()
    freeswitch.start()
    _a_call_is_carried(domains)
    logs += bridge.log()
    # As an upgrade does.
    assert bridge.terminate() == 0
    bridge.start()
    _a_call_is_carried(domains)
    search.look_at_commands(bridge)
    search.look_at_processes()
    assert bridge.terminate() == 0
    search.look("log", logs + bridge.log())
    search.look_into(bridge.providers_file.parent)
    search.look_into(freeswitch.directory)
    for file in _temporary_files().keys() - before.keys():
        search.look(str(file), file.read_bytes() if file.is_file() else b"")
    told = f"secrets: {search.places:,} places, {search.looked_through:,} bytes looked through, "
    told += f"{sum(search.found.values())} bytes of secret found"
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert search.found == {}
    # It would have been found.
    search.look("the providers file", bridge.providers_file.read_bytes())
    assert search.found["the providers file"] == 2 * len(MARK)
    assert json.loads((bridge.providers_file.parent / "cdr.jsonl").read_text().splitlines()[0])["outcome"] == "answered"


def _temporary_files() -> Mapping[Path, float]:
    """What lies openly in the folder for temporary files, where FreeSWITCH has its own."""
    found = {}
    for file in Path("/tmp").iterdir():
        if file.is_file() and os.access(file, os.R_OK) and "freeswitch" in file.name.lower():
            found[file] = file.stat().st_mtime
    return found
