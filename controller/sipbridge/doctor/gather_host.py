"""Gathers `HostFacts`: reads /proc and file permissions, and connects to the control socket."""

from __future__ import annotations

import ctypes
import os
import pwd
import socket
import stat
import struct
from collections.abc import Mapping
from pathlib import Path

from sipbridge.adapters.netlink import NetworkUnknown, read_network
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.core.network import HostNetwork
from sipbridge.core.providers.provider import SqlLoader
from sipbridge.doctor.facts import FileFacts, HostFacts, ProcessFacts, UserFacts
from sipbridge.settings import Settings

_SERVICE_USER = "sipbridge"
_STA_UNSYNC = 0x40
_PEER = struct.Struct("3i")
_CONNECT_TIMEOUT_S = 2.0


def gather_host(
    settings: Settings, settings_file: Path | None, config: BridgeConfig | None, freeswitch_pid: int | None
) -> HostFacts:
    """Gather the facts about this host."""
    return HostFacts(
        network=_network(),
        clock_synchronized=_is_clock_synchronized(),
        files=tuple(_files(settings, settings_file, config)),
        spool_path=tuple(
            file_facts(folder, "spool folder") for folder in reversed((settings.gateways.spool_file / "x").parents[1:])
        ),
        daemon=_daemon(settings.control.socket),
        freeswitch=_process(freeswitch_pid) if freeswitch_pid else None,
        udp_drops=_udp_drops(),
        udp_buffer=int(Path("/proc/sys/net/core/rmem_default").read_text("ascii")),
    )


def controller_user(host: HostFacts) -> UserFacts:
    """Return the user of the running controller, else of its service, else of this process."""
    if host.daemon is not None:
        return host.daemon.user
    try:
        return user_of(pwd.getpwnam(_SERVICE_USER).pw_uid) if os.geteuid() == 0 else user_of(os.geteuid())
    except KeyError:
        return user_of(os.geteuid())


def user_of(uid: int) -> UserFacts:
    """Look up a user and its groups."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return UserFacts(f"user {uid}", uid, frozenset())
    return UserFacts(entry.pw_name, uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def _network() -> HostNetwork | None:
    try:
        return read_network()
    except NetworkUnknown:
        return None


def _files(settings: Settings, settings_file: Path | None, config: BridgeConfig | None) -> list[FileFacts]:
    has_password = settings.event_socket.password_file is None or bool(settings.redis.password)
    named: list[tuple[Path | None, str, bool]] = [
        (settings_file, "settings file", has_password),
        (settings.providers_file, "providers file", config is None or _holds_secret(config)),
        (settings.event_socket.password_file, "Event Socket password file", True),
        (settings.redis.password_file, "Redis password file", True),
        (settings.redis.key_file, "Redis key file", True),
        (settings.gateways.spool_file, "spool file", True),
    ]
    return [file_facts(path, what, holds_secret=secret) for path, what, secret in named if path is not None]


def _holds_secret(config: BridgeConfig) -> bool:
    """Return whether a providers file contains passwords of accounts or of a database."""
    return any(
        isinstance(pool.loader, SqlLoader) or any(account.secret for account in pool.loader)
        for pool in config.pools.values()
    )


def file_facts(path: Path, what: str, *, holds_secret: bool = False) -> FileFacts:
    """Examine a file, as far as this user may."""
    try:
        found = path.stat()
    except OSError as error:
        return FileFacts(path, what, None, holds_secret=holds_secret, is_hidden=isinstance(error, PermissionError))
    others_reach = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.absolute().parents)
    return FileFacts(path, what, found.st_mode, found.st_uid, found.st_gid, holds_secret, others_reach)


def _daemon(control_socket: Path) -> ProcessFacts | None:
    """Return the process that listens on the control socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CONNECT_TIMEOUT_S)
        try:
            client.connect(str(control_socket))
            peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        except OSError:
            return None
    pid, _, _ = _PEER.unpack(peer)
    return _process(pid)


def _process(pid: int) -> ProcessFacts | None:
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines())
        # The groups of the process, which may differ from the groups its user has now.
        uid, gid = int(status["Uid"].split()[1]), int(status["Gid"].split()[1])
        gids = {gid, *map(int, status["Groups"].split())}
    except (OSError, KeyError, ValueError):
        return None
    return ProcessFacts(pid, UserFacts(user_of(uid).name, uid, frozenset(gids)), _max_open_files(pid))


def _max_open_files(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
        return next(int(line.split()[3]) for line in lines if line.startswith("Max open files"))
    except (OSError, ValueError, StopIteration):
        return None


def _is_clock_synchronized() -> bool | None:
    """Return whether the kernel's clock is synchronized. Source: adjtimex(2)."""
    # struct timex: modes, offset, freq, maxerror, esterror, status; room for the rest.
    timex = (ctypes.c_long * 64)()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    status = ctypes.cast(ctypes.byref(timex, 5 * ctypes.sizeof(ctypes.c_long)), ctypes.POINTER(ctypes.c_int))[0]
    return None if state < 0 else not status & _STA_UNSYNC


def _udp_drops() -> Mapping[tuple[str, int], int]:
    """Read the ``drops`` column of /proc/net/udp and udp6, by address and port."""
    drops = {}
    for file in (Path("/proc/net/udp"), Path("/proc/net/udp6")):
        try:
            lines = file.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            host, _, port = columns[1].partition(":")
            drops[_address(host), int(port, 16)] = int(columns[-1])
    return drops


def _address(digits: str) -> str:
    """``0100007F`` → ``127.0.0.1``: 32-bit words in the byte order of the machine."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = b"".join(struct.pack("=I", word) for word in words)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
