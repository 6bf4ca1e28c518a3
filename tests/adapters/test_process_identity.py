"""A process can be told from another one that has its number later."""

from __future__ import annotations

import os
import subprocess

import pytest

from sipbridge.adapters.process_identity import is_running, own_identity, pid_in


def test_this_process_runs() -> None:
    assert is_running(own_identity()) is True
    assert pid_in(own_identity()) == str(os.getpid())


def test_a_process_that_has_ended_does_not() -> None:
    with subprocess.Popen(["true"]) as ended:
        pid = ended.pid
    kernel = own_identity().rsplit("-", 2)[0]
    assert is_running(f"{kernel}-{pid}-1") is False


def test_another_process_with_the_same_number_is_another_one() -> None:
    assert is_running(own_identity() + "0") is False


@pytest.mark.parametrize("identity", ["", "x", "00000000-1-1-1", "+OK"], ids=["empty", "text", "elsewhere", "reply"])
def test_one_of_elsewhere_is_unknown(identity: str) -> None:
    assert is_running(identity) is None
