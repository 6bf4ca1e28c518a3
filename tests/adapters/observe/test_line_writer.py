"""Lines reach their file even after rotation; while it cannot be written, as few lines as possible are lost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_server import until

from sipbridge.adapters.observe.line_writer import FileTarget, LineWriter, StreamTarget


class Stuck:
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        self.works = False
        self.data = b""

    def write(self, data: bytes) -> None:
        if not self.works:
            raise OSError(28, "No space left on device")
        self.data += data

    def close(self) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lines"


@pytest.fixture
def writer(file: Path) -> Iterator[LineWriter]:
    made = LineWriter(FileTarget(file))
    yield made
    made.close()


def test_lines_are_written_in_order(writer: LineWriter, file: Path) -> None:
    for number in range(5_000):
        writer.write(str(number).encode())
    until(lambda: writer.pending == 0)
    assert file.read_text().splitlines() == [str(number) for number in range(5_000)]
    assert (writer.written, writer.dropped, writer.problem) == (5_000, 0, "")


def test_nobody_else_may_read_the_file(writer: LineWriter, file: Path) -> None:
    writer.write(b"a")
    until(lambda: writer.written == 1)
    assert file.stat().st_mode & 0o007 == 0


def test_a_file_that_is_moved_away_is_made_anew(writer: LineWriter, file: Path) -> None:
    writer.write(b"before")
    until(lambda: writer.written == 1)
    file.rename(file.with_suffix(".1"))
    writer.write(b"after")
    until(lambda: writer.written == 2)
    assert file.with_suffix(".1").read_text() == "before\n"
    assert file.read_text() == "after\n"


def test_a_file_that_was_replaced_is_the_one_that_is_written(writer: LineWriter, file: Path) -> None:
    writer.write(b"before")
    until(lambda: writer.written == 1)
    file.rename(file.with_suffix(".1"))
    file.touch()
    writer.write(b"after")
    until(lambda: writer.written == 2)
    assert file.read_text() == "after\n"


def test_closing_writes_what_waits(file: Path) -> None:
    writer = LineWriter(FileTarget(file))
    for number in range(1_000):
        writer.write(str(number).encode())
    writer.close(timeout_s=60)
    assert len(file.read_text().splitlines()) == 1_000
    writer.write(b"too late")
    assert writer.dropped == 1


def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "lines"
    writer = LineWriter(FileTarget(file))
    writer.write(b"a")
    until(lambda: writer.problem)
    assert writer.problem == "No such file or directory"
    assert writer.pending == 1
    file.parent.mkdir()
    until(lambda: writer.written == 1)
    assert writer.problem == ""
    assert file.read_text() == "a\n"
    writer.close()


def test_what_cannot_be_kept_is_dropped_and_counted() -> None:
    target = Stuck()
    writer = LineWriter(target, capacity=3)
    for each in (b"a", b"b", b"c", b"d", b"e"):
        writer.write(each)
    assert (writer.pending, writer.dropped) == (3, 2)
    target.works = True
    until(lambda: writer.written == 3)
    writer.write(b"f")
    writer.close(timeout_s=60)
    assert target.data == b"a\nb\nc\nf\n"


def test_closing_gives_up_on_what_cannot_be_written() -> None:
    writer = LineWriter(Stuck())
    writer.write(b"a")
    writer.close(timeout_s=60)
    assert (writer.written, writer.dropped) == (0, 1)


def test_a_reader_that_does_not_read_holds_up_nobody() -> None:
    reading, writing = os.pipe()
    writer = LineWriter(StreamTarget(writing), capacity=2_000)
    line = b"x" * 1_000
    for _ in range(3_000):
        writer.write(line)
    assert writer.dropped > 0
    before = time.monotonic()
    writer.write(line)
    writer.close(timeout_s=0.1)
    assert time.monotonic() - before < 30
    os.close(reading)
    until(lambda: writer.problem)
    os.close(writing)
