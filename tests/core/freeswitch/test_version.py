"""Versions of FreeSWITCH: read, compared, and what is known of each."""

from __future__ import annotations

import re

import pytest

from sipbridge.core.freeswitch.changes import Change, verifies_dtls
from sipbridge.core.freeswitch.known_holes import known_holes
from sipbridge.core.freeswitch.version import RECOMMENDED, TESTED, FreeSwitchVersion, parse_freeswitch_version

V1_10_12, V1_11_0, V1_11_1, V1_11_2 = (FreeSwitchVersion(1, *rest) for rest in ((10, 12), (11, 0), (11, 1), (11, 2)))

_OPEN = {"sdp-within-a-call"}
_CLOSED_IN_1_11_2 = _OPEN | {"sdes-key", "dtls-fingerprint", "rtp-strangers", "rtcp-nack"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1.10.12", V1_10_12, id="the numbers alone"),
        pytest.param("1.11.2-release", V1_11_2, id="version short"),
        pytest.param("1.10.12-release+git~20240802T210227Z~a88d069d6f~64bit", V1_10_12, id="HEARTBEAT of a package"),
        pytest.param("1.10.12-release~64bit", V1_10_12, id="HEARTBEAT of a build from source"),
        pytest.param("1.100.0", FreeSwitchVersion(1, 100, 0), id="three digits"),
        pytest.param("1.11.2.3", None, id="four numbers"),
        pytest.param("1.11", None, id="two numbers"),
        pytest.param("", None, id="nothing"),
        pytest.param("-ERR version Command not found!", None, id="an error"),
        pytest.param("1.11.٢", None, id="digits of another script"),
        pytest.param(f"1.11.{'9' * 5_000}", None, id="a number without end"),
    ],
)
def test_versions_are_read(text: str, expected: FreeSwitchVersion | None) -> None:
    assert parse_freeswitch_version(text) == expected


def test_numbers_are_compared_and_not_letters() -> None:
    assert FreeSwitchVersion(1, 9, 0) < V1_10_12 < V1_11_0
    assert str(V1_10_12) == "1.10.12"


def test_the_recommended_version_is_the_newest_tested_one() -> None:
    assert max(TESTED) == RECOMMENDED


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        pytest.param(V1_10_12, _CLOSED_IN_1_11_2 | {"session-end"}, id="1.10.12"),
        pytest.param(V1_11_0, _CLOSED_IN_1_11_2 | {"session-end"}, id="1.11.0"),
        pytest.param(V1_11_1, _CLOSED_IN_1_11_2, id="1.11.1"),
        pytest.param(V1_11_2, _OPEN, id="1.11.2"),
        pytest.param(FreeSwitchVersion(1, 12, 0), _OPEN, id="newer"),
        pytest.param(None, set(), id="unknown"),
    ],
)
def test_known_holes(version: FreeSwitchVersion | None, holes: set[str]) -> None:
    assert {hole.name for hole in known_holes(version)} == holes


def test_advice_never_names_an_older_version() -> None:
    for hole in known_holes(V1_10_12):
        assert hole.advice
        if hole.closed_by is not None:
            assert str(RECOMMENDED) in hole.advice
            assert hole.closed_by.value.since <= RECOMMENDED


@pytest.mark.parametrize("change", list(Change), ids=lambda change: change.name)
def test_each_change_names_its_source(change: Change) -> None:
    assert re.match(r"[0-9a-f]{10}", change.value.source)
    assert change.value.before != change.value.after


@pytest.mark.parametrize(
    ("version", "expected"), [(V1_10_12, False), (V1_11_0, False), (V1_11_1, False), (V1_11_2, True)], ids=str
)
def test_fingerprints_are_verified_in_both_roles(version: FreeSwitchVersion, expected: bool) -> None:
    assert verifies_dtls(version) is expected
