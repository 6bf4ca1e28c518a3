"""The machine as it was found becomes findings: clock, permissions of secrets, limits, buffers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.doctor.facts import FileFacts, HostFacts, ProcessFacts, SwitchFacts
from sipbridge.doctor.finding import Finding, Section

_HOST = Section.HOST
_DAEMON_FILES = 1_024
_FREESWITCH_FILES = 1_024
"""What FreeSWITCH has open beside calls: modules, logs, databases, connections to proxies."""
_FILES_PER_SESSION = 2
"""RTP and RTCP."""


def check_host(host: HostFacts, switch: SwitchFacts | None) -> Iterator[Finding]:
    """Whether the machine is fit for it."""
    yield _check_clock(host.clock_synchronized)
    yield from check_files(host.files)
    if host.daemon is None:
        yield _HOST.skipped(
            "daemon", "sipbridge does not run, or not where [control] says, or may not be asked by this user"
        )
    else:
        yield _HOST.passed("daemon", f"sipbridge runs as {host.daemon.user.name}, process {host.daemon.pid}")
        yield from _check_open_files("sipbridge", host.daemon, _DAEMON_FILES)
    if host.freeswitch is not None and switch is not None:
        needed = switch.max_sessions * _FILES_PER_SESSION + _FREESWITCH_FILES
        yield from _check_open_files("FreeSWITCH", host.freeswitch, needed)
    if switch is not None:
        yield from _check_udp(host, switch)


def _check_clock(synchronized: bool | None) -> Finding:
    if synchronized is None:
        return _HOST.skipped("clock", "the kernel does not tell whether the clock is synchronized")
    if synchronized:
        return _HOST.passed("clock", "the clock is synchronized")
    return _HOST.warned(
        "clock",
        "the clock is not synchronized: times in logs and call records drift, and certificates may seem expired",
        "timedatectl set-ntp true, or install chrony",
    )


def check_files(files: tuple[FileFacts, ...]) -> Iterator[Finding]:
    """Whether secrets are readable, and settings writable, by those only who should."""
    good = True
    for file in files:
        if file.mode is None or not file.others_reach:
            continue
        if file.mode & 0o002:
            good = False
            yield _HOST.failed(
                "file-modes", f"everybody can write the {file.what}, {file.path}", f"chmod o-w {file.path}"
            )
        if file.holds_secret and file.mode & 0o004:
            good = False
            yield _HOST.failed(
                "file-modes",
                f"everybody can read the passwords in the {file.what}, {file.path}",
                f"chmod o-r {file.path}",
            )
    looked_at = ", ".join(file.what for file in files if file.mode is not None)
    if not looked_at:
        yield _HOST.skipped("file-modes", "there is no file yet in which others could read secrets or change settings")
    elif good:
        yield _HOST.passed("file-modes", f"nobody else can read secrets or change settings: {looked_at}")


def _check_open_files(name: str, process: ProcessFacts, needed: int) -> Iterator[Finding]:
    id_ = f"open-files.{name.lower()}"
    if process.max_open_files is None:
        yield _HOST.skipped(id_, f"how many files {name} may open is not known: it is another user's process")
    elif process.max_open_files < needed:
        yield _HOST.warned(
            id_,
            f"{name} may open {process.max_open_files} files, and may need {needed}",
            f"LimitNOFILE={max(needed, 65_536)} in its systemd unit",
        )
    else:
        yield _HOST.passed(id_, f"{name} may open {process.max_open_files} files, and needs {needed} at most")


def _check_udp(host: HostFacts, switch: SwitchFacts) -> Iterator[Finding]:
    for profile in switch.profiles:
        lost = host.udp_drops.get((profile.bound or "", profile.port))
        if lost is None:
            continue
        id_, socket = f"udp-buffer.{profile.name}", f"{profile.bound}:{profile.port} (UDP)"
        if lost:
            yield _HOST.warned(
                id_,
                f"{socket} has lost {lost} SIP messages, because FreeSWITCH did not read them in time",
                f"sysctl net.core.rmem_default=4194304 (now {host.udp_buffer}), and restart the profile; or fewer "
                "registrations a second (max_registrations_per_s)",
            )
        else:
            yield _HOST.passed(id_, f"{socket} has lost no SIP message; its buffer is {host.udp_buffer // 1024} KiB")
