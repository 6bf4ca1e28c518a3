"""Judges the spool: can sipbridge write it, can FreeSWITCH read it, and can nobody else. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sipbridge.doctor.facts import HostFacts, SwitchFacts, UserFacts
from sipbridge.doctor.finding import Finding, Section

_SPOOL = Section.SPOOL
_WRITE, _ENTER = 2, 1


def check_spool(file: Path, host: HostFacts, user: UserFacts, switch: SwitchFacts | None) -> Iterator[Finding]:
    """Check whether gateways can be added.

    Args:
        file: the spool file in the settings.
        user: the user that the controller runs as.
    """
    folder = host.spool_path[-1]
    if folder.is_hidden:
        yield _SPOOL.skipped("spool-folder", f"{folder.path} is not visible to this user: run this as root")
        return
    if not folder.is_folder:
        yield _SPOOL.failed(
            "spool-folder", f"{folder.path} does not exist or is not a folder: {_NO_ACCOUNT}", _make(folder.path)
        )
        return
    if not folder.may(user, _WRITE | _ENTER) or not all(one.may(user, _ENTER) for one in host.spool_path):
        advice = _make(folder.path, user.name)
        yield _SPOOL.failed("spool-folder", f"{user.name} cannot write to {folder.path}: {_NO_ACCOUNT}", advice)
    elif folder.mode is not None and folder.mode & 0o007 and folder.others_reach:
        yield _SPOOL.warned(
            "spool-folder",
            f"every user can look into {folder.path}, which holds passwords for short moments",
            f"chmod o-rwx {folder.path}",
        )
    else:
        yield _SPOOL.passed("spool-folder", f"{user.name} can write to {folder.path}")
    yield _check_readable(host, user, switch)
    if switch is not None:
        yield _check_included(file, switch)


_NO_ACCOUNT = "accounts cannot be added"


def _make(folder: Path, owner: str = "sipbridge") -> str:
    return f"install -d -o {owner} -g freeswitch -m 2750 {folder} (in /run, use tmpfiles.d)"


def _check_readable(host: HostFacts, user: UserFacts, switch: SwitchFacts | None) -> Finding:
    """Check that FreeSWITCH can read the spool: its files belong to the folder's group and only that can read them."""
    id_, folder, freeswitch = "spool-readable", host.spool_path[-1], host.freeswitch
    if switch is not None and not switch.sees_spool_folder:
        return _SPOOL.failed(
            id_,
            f"FreeSWITCH cannot see {folder.path}: {_NO_ACCOUNT}",
            "run FreeSWITCH on this host, in the same file system, as a user that may enter the parent folders",
        )
    if freeswitch is None:
        return _SPOOL.skipped(
            id_, "unknown whether FreeSWITCH can read the spool: its process was not found on this host"
        )
    reader = freeswitch.user
    enters = all(one.may(reader, _ENTER) for one in host.spool_path)
    if enters and (reader.uid in (0, user.uid) or folder.gid in reader.gids):
        return _SPOOL.passed(id_, f"FreeSWITCH ({reader.name}) can read the files in the spool")
    return _SPOOL.failed(
        id_,
        f"FreeSWITCH runs as {reader.name} and cannot read files in {folder.path}: {_NO_ACCOUNT}",
        f"give the folder to a group of {reader.name}: chgrp freeswitch {folder.path}; chmod 2750 {folder.path}",
    )


def _check_included(file: Path, switch: SwitchFacts) -> Finding:
    id_ = "spool-included"
    if not switch.spool:
        return _SPOOL.warned(
            id_,
            "unknown which file FreeSWITCH's provider profile includes: sipbridge_spool is not set",
            f"set sipbridge_spool to {file} and include it in <gateways> of the profile, as freeswitch/ does",
        )
    if Path(switch.spool) != file:
        return _SPOOL.failed(
            id_,
            f"FreeSWITCH reads {switch.spool} but sipbridge writes {file}: {_NO_ACCOUNT}",
            "set sipbridge_spool in freeswitch/local/ and spool_file in [gateways] to the same file",
        )
    return _SPOOL.passed(id_, f"FreeSWITCH reads the same spool file that sipbridge writes, {file}")
