"""Judges the machine: clock, permissions of secrets, limits, buffers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.doctor.facts import FileFacts, HostFacts, ProcessFacts, SwitchFacts
from sipbridge.doctor.finding import Finding, Section

_HOST = Section.HOST
_DAEMON_FILES = 1_024
_FREESWITCH_FILES = 1_024
"""Files that FreeSWITCH opens besides calls: modules, logs, databases, connections to proxies."""
_FILES_PER_SESSION = 2
"""RTP and RTCP."""


def check_host(host: HostFacts, switch: SwitchFacts | None) -> Iterator[Finding]:
    """Check the machine."""
    yield _check_clock(host.clock_synchronized)
    yield from check_files(host.files)
    if host.daemon is None:
        yield _HOST.skipped(
            "daemon", "no daemon answers on the control socket in [control], or this user may not connect to it"
        )
    else:
        yield _HOST.passed("daemon", f"sipbridge runs as {host.daemon.user.name}, pid {host.daemon.pid}")
        yield from _check_open_files("sipbridge", host.daemon, _DAEMON_FILES)
    if host.freeswitch is not None and switch is not None:
        needed = switch.max_sessions * _FILES_PER_SESSION + _FREESWITCH_FILES
        yield from _check_open_files("FreeSWITCH", host.freeswitch, needed)
    if switch is not None:
        yield from _check_udp(host, switch)


def _check_clock(synchronized: bool | None) -> Finding:
    if synchronized is None:
        return _HOST.skipped("clock", "unknown whether the clock is synchronized: the kernel does not say")
    if synchronized:
        return _HOST.passed("clock", "the clock is synchronized")
    return _HOST.warned(
        "clock",
        "the clock is not synchronized: times in logs and call records drift, and certificates may appear expired",
        "timedatectl set-ntp true, or install chrony",
    )


def check_files(files: tuple[FileFacts, ...]) -> Iterator[Finding]:
    """Check that only the right users can read secrets and write settings."""
    good = True
    for file in files:
        if file.mode is None or not file.others_reach:
            continue
        if file.mode & 0o002:
            good = False
            yield _HOST.failed(
                "file-modes", f"every user can write the {file.what} {file.path}", f"chmod o-w {file.path}"
            )
        if file.holds_secret and file.mode & 0o004:
            good = False
            yield _HOST.failed(
                "file-modes",
                f"every user can read the passwords in the {file.what} {file.path}",
                f"chmod o-r {file.path}",
            )
    looked_at = ", ".join(file.what for file in files if file.mode is not None)
    if not looked_at:
        yield _HOST.skipped("file-modes", "no files with secrets or settings found")
    elif good:
        yield _HOST.passed("file-modes", f"other users cannot read secrets or change settings: {looked_at}")


def _check_open_files(name: str, process: ProcessFacts, needed: int) -> Iterator[Finding]:
    id_ = f"open-files.{name.lower()}"
    if process.max_open_files is None:
        yield _HOST.skipped(id_, f"unknown how many files {name} may open: the process belongs to another user")
    elif process.max_open_files < needed:
        yield _HOST.warned(
            id_,
            f"{name} may open {process.max_open_files} files but may need {needed}",
            f"set LimitNOFILE={max(needed, 65_536)} in its systemd unit",
        )
    else:
        yield _HOST.passed(id_, f"{name} may open {process.max_open_files} files and needs at most {needed}")


def _check_udp(host: HostFacts, switch: SwitchFacts) -> Iterator[Finding]:
    for profile in switch.profiles:
        lost = host.udp_drops.get((profile.bound or "", profile.port))
        if lost is None:
            continue
        id_, socket = f"udp-buffer.{profile.name}", f"{profile.bound}:{profile.port} (UDP)"
        if lost:
            yield _HOST.warned(
                id_,
                f"{socket} lost {lost} SIP messages because FreeSWITCH did not read them in time",
                f"set sysctl net.core.rmem_default=4194304 (now {host.udp_buffer}) and restart the profile, or lower "
                "max_registrations_per_s",
            )
        else:
            yield _HOST.passed(id_, f"{socket} lost no SIP messages; its buffer is {host.udp_buffer // 1024} KiB")
