"""Implements the `SofiaProfiles` port: sends API commands, and reads from XML what the profiles are bound to."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from xml.etree import ElementTree

from sipbridge.core.network import HostNetwork, canonical_address
from sipbridge.ports import CommandRefused

_log = logging.getLogger(__name__)

_LOCAL_ADDRESSES = ("$${", "auto", "interface:")
"""Prefixes of a ``sip-ip`` that is not an address."""
_BIND_URL = re.compile(r"sips?:(?:[^@]*@)?(?P<host>\[[^\]]*\]|[^:;]*):(?P<port>[0-9]{1,5})(?:;|$)")


class Profiles:
    """The profiles of one FreeSWITCH.

    Args:
        api: runs an API command and returns its answer.
    """

    def __init__(self, api: Callable[[str], str]) -> None:
        self._api = api

    def address(self, profile: str) -> str | None:
        """Read from ``sofia xmlstatus profile`` what a running profile is bound to."""
        text = self._api(f"sofia xmlstatus profile {profile}")
        if not text.startswith("<?xml"):
            return None
        bound = _parse(text, "sofia xmlstatus").findtext("./profile-info/sip-ip")
        return canonical_address(bound) if bound else None

    def udp_port(self, profile: str) -> tuple[str, int] | None:
        """``sofia xmlstatus profile``: ``sip:mod_sofia@192.0.2.1:5060;maddr=192.0.2.1;transport=udp,tcp``."""
        text = self._api(f"sofia xmlstatus profile {profile}")
        if not text.startswith("<?xml"):
            return None
        bound = _parse(text, "sofia xmlstatus").findtext("./profile-info/bind-url") or ""
        found = _BIND_URL.match(bound)
        if found is None or "udp" not in bound.partition("transport=")[2].partition(";")[0]:
            return None
        return canonical_address(found["host"].strip("[]")), int(found["port"])

    def configured_address(self, profile: str) -> str | None:
        """Send ``reloadxml``, then read ``sip-ip`` from ``sofia.conf``."""
        reloaded = self._api("reloadxml").strip()
        if "[Success]" not in reloaded:
            raise CommandRefused("reloadxml", reloaded)
        found = profile_parameters(self._api("xml_locate configuration configuration name sofia.conf"), profile)
        address = canonical_address(found.get("sip-ip", ""))
        return None if not address or address.startswith(_LOCAL_ADDRESSES) else address

    def follow_host(self, network: HostNetwork, family_of: str) -> None:
        """Set ``local_ip_v4``, as FreeSWITCH does itself, but only once a minute.

        Source: switch_core.c, check_ip. A configuration names a profile's address as ``$${local_ip_v4}``, which is
        expanded when the configuration is read, so the configuration in memory still has the old address.
        """
        version = "v6" if ":" in family_of else "v4"
        now = network.source_like(family_of)
        known = self._variable(f"local_ip_{version}")
        if now is None or network.has(canonical_address(known)) or self._variable(f"force_local_ip_{version}"):
            return
        _log.info("host address changed from %s to %s", known, now)
        self._api(f"global_setvar local_ip_{version}={now}")

    def restart(self, profile: str) -> None:
        """Send ``restart``, or ``start`` for a profile that is not running."""
        command = "restart" if self.address(profile) else "start"
        reply = self._api(f"sofia profile {profile} {command}").strip()
        # The answer to a restart begins with a line about the XML. A profile up for less than 10 s is not restarted.
        if not ("restarting:" in reply or "started successfully" in reply):
            raise CommandRefused(f"sofia profile {profile} {command}", reply)

    def _variable(self, name: str) -> str:
        answer = self._api(f"global_getvar {name}").strip()
        # FreeSWITCH answers an unset variable with an error.
        return "" if answer.startswith("-ERR") else answer


def profile_parameters(sofia_conf: str, profile: str) -> dict[str, str]:
    """Read a profile's settings by name from the answer of ``xml_locate``; empty if the profile does not exist."""
    for found in _parse(sofia_conf, "xml_locate").iter("profile"):
        if found.get("name") == profile:
            return {one.get("name", ""): one.get("value", "") for one in found.iterfind("./settings/param")}
    return {}


def _parse(text: str, command: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - written by FreeSWITCH, after parsing it itself
    except ElementTree.ParseError as error:
        # Not the text: it may contain gateways and their passwords.
        raise CommandRefused(command, f"the answer is not XML: {error}") from None
