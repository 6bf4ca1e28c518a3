"""Judges FreeSWITCH: does it answer, is it configured as needed, does it hand calls over. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.freeswitch.known_holes import known_holes
from sipbridge.core.freeswitch.version import RECOMMENDED, TESTED, parse_freeswitch_version
from sipbridge.core.network import HostNetwork
from sipbridge.core.providers.media import SwitchDtls
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.doctor.facts import HostFacts, ProfileFacts, SwitchFacts
from sipbridge.doctor.finding import Finding, Section

NEEDED_MODULES = ("mod_commands", "mod_dialplan_xml", "mod_dptools", "mod_event_socket", "mod_sofia")
PUBLISHED_PASSWORD = "ClueCon"  # noqa: S105 - known to everyone, which is the point
"""FreeSWITCH's own default."""

UNCHECKED_CODECS = "none-until-checked"
"""A codec that does not exist. Source: switch_core_media.c, switch_core_media_set_r_sdp_codec_string."""

_OURS = "sipbridge's own configuration in freeswitch/ has it"
_FREESWITCH, _PROFILES = Section.FREESWITCH, Section.PROFILES

# A part of the problem's text → what to do about it.
_EVENT_SOCKET_ADVICE = {
    "rejected the Event Socket password": "put FreeSWITCH's password from event_socket.conf.xml "
    "(sipbridge_event_socket_password) into the password_file of [event_socket]",
    "access list": "allow this host in apply-inbound-acl of event_socket.conf.xml, or run sipbridge beside FreeSWITCH",
    "refused": "start FreeSWITCH, or set host and port in [event_socket] to the address of its mod_event_socket",
}
_ELSEWHERE = "check that FreeSWITCH is running, and where its mod_event_socket listens: ss -ltn"


def check_event_socket(where: str, problem: str, password: str) -> Iterator[Finding]:
    """Check the connection to FreeSWITCH.

    Args:
        where: the address, such as ``127.0.0.1:8021``.
        problem: why the connection failed; empty if it worked.
        password: the password that was used.
    """
    if problem:
        advice = next((text for part, text in _EVENT_SOCKET_ADVICE.items() if part in problem), _ELSEWHERE)
        yield _FREESWITCH.failed("event-socket", f"Event Socket unavailable: {problem}", advice)
        return
    yield _FREESWITCH.passed("event-socket", f"the Event Socket at {where} accepts the password")
    if password == PUBLISHED_PASSWORD:
        yield _FREESWITCH.failed(
            "event-socket-password",
            "the Event Socket uses FreeSWITCH's published default password",
            "set a password of your own: sipbridge_event_socket_password in freeswitch/local/, and in [event_socket]",
        )
    if not where.startswith(("127.", "[::1]", "localhost")):
        yield _FREESWITCH.warned(
            "event-socket-address",
            f"the Event Socket is used over the network ({where}) without encryption: its passwords can be read there",
            "run sipbridge on FreeSWITCH's host, and make the Event Socket listen on 127.0.0.1 only",
        )


def check_switch(facts: SwitchFacts, host: HostFacts) -> Iterator[Finding]:
    """Check whether FreeSWITCH is configured as the bridge needs it."""
    yield from _check_version(facts.version)
    missing = [name for name, loaded in facts.modules.items() if not loaded]
    if missing:
        yield _FREESWITCH.failed(
            "modules",
            f"modules not loaded: {', '.join(missing)}",
            f'add <load module="{missing[0]}"/> to modules.conf.xml; {_OURS}',
        )
    else:
        yield _FREESWITCH.passed("modules", f"all {len(facts.modules)} required modules are loaded")
    if facts.api_expansion:
        yield _FREESWITCH.failed(
            "api-expansion",
            "api-expansion is on: text sent by a caller could run commands on this host",
            'set <param name="api-expansion" value="false"/> in switch.conf.xml, and restart FreeSWITCH; until then: '
            'fs_cli -x "fsctl api_expansion off"',
        )
    else:
        yield _FREESWITCH.passed("api-expansion", "api-expansion is off: text from the network cannot run commands")
    yield _check_lease(facts, host)
    for profile in facts.profiles:
        yield from _check_profile(profile, host.network)
        yield _check_offers(profile)
        yield from check_dialplan(profile)


def _check_version(text: str) -> Iterator[Finding]:
    version = parse_freeswitch_version(text)
    if version is None:
        yield _FREESWITCH.skipped("version", "unknown version of FreeSWITCH: its answer cannot be parsed")
    elif any(version[:2] == tested[:2] for tested in TESTED):
        yield _FREESWITCH.passed("version", f"FreeSWITCH {version}")
    elif version < RECOMMENDED:
        what = f"FreeSWITCH {version}: not tested with sipbridge"
        yield _FREESWITCH.warned("version", what, f"upgrade FreeSWITCH to {RECOMMENDED}")
    else:
        what = f"FreeSWITCH {version}: not tested with sipbridge; the newest tested version is {RECOMMENDED}"
        yield _FREESWITCH.warned("version", what, "look for a newer sipbridge; do not install an older FreeSWITCH")
    for hole in known_holes(version):
        yield _FREESWITCH.warned(f"known-hole.{hole.name}", f"FreeSWITCH {version}: {hole.what}", hole.advice)


