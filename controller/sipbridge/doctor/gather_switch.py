"""Queries FreeSWITCH over one Event Socket connection, and gathers `SwitchFacts`. Changes nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.freeswitch import has_dtls_certificate
from sipbridge.adapters.event_socket.lease import LEASE_VARIABLE
from sipbridge.adapters.event_socket.profiles import profile_parameters
from sipbridge.core.freeswitch.version import FreeSwitchVersion, parse_freeswitch_version
from sipbridge.core.network import canonical_address
from sipbridge.doctor.check_switch import NEEDED_MODULES
from sipbridge.doctor.facts import ProfileFacts, SwitchFacts
from sipbridge.ports import SwitchLost
from sipbridge.settings import Settings

_NAME = re.compile(r"[\w.\-]+")

Api = Callable[[str], str]
"""Runs an API command and returns its answer, ``""`` if there is none."""


def gather_switch(settings: Settings) -> SwitchFacts | str:
    """Query FreeSWITCH; return its facts, or why it could not be queried."""
    try:
        with _connected(settings) as api:
            return _ask(api, settings)
    except SwitchLost as lost:
        return str(lost)


def ask_version(settings: Settings) -> FreeSwitchVersion | None:
    """The version of the FreeSWITCH that runs; None where it does not say."""
    try:
        with _connected(settings) as api:
            return parse_freeswitch_version(api("version short"))
    except SwitchLost:
        return None


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[Api]:
    """Connect to the Event Socket.

    Raises:
        SwitchLost: FreeSWITCH does not answer, or rejects the password.
    """
    link = settings.event_socket
    connection = EventSocketConnection(
        link.host,
        link.port,
        link.password,
        connect_timeout_s=link.connect_timeout_s,
        command_timeout_s=link.command_timeout_s,
    )
    try:
        connection.connect()
        yield lambda command: _answer(connection, command)
    finally:
        connection.stop()


def _answer(connection: EventSocketConnection, command: str) -> str:
    text = connection.send(f"api {command}").text.strip()
    # FreeSWITCH answers an unset variable with an error.
    return "" if text.startswith("-ERR") else text


def _ask(api: Api, settings: Settings) -> SwitchFacts:
    sofia_conf = _xml_or_none(api("xml_locate configuration configuration name sofia.conf"))
    folder = settings.gateways.spool_file.parent
    return SwitchFacts(
        version=api("version short"),
        modules={name: api(f"module_exists {name}") == "true" for name in NEEDED_MODULES},
        api_expansion="on" in api("fsctl api_expansion").split(),
        lease=api(f"global_getvar {LEASE_VARIABLE}") == "true",
        spool=api("global_getvar sipbridge_spool"),
        has_dtls_certificate=has_dtls_certificate(api),
        sees_spool_folder=_is_plain(folder) and api(f"file_exists {folder}") == "true",
        max_sessions=int((re.findall(r"\d+", api("fsctl max_sessions")) or ["0"])[0]),
        profiles=tuple(
            _ask_profile(api, name, sofia_conf)
            for name in (settings.sofia.provider_profile, settings.sofia.inside_profile)
        ),
        pid=_read_pid(api("global_getvar run_dir")),
    )


def _ask_profile(api: Api, name: str, sofia_conf: str) -> ProfileFacts:
    parameters = profile_parameters(sofia_conf, name) if sofia_conf else {}
    context = parameters.get("context", "")
    dialplan = _xml_or_none(api(f"xml_locate dialplan context name {context}")) if _NAME.fullmatch(context) else ""
    status = _xml_or_none(api(f"sofia xmlstatus profile {name}"))
    if not status:
        return ProfileFacts(name, None, 0, parameters, dialplan)
    told = ElementTree.fromstring(status)  # noqa: S314 - written by FreeSWITCH
    bound, url = told.findtext("./profile-info/sip-ip") or "", told.findtext("./profile-info/bind-url") or ""
    port = re.search(r":(\d+)(?:;|$)", url)
    return ProfileFacts(name, canonical_address(bound), int(port[1]) if port else 5060, parameters, dialplan)


def _xml_or_none(text: str) -> str:
    """Return the answer if it is XML, else an empty string (for ``can't find anything``)."""
    try:
        ElementTree.fromstring(text)  # noqa: S314 - written by FreeSWITCH
    except ElementTree.ParseError:
        return ""
    return text


def _is_plain(path: Path) -> bool:
    # A space would end the argument for FreeSWITCH, and it would expand ${…}.
    return re.fullmatch(r"[\w./\-]+", str(path)) is not None


def _read_pid(run_folder: str) -> int | None:
    try:
        return int(Path(run_folder, "freeswitch.pid").read_text("ascii"))
    except (OSError, ValueError):
        return None


def profiles_of(switch: SwitchFacts | None) -> Sequence[ProfileFacts]:
    """Return the profiles that FreeSWITCH reported, if any."""
    return switch.profiles if switch else ()
