"""The way of new gateways into FreeSWITCH: may we write the spool, does FreeSWITCH read it, and nobody else. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sipbridge.doctor.facts import HostFacts, SwitchFacts, UserFacts
from sipbridge.doctor.finding import Finding, Section

_SPOOL = Section.SPOOL
_WRITE, _ENTER = 2, 1


def check_spool(file: Path, host: HostFacts, user: UserFacts, switch: SwitchFacts | None) -> Iterator[Finding]:
    """Whether gateways can be added.

    Args:
        file: the spool file of our settings.
        user: who the controller runs as.
    """
    folder = host.spool_path[-1]
    if folder.is_hidden:
        yield _SPOOL.skipped("spool-folder", f"{folder.path} may be looked at by others only: run this as root")
        return
    if not folder.is_folder:
        yield _SPOOL.failed(
            "spool-folder", f"{folder.path} is no folder, or not there: {_NO_ACCOUNT}", _make(folder.path)
        )
        return
    if not folder.may(user, _WRITE | _ENTER) or not all(one.may(user, _ENTER) for one in host.spool_path):
        advice = _make(folder.path, user.name)
        yield _SPOOL.failed("spool-folder", f"{user.name} cannot write to {folder.path}: {_NO_ACCOUNT}", advice)
    elif folder.mode is not None and folder.mode & 0o007 and folder.others_reach:
        yield _SPOOL.warned(
            "spool-folder",
            f"everybody may look into {folder.path}, where passwords are for moments",
            f"chmod o-rwx {folder.path}",
        )
    else:
        yield _SPOOL.passed("spool-folder", f"{user.name} can write to {folder.path}")
    yield _check_readable(host, user, switch)
    if switch is not None:
        yield _check_included(file, switch)


_NO_ACCOUNT = "no account can be added"


def _make(folder: Path, owner: str = "sipbridge") -> str:
    return f"install -d -o {owner} -g freeswitch -m 2750 {folder} (on Debian in /run by tmpfiles.d)"


def _check_readable(host: HostFacts, user: UserFacts, switch: SwitchFacts | None) -> Finding:
    """Files in the spool get the group of the folder, and only that may read them."""
    id_, folder, freeswitch = "spool-readable", host.spool_path[-1], host.freeswitch
    if switch is not None and not switch.sees_spool_folder:
        return _SPOOL.failed(
            id_,
            f"FreeSWITCH does not find {folder.path}: {_NO_ACCOUNT}",
            "let it run on this host, in the same file system, as a user who may enter the folders above",
        )
    if freeswitch is None:
        return _SPOOL.skipped(id_, "whether FreeSWITCH can read the spool is not known: its process is not found here")
    reader = freeswitch.user
    enters = all(one.may(reader, _ENTER) for one in host.spool_path)
    if enters and (reader.uid in (0, user.uid) or folder.gid in reader.gids):
        return _SPOOL.passed(id_, f"FreeSWITCH ({reader.name}) can read what is put there")
    return _SPOOL.failed(
        id_,
        f"FreeSWITCH runs as {reader.name} and cannot read what is put into {folder.path}: {_NO_ACCOUNT}",
        f"let the folder belong to a group of {reader.name}: chgrp freeswitch {folder.path}; chmod 2750 {folder.path}",
    )


def _check_included(file: Path, switch: SwitchFacts) -> Finding:
    id_ = "spool-included"
    if not switch.spool:
        return _SPOOL.warned(
            id_,
            "FreeSWITCH does not say which file its provider profile includes",
            f"include {file} in <gateways> of the profile, by the variable sipbridge_spool as freeswitch/ has it",
        )
    if Path(switch.spool) != file:
        return _SPOOL.failed(
            id_,
            f"FreeSWITCH reads {switch.spool}, and sipbridge writes {file}: {_NO_ACCOUNT}",
            "set sipbridge_spool in freeswitch/local/ and spool_file in [gateways] to the same file",
        )
    return _SPOOL.passed(id_, f"FreeSWITCH reads the file that sipbridge writes, {file}")