def check_dtls(config: BridgeConfig, media: MediaDefaults, facts: SwitchFacts) -> Iterator[Finding]:
    """Whether FreeSWITCH can do the DTLS-SRTP that providers ask it for, and verifies it."""
    dtls = SwitchDtls(parse_freeswitch_version(facts.version), facts.has_dtls_certificate)
    for provider in config.providers:
        if fault := media.dtls_fault_of(provider.outgoing_invite, dtls):
            what, _, advice = fault.partition(": ")
            what = f'provider "{provider.name}": its calls are declined: {what}'
            yield _FREESWITCH.failed("dtls-srtp", what, advice)


def _check_lease(facts: SwitchFacts, host: HostFacts) -> Finding:
    if facts.lease:
        return _FREESWITCH.passed("lease", "a controller holds the lease: new calls are accepted")
    if host.daemon is None:
        return _FREESWITCH.warned(
            "lease", "no controller holds the lease: new calls get 503", "start sipbridge: systemctl start sipbridge"
        )
    return _FREESWITCH.warned(
        "lease",
        "sipbridge is running but does not hold the lease: new calls get 503",
        "run sipbridge status; it may be drained (sipbridge drain --undo) or still connecting",
    )


def _check_profile(profile: ProfileFacts, network: HostNetwork | None) -> Iterator[Finding]:
    id_, name = f"profile-address.{profile.name}", profile.name
    configured = profile.parameters.get("sip-ip", "")
    if profile.bound is None:
        why = f"its configured address is {configured}" if configured else "it is not configured"
        advice = f'run fs_cli -x "sofia profile {name} start" and read FreeSWITCH\'s log; {why}'
        yield _PROFILES.failed(id_, f"sofia profile {name} is not running", advice)
        return
    where = f"sofia profile {name} is bound to {profile.bound}:{profile.port}"
    if network is None:
        yield _PROFILES.skipped(id_, f"{where}; unknown whether this host has that address")
    elif network.has(profile.bound):
        yield _PROFILES.passed(id_, where)
    elif network.has(configured):
        advice = (
            f'its configured address is now {configured}: fs_cli -x "sofia profile {name} restart" (ends its calls)'
        )
        yield _PROFILES.failed(id_, f"{where}, which this host no longer has", advice)
    else:
        those = ", ".join(sorted(network.addresses))
        advice = f"set sipbridge_{name}_ip in freeswitch/local/ to one of {those}, and restart the profile"
        yield _PROFILES.failed(id_, f"{where}, which this host does not have", advice)
    if profile.parameters.get("auto-restart", "true") != "false":
        yield _PROFILES.warned(
            f"profile-auto-restart.{name}",
            f"sofia profile {name} has auto-restart: FreeSWITCH drops the profile when this host's address changes",
            f'set <param name="auto-restart" value="false"/> in it; sipbridge follows address changes; {_OURS}',
        )


def _check_offers(profile: ProfileFacts) -> Finding:
    """Whether mod_sofia looks into an offer before the controller has checked it: for any codec that it knows."""
    id_, codecs = f"profile-offers.{profile.name}", profile.parameters.get("inbound-codec-prefs", "")
    if codecs == UNCHECKED_CODECS:
        what = f"sofia profile {profile.name} reads no SDP before sipbridge has checked it"
        return _PROFILES.passed(id_, what)
    return _PROFILES.failed(
        id_,
        f"sofia profile {profile.name} reads the SDP of every INVITE: one INVITE of anybody can end FreeSWITCH",
        f'set <param name="inbound-codec-prefs" value="{UNCHECKED_CODECS}"/> in it, and originator_codec in vars.xml; '
        f"{_OURS}",
    )


def check_dialplan(profile: ProfileFacts) -> Iterator[Finding]:
    """Check whether calls to a profile are handed over to the controller."""
    context = profile.parameters.get("context", "")
    id_, where = f"dialplan.{profile.name}", f"dialplan context {context!r} of sofia profile {profile.name}"
    if not profile.dialplan:
        yield _PROFILES.failed(id_, f"{where} does not exist: every call is refused", f"add it; {_OURS}")
        return
    root = ElementTree.fromstring(profile.dialplan)  # noqa: S314 - written by FreeSWITCH, and parsed once already when gathered
    wanting = list(_wanting(root))
    if not wanting:
        yield _PROFILES.passed(
            id_, f"calls to sofia profile {profile.name} are parked while a controller holds the lease"
        )
    for what, consequence, is_fatal in wanting:
        make = _PROFILES.failed if is_fatal else _PROFILES.warned
        yield make(id_, f"{where} {what}: {consequence}", f"see dialplan/park.inc: {_OURS}")


def _wanting(context: ElementTree.Element) -> Iterator[tuple[str, str, bool]]:
    """Yield what a context lacks, the consequence, and whether it is fatal."""
    conditions = [one.get("field", "") for one in context.iter("condition")]
    actions = [(one.get("application", ""), one.get("data", "")) for one in context.iter("action")]
    set_here = " ".join(data for application, data in actions if application in ("set", "multiset", "export"))
    if "park" not in (application for application, _ in actions):
        yield "does not park", "the controller never gets a call", True
    if "sip_bridge=true" not in set_here:
        yield "does not set sip_bridge=true", "the controller never sees a call", True
    if "hangup_after_bridge=true" not in set_here:
        yield "does not set hangup_after_bridge=true", "a caller whose call fails stays parked", True
    if not any("sipbridge_lease" in field for field in conditions):
        yield "does not check the lease", "without a controller, calls stay parked instead of getting 503", False
    if "park_timeout=" not in set_here:
        yield "sets no park_timeout", "an undecided call stays parked forever", False
