"""FreeSWITCH as it was found becomes findings: is it there, can it be worked with, does it hand calls over. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.calls.routing import MediaDefaults
from sipbridge.core.freeswitch.known_holes import known_holes
from sipbridge.core.freeswitch.version import RECOMMENDED, TESTED, parse_freeswitch_version
from sipbridge.core.network import HostNetwork
from sipbridge.doctor.facts import HostFacts, ProfileFacts, SwitchFacts
from sipbridge.doctor.finding import Finding, Section

NEEDED_MODULES = ("mod_commands", "mod_dialplan_xml", "mod_dptools", "mod_event_socket", "mod_sofia")
PUBLISHED_PASSWORD = "ClueCon"  # noqa: S105 - known to everyone, which is the point
"""FreeSWITCH's own default."""

UNCHECKED_CODECS = "none-until-checked"
"""A codec that does not exist. Source: switch_core_media.c, switch_core_media_set_r_sdp_codec_string."""

_OURS = "the configuration in freeswitch/ of sipbridge has it"
_FREESWITCH, _PROFILES = Section.FREESWITCH, Section.PROFILES

# A part of the problem → what to do about it.
_EVENT_SOCKET_ADVICE = {
    "refuses the Event Socket password": "let password_file in [event_socket] hold the password that FreeSWITCH has in "
    "event_socket.conf.xml (sipbridge_event_socket_password)",
    "access list": "let apply-inbound-acl in event_socket.conf.xml admit this host, or run sipbridge beside FreeSWITCH",
    "refused": "start FreeSWITCH, or set host and port in [event_socket] to where its mod_event_socket listens",
}
_ELSEWHERE = "look whether FreeSWITCH runs, and where its mod_event_socket listens: ss -ltn"


def check_event_socket(where: str, problem: str, password: str) -> Iterator[Finding]:
    """Whether FreeSWITCH can be talked to.

    Args:
        where: ``127.0.0.1:8021``.
        problem: why not; empty when it can.
        password: what was used.
    """
    if problem:
        advice = next((text for part, text in _EVENT_SOCKET_ADVICE.items() if part in problem), _ELSEWHERE)
        yield _FREESWITCH.failed("event-socket", f"no Event Socket: {problem}", advice)
        return
    yield _FREESWITCH.passed("event-socket", f"the Event Socket at {where} takes our password")
    if password == PUBLISHED_PASSWORD:
        yield _FREESWITCH.failed(
            "event-socket-password",
            "the Event Socket has the password that everybody knows",
            "set sipbridge_event_socket_password in freeswitch/local/ and in [event_socket] to one of your own",
        )
    if not where.startswith(("127.", "[::1]", "localhost")):
        yield _FREESWITCH.warned(
            "event-socket-address",
            f"the Event Socket is reached over the network ({where}), where anybody can read the passwords in it",
            "run sipbridge on the host of FreeSWITCH, and let the Event Socket listen on 127.0.0.1 alone",
        )


def check_switch(facts: SwitchFacts, host: HostFacts) -> Iterator[Finding]:
    """Whether FreeSWITCH is one that the bridge can work with."""
    yield from _check_version(facts.version)
    missing = [name for name, loaded in facts.modules.items() if not loaded]
    if missing:
        yield _FREESWITCH.failed(
            "modules",
            f"not loaded: {', '.join(missing)}",
            f'add <load module="{missing[0]}"/> to modules.conf.xml; {_OURS}',
        )
    else:
        yield _FREESWITCH.passed("modules", f"the {len(facts.modules)} modules that are needed are loaded")
    if facts.api_expansion:
        yield _FREESWITCH.failed(
            "api-expansion",
            "api-expansion is on: text that a caller sends could run commands here",
            'set <param name="api-expansion" value="false"/> in switch.conf.xml, and restart FreeSWITCH; until then: '
            'fs_cli -x "fsctl api_expansion off"',
        )
    else:
        yield _FREESWITCH.passed("api-expansion", "api-expansion is off: no text from the network runs a command")
    yield _check_lease(facts, host)
    for profile in facts.profiles:
        yield from _check_profile(profile, host.network)
        yield _check_offers(profile)
        yield from check_dialplan(profile)


def _check_version(text: str) -> Iterator[Finding]:
    version = parse_freeswitch_version(text)
    if version is None:
        yield _FREESWITCH.skipped("version", "the version of FreeSWITCH is unknown: its answer cannot be read")
    elif any(version[:2] == tested[:2] for tested in TESTED):
        yield _FREESWITCH.passed("version", f"FreeSWITCH {version}")
    elif version < RECOMMENDED:
        what = f"FreeSWITCH {version}: sipbridge was not tested with it"
        yield _FREESWITCH.warned("version", what, f"upgrade FreeSWITCH to {RECOMMENDED}")
    else:
        what = f"FreeSWITCH {version}: sipbridge was not tested with it; {RECOMMENDED} is the newest that it was"
        yield _FREESWITCH.warned("version", what, "look for a newer sipbridge; do not install an older FreeSWITCH")
    for hole in known_holes(version):
        yield _FREESWITCH.warned(f"known-hole.{hole.name}", f"FreeSWITCH {version}: {hole.what}", hole.advice)


