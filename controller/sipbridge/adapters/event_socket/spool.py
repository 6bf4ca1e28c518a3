"""Writes new gateways to a file that FreeSWITCH reads at the next rescan, and empties the file right after that.

The file contains only new gateways: a rescan then costs as much as the change, at any number of accounts, and secrets
are on disk only while FreeSWITCH reads them.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

import gevent

from sipbridge.core.gateways.gateway import Gateway
from sipbridge.core.sip.uri import SipUri

# FreeSWITCH expands $${name} everywhere, even in a password. The quotation mark is escaped because `quoteattr` would
# otherwise put single quotes around a value that contains one.
_ENTITIES = {"$": "&#36;", '"': "&quot;"}
# `quoteattr` does not escape these. A NUL ends the text for FreeSWITCH, so one account could keep all others out.
_CONTROLS = {code: f"&#{code};" for code in (*range(0x20), 0x7F)}

_SLICE = 250
"""Gateways written without yielding: about 4 ms, in which no call is decided."""
_PAUSE_S = 0.0001
"""Not 0: for 0, the hub does not poll sockets."""
_IP_V4 = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")


class Spool:
    """The file that the provider profile includes.

    Args:
        path: FreeSWITCH must be able to read it, and the daemon to replace it: the daemon owns the folder.
        retry_s: seconds until FreeSWITCH retries a failed registration.
    """

    def __init__(self, path: Path, retry_s: int) -> None:
        self._path = path
        self._retry_s = retry_s

    def clear(self) -> None:
        """Write a file without gateways, and remove temporary files of a killed daemon.

        Does nothing while another process has gateways in it, which empties it itself.

        Raises:
            OSError: the folder does not exist or is not writable.
        """
        with self._locked() as is_ours:
            if is_ours:
                self._clear()

    def _clear(self) -> None:
        for left in self._path.parent.glob(f".{glob.escape(self._path.name)}.*"):
            left.unlink(missing_ok=True)
        self._replace(_format_include((), self._retry_s))

    @contextlib.contextmanager
    def holding(self, gateways: Sequence[Gateway]) -> Iterator[None]:
        """Keep the gateways in the file while the block runs.

        Raises:
            OSError: as in `clear`.
        """
        with self._locked():
            self._replace(_format_include(gateways, self._retry_s))
            try:
                yield
            finally:
                self._clear()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Whether no other process uses the spool now; none does while the block runs."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_ours = True
            except BlockingIOError:
                is_ours = False
            yield is_ours
        finally:
            os.close(folder)

    def _replace(self, content: bytes) -> None:
        # FreeSWITCH may read at any time: it must see the old file or the new one, never half of one.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                _give_to_group(file.fileno(), self._path.parent)
                file.write(content)
            os.replace(temporary, self._path)
        except BaseException:
            os.unlink(temporary)
            raise


def _give_to_group(descriptor: int, folder: Path) -> None:
    """Make the file readable by the folder's group, which is FreeSWITCH's, and by nobody else."""
    os.fchown(descriptor, -1, folder.stat().st_gid)
    os.fchmod(descriptor, 0o640)


def _format_include(gateways: Sequence[Gateway], retry_s: int) -> bytes:
    # FreeSWITCH's preprocessor works line by line: <include> and </include> need lines of their own.
    lines = ["<include>"]
    for number, gateway in enumerate(gateways, 1):
        lines.append(_format_gateway(gateway, retry_s))
        if number % _SLICE == 0:
            gevent.sleep(_PAUSE_S)
    return "\n".join([*lines, "</include>", ""]).encode("ascii", "xmlcharrefreplace")


def _format_gateway(gateway: Gateway, retry_s: int) -> str:
    """Format the <gateway> of an account. Source: mod_sofia, sofia_reg.c and sofia.c, parse_gateways."""
    # Thousands are formatted at a time while no call is decided: lxml takes twice as long as `quoteattr`, and
    # ElementTree four times.
    params = _format_params(
        ("username", gateway.username),
        ("auth-username", gateway.auth_username),
        # FreeSWITCH does not register a gateway without a password, although some registrars ask for none.
        ("password", gateway.password or "none"),
        # Not the digest realm, which always comes from the challenge. A challenged call without a gateway finds
        # credentials by this name, so an account's credentials would go to anyone who names its realm. Nobody can guess
        # this name.
        ("realm", gateway.name),
        ("from-user", gateway.username),
        ("from-domain", gateway.domain),
        ("proxy", gateway.domain),
        ("register", "true" if gateway.register else "false"),
        ("expire-seconds", str(gateway.expires_s)),
        ("retry-seconds", str(retry_s)),
    )
    next_hops = _format_next_hops(gateway.outbound_proxy, gateway.registrar)
    line = f"<gateway name={quoteattr(gateway.name, _ENTITIES)}>{params}{next_hops}</gateway>"
    return line if line.isprintable() else line.translate(_CONTROLS)


# Most gateways of a file share their next hops.
@lru_cache(maxsize=64)
def _format_next_hops(outbound_proxy: SipUri, registrar: SipUri) -> str:
    params = [
        # FreeSWITCH answers a challenge only from the host of one of the three proxies; otherwise anyone who knows a
        # contact of an account could request a digest. It cuts the host at the last colon, so a transport without a
        # port breaks that. The dial string sets the next hop of every call, so the host is enough here.
        ("outbound-proxy", f"sip:{outbound_proxy.hostport}"),
        ("register-proxy", _with_readable_host(registrar, outbound_proxy).text),
        ("register-transport", registrar.transport),
    ]
    if acl := _address_list(outbound_proxy.host, registrar.host):
        # To compare hosts, FreeSWITCH first resolves the account's domain in DNS, for every challenge, and reads no SIP
        # message of the profile in the meantime. If the addresses are known, this list replaces that.
        params.append(("gw-auth-acl", acl))
    return _format_params(*params)


def _address_list(*hosts: str) -> str:
    """Format a list such as ``192.0.2.1/32``; "" for a name or for mixed IP versions (FreeSWITCH confuses them)."""
    if all(_IP_V4.fullmatch(host) for host in hosts):
        return ",".join(sorted({f"{host}/32" for host in hosts}))
    if all(host.startswith("[") for host in hosts):
        return ",".join(sorted({f"{host[1:-1]}/128" for host in hosts}))
    return ""


def _format_params(*params: tuple[str, str]) -> str:
    return "".join([f'<param name="{name}" value={quoteattr(value, _ENTITIES)}/>' for name, value in params])


def _with_readable_host(registrar: SipUri, outbound_proxy: SipUri) -> SipUri:
    """Add the default port to a registrar whose host FreeSWITCH cannot parse, unless the outbound proxy has that host.

    A port disables the SRV look-up (RFC 3263 §4.2), so it is added only where needed.
    """
    known = registrar.port is not None or not registrar.parameters or registrar.host == outbound_proxy.host
    return registrar if known else registrar._replace(hostport=f"{registrar.hostport}:{registrar.default_port}")
