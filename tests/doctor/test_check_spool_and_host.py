"""The doctor finds problems of the spool, permissions and limits."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from doctor_examples import (
    FREESWITCH,
    OURS,
    ROOT,
    SIPBRIDGE,
    SPOOL_FILE,
    STRANGER,
    file,
    folder,
    host,
    profile,
    switch,
    told,
)

from sipbridge.doctor.check_host import check_host
from sipbridge.doctor.check_spool import check_spool
from sipbridge.doctor.facts import FileFacts, HostFacts, ProcessFacts, SwitchFacts, UserFacts
from sipbridge.doctor.finding import Verdict

WARN, FAIL, SKIP = Verdict.WARN, Verdict.FAIL, Verdict.SKIP
NAME = "/run/sipbridge-spool"


def spool(mode: int, uid: int = 990, gid: int = 991, above: int = 0o755) -> tuple[FileFacts, ...]:
    return folder("/"), folder("/run", above), folder(NAME, mode, uid, gid)


@pytest.mark.parametrize(
    ("path", "user", "reader", "facts", "expected"),
    [
        pytest.param(spool(0o2750), SIPBRIDGE, FREESWITCH, switch(), [], id="as packaged"),
        pytest.param(spool(0o700, 0, 0), ROOT, ROOT, switch(), [], id="all is root's"),
        pytest.param(spool(0o700), SIPBRIDGE, SIPBRIDGE, switch(), [], id="one user for both"),
        pytest.param(
            (*spool(0o755)[:2], FileFacts(Path(NAME), "spool folder", None)),
            SIPBRIDGE,
            FREESWITCH,
            switch(),
            [("spool-folder", FAIL)],
            id="no folder",
        ),
        pytest.param(
            (*spool(0o755)[:2], FileFacts(Path(NAME), "spool folder", None, is_hidden=True)),
            SIPBRIDGE,
            FREESWITCH,
            switch(),
            [("spool-folder", SKIP)],
            id="a folder that we may not look at",
        ),
        pytest.param(
            (*spool(0o755)[:2], file("spool", 0o100644)),
            SIPBRIDGE,
            FREESWITCH,
            switch(),
            [("spool-folder", FAIL)],
            id="a file in its place",
        ),
        pytest.param(
            spool(0o2750, uid=0), SIPBRIDGE, FREESWITCH, switch(), [("spool-folder", FAIL)], id="not ours to write"
        ),
        pytest.param(
            spool(0o2750, above=0o700),
            SIPBRIDGE,
            FREESWITCH,
            switch(),
            [("spool-folder", FAIL), ("spool-readable", FAIL)],
            id="a closed folder above",
        ),
        pytest.param(spool(0o2755), SIPBRIDGE, FREESWITCH, switch(), [("spool-folder", WARN)], id="open to everybody"),
        pytest.param(
            spool(0o2750, gid=990), SIPBRIDGE, FREESWITCH, switch(), [("spool-readable", FAIL)], id="another group"
        ),
        pytest.param(
            spool(0o2750), SIPBRIDGE, STRANGER, switch(), [("spool-readable", FAIL)], id="FreeSWITCH as somebody else"
        ),
        pytest.param(
            spool(0o2750),
            SIPBRIDGE,
            FREESWITCH,
            switch(sees_spool_folder=False),
            [("spool-readable", FAIL)],
            id="FreeSWITCH in another file system",
        ),
        pytest.param(spool(0o2750), SIPBRIDGE, None, switch(), [("spool-readable", SKIP)], id="FreeSWITCH elsewhere"),
        pytest.param(
            spool(0o2750), SIPBRIDGE, FREESWITCH, switch(spool=""), [("spool-included", WARN)], id="included unseen"
        ),
        pytest.param(
            spool(0o2750),
            SIPBRIDGE,
            FREESWITCH,
            switch(spool="/etc/freeswitch/spool/gateways.xml"),
            [("spool-included", FAIL)],
            id="another file",
        ),
    ],
)
def test_spool(
    path: tuple[FileFacts, ...],
    user: UserFacts,
    reader: UserFacts | None,
    facts: SwitchFacts,
    expected: list[tuple[str, Verdict]],
) -> None:
    process = ProcessFacts(200, reader, 65_536) if reader else None
    assert told(check_spool(SPOOL_FILE, host(spool_path=path, freeswitch=process), user, facts)) == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        pytest.param(host(), [], id="good"),
        pytest.param(host(clock_synchronized=False), [("clock", WARN)], id="a clock of its own"),
        pytest.param(host(clock_synchronized=None), [("clock", SKIP)], id="an unknown clock"),
        pytest.param(host(daemon=None), [("daemon", SKIP)], id="no controller"),
        pytest.param(
            host(files=(file("providers file", 0o100644),)), [("file-modes", FAIL)], id="passwords for everybody"
        ),
        pytest.param(host(files=(file("settings file", 0o100644, holds_secret=False),)), [], id="no secret in it"),
        pytest.param(
            host(files=(file("settings file", 0o100666),)),
            [("file-modes", FAIL), ("file-modes", FAIL)],
            id="settings for everybody",
        ),
        pytest.param(
            host(files=(dataclasses.replace(file("providers file", 0o100644), others_reach=False),)),
            [],
            id="in a closed folder",
        ),
        pytest.param(host(files=(file("spool file", None),)), [("file-modes", SKIP)], id="a file that is not there"),
        pytest.param(
            host(freeswitch=ProcessFacts(200, FREESWITCH, 1_024)), [("open-files.freeswitch", WARN)], id="few files"
        ),
        pytest.param(
            host(daemon=ProcessFacts(100, SIPBRIDGE, None)), [("open-files.sipbridge", SKIP)], id="a limit unseen"
        ),
        pytest.param(host(udp_drops={(OURS, 5080): 12}), [("udp-buffer.providers", WARN)], id="lost messages"),
    ],
)
def test_host(on: HostFacts, expected: list[tuple[str, Verdict]]) -> None:
    assert told(check_host(on, switch(profiles=(profile("providers"), profile("inside"))))) == expected


def test_without_freeswitch_the_host_is_looked_at_all_the_same() -> None:
    assert told(check_host(host(freeswitch=None), None)) == []


@pytest.mark.parametrize(
    ("user", "may"),
    [(SIPBRIDGE, True), (FREESWITCH, False), (STRANGER, False), (ROOT, True)],
    ids=lambda value: getattr(value, "name", value),
)
def test_rights_are_those_of_owner_group_or_others(user: UserFacts, may: bool) -> None:
    assert folder(NAME, 0o2750, 990, 991).may(user, 2) is may