def check_dtls(config: BridgeConfig, media: MediaDefaults, facts: SwitchFacts) -> Iterator[Finding]:
    """Whether FreeSWITCH verifies the DTLS-SRTP that providers ask it for."""
    version = parse_freeswitch_version(facts.version)
    for provider in config.providers:
        if fault := media.dtls_fault_of(provider.outgoing_invite, version):
            what, _, advice = fault.partition(": ")
            what = f'provider "{provider.name}": its calls are declined: {what}'
            yield _FREESWITCH.failed("dtls-fingerprint", what, advice)


def _check_lease(facts: SwitchFacts, host: HostFacts) -> Finding:
    if facts.lease:
        return _FREESWITCH.passed("lease", "a controller holds the lease: new calls are taken")
    if host.daemon is None:
        return _FREESWITCH.warned(
            "lease", "no controller holds the lease: new calls get 503", "start it: systemctl start sipbridge"
        )
    return _FREESWITCH.warned(
        "lease",
        "sipbridge runs and does not hold the lease: new calls get 503",
        "see why: sipbridge status; it may be drained (sipbridge drain --undo), or just be connecting",
    )


def _check_profile(profile: ProfileFacts, network: HostNetwork | None) -> Iterator[Finding]:
    id_, name = f"profile-address.{profile.name}", profile.name
    configured = profile.parameters.get("sip-ip", "")
    if profile.bound is None:
        why = f"it is configured for {configured}" if configured else "it is not configured"
        advice = f'see why in FreeSWITCH\'s log: fs_cli -x "sofia profile {name} start"; {why}'
        yield _PROFILES.failed(id_, f"sofia profile {name} does not run", advice)
        return
    where = f"sofia profile {name} is bound to {profile.bound}:{profile.port}"
    if network is None:
        yield _PROFILES.skipped(id_, f"{where}; whether this host has that address is not known")
    elif network.has(profile.bound):
        yield _PROFILES.passed(id_, where)
    elif network.has(configured):
        advice = f'it is configured for {configured} now: fs_cli -x "sofia profile {name} restart"; its calls end'
        yield _PROFILES.failed(id_, f"{where}, which this host no longer has", advice)
    else:
        those = ", ".join(sorted(network.addresses))
        advice = f"set sipbridge_{name}_ip in freeswitch/local/ to one of {those}, and restart the profile"
        yield _PROFILES.failed(id_, f"{where}, which this host does not have", advice)
    if profile.parameters.get("auto-restart", "true") != "false":
        yield _PROFILES.warned(
            f"profile-auto-restart.{name}",
            f"sofia profile {name} has auto-restart: FreeSWITCH loses it when the address of this host changes",
            f'set <param name="auto-restart" value="false"/> in it, and leave that to sipbridge; {_OURS}',
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
    """Whether calls to a profile are handed over to the controller."""
    context = profile.parameters.get("context", "")
    id_, where = f"dialplan.{profile.name}", f"dialplan context {context!r} of sofia profile {profile.name}"
    if not profile.dialplan:
        yield _PROFILES.failed(id_, f"{where} does not exist: every call is refused", f"add it; {_OURS}")
        return
    root = ElementTree.fromstring(profile.dialplan)  # noqa: S314 - written by FreeSWITCH, and checked by who gathered it
    wanting = list(_wanting(root))
    if not wanting:
        yield _PROFILES.passed(
            id_, f"calls to sofia profile {profile.name} are parked while a controller holds the lease"
        )
    for what, consequence, is_fatal in wanting:
        make = _PROFILES.failed if is_fatal else _PROFILES.warned
        yield make(id_, f"{where} {what}: {consequence}", f"see dialplan/park.inc: {_OURS}")


def _wanting(context: ElementTree.Element) -> Iterator[tuple[str, str, bool]]:
    """What a context lacks, what comes of that, and whether it is fatal."""
    conditions = [one.get("field", "") for one in context.iter("condition")]
    actions = [(one.get("application", ""), one.get("data", "")) for one in context.iter("action")]
    set_here = " ".join(data for application, data in actions if application in ("set", "multiset", "export"))
    if "park" not in (application for application, _ in actions):
        yield "does not park", "the controller never gets a call", True
    if "sip_bridge=true" not in set_here:
        yield "does not set sip_bridge=true", "the controller never hears of a call", True
    if "hangup_after_bridge=true" not in set_here:
        yield "does not set hangup_after_bridge=true", "a caller whose call fails stays parked", True
    if not any("sipbridge_lease" in field for field in conditions):
        yield "does not look for the lease", "without a controller a call waits, parked, instead of getting 503", False
    if "park_timeout=" not in set_here:
        yield "sets no park_timeout", "a call that nobody decides stays parked for ever", False
