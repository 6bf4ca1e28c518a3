"""A faultless host, FreeSWITCH and network; each test changes one thing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sipbridge.core.network import HostNetwork, Route
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.doctor.check_switch import NEEDED_MODULES, UNCHECKED_CODECS
from sipbridge.doctor.facts import (
    Exit,
    FileFacts,
    HopFacts,
    HostFacts,
    ProcessFacts,
    ProfileFacts,
    SwitchFacts,
    UserFacts,
)
from sipbridge.doctor.finding import Finding, Verdict

OURS, LOOPBACK = "192.0.2.10", "127.0.0.1"
NETWORK = HostNetwork(frozenset({LOOPBACK, OURS}), frozenset({"inet via 192.0.2.1 dev eth0"}), OURS)

SIPBRIDGE = UserFacts("sipbridge", 990, frozenset({990}))
FREESWITCH = UserFacts("freeswitch", 991, frozenset({991}))
STRANGER = UserFacts("stranger", 1000, frozenset({1000}))
ROOT = UserFacts("root", 0, frozenset({0}))

SPOOL_FILE = Path("/run/sipbridge-spool/gateways.xml")

DIALPLAN = """<context name="inside">
  <extension name="lease" continue="true">
    <condition field="${sipbridge_lease}" expression="^true$">
      <anti-action application="respond" data="503 Service Unavailable"></anti-action>
    </condition>
  </extension>
  <extension name="bridge">
    <condition>
      <action application="multiset" data="^^|sip_bridge=true|hangup_after_bridge=true|park_timeout=3:X"></action>
      <action application="park"></action>
    </condition>
  </extension>
</context>"""


def folder(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> FileFacts:
    return FileFacts(Path(path), "spool folder", 0o040000 | mode, uid, gid)


def file(what: str, mode: int | None, *, holds_secret: bool = True) -> FileFacts:
    return FileFacts(Path(f"/etc/sipbridge/{what}"), what, mode, 0, 990, holds_secret)


def profile(name: str, **differing: object) -> ProfileFacts:
    parameters = {"context": name, "sip-ip": OURS, "auto-restart": "false", "tls": "false"}
    parameters["inbound-codec-prefs"] = UNCHECKED_CODECS
    usual = ProfileFacts(name, OURS, {"inside": 5060, "providers": 5080}[name], parameters, DIALPLAN)
    return dataclasses.replace(usual, **differing)  # type: ignore[arg-type]


def switch(**differing: object) -> SwitchFacts:
    usual = SwitchFacts(
        version="1.11.2-release",
        modules=dict.fromkeys(NEEDED_MODULES, True),
        api_expansion=False,
        lease=True,
        spool=str(SPOOL_FILE),
        sees_spool_folder=True,
        max_sessions=2_000,
        profiles=(profile("providers"), profile("inside")),
    )
    return dataclasses.replace(usual, **differing)  # type: ignore[arg-type]


def host(**differing: object) -> HostFacts:
    usual = HostFacts(
        network=NETWORK,
        clock_synchronized=True,
        files=(file("settings file", 0o100640), file("providers file", 0o100640)),
        spool_path=(folder("/"), folder("/run"), folder("/run/sipbridge-spool", 0o2750, 990, 991)),
        daemon=ProcessFacts(100, SIPBRIDGE, 65_536),
        freeswitch=ProcessFacts(200, FREESWITCH, 65_536),
        udp_drops={(OURS, 5060): 0, (OURS, 5080): 0},
        udp_buffer=212_992,
    )
    return dataclasses.replace(usual, **differing)  # type: ignore[arg-type]


def hop(uri: str = "sip:proxy.example.net", **differing: object) -> HopFacts:
    address = "198.51.100.7"
    usual = HopFacts(
        parse_sip_uri(uri), ("pool One",), Exit.GATEWAYS, (address,), "", {address: Route(OURS, "eth0", "192.0.2.1")}
    )
    return dataclasses.replace(usual, **differing)  # type: ignore[arg-type]


def told(findings: object) -> list[tuple[str, Verdict]]:
    """Ids and verdicts, without those that have passed; each of the others says what to do, or why it was skipped."""
    given: list[Finding] = list(findings)  # type: ignore[call-overload]
    assert given
    for one in given:
        assert one.text
        assert "\n" not in one.text + one.advice
        assert bool(one.advice) == (one.verdict in (Verdict.WARN, Verdict.FAIL)), one
    return [(one.id, one.verdict) for one in given if one.verdict is not Verdict.PASS]
