"""An ended call is written as one line of JSON, with null for unknown values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted_server import until
from services_examples import Services, ended

from sipbridge.adapters.observe.call_records import CallRecords
from sipbridge.adapters.observe.line_writer import FileTarget, LineWriter
from sipbridge.core.calls.events import CallEnded, CallTimes
from sipbridge.core.observe import metrics
from sipbridge.core.sip.call import ChannelUuid


@pytest.fixture
def services() -> Services:
    made = Services()
    made.connect_and_register()
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cdr.jsonl"


@pytest.fixture
def records(services: Services, file: Path) -> CallRecords:
    made = CallRecords(LineWriter(FileTarget(file)))
    services.journal.add(made)
    return made


def lines(records: CallRecords, file: Path) -> list[dict[str, object]]:
    """What has been written, once all of it has been."""
    records.stop()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_answered_call(services: Services, records: CallRecords, file: Path) -> None:
    services.park("call-1")
    at = 1_795_397_000_000_000
    times = CallTimes(at, at + 400_000, at + 2_000_000, at + 62_500_000)
    services.session.on_switch_event(CallEnded(ChannelUuid("call-1"), "NORMAL_CLEARING", True, 200, times))
    (record,) = lines(records, file)
    assert record == {
        "call_id": "call-1@example.org",
        "channel": "call-1",
        "outcome": "answered",
        "reason": "NORMAL_CLEARING",
        "sip_status": 200,
        "hangup_cause": "NORMAL_CLEARING",
        "provider": "through Pool",
        "pool": "Pool",
        "account": "sip:alice@provider.example.net",
        "request_uri": "sip:carol@bridge.example.org",
        "from": "<sip:alice@home.example.org>;tag=1",
        "to": "<sip:carol@home.example.org>",
        "outgoing_to": "sip:carol@provider.example.net",
        "outgoing_from": "sip:alice@provider.example.net",
        "received": "2026-11-23T01:23:20.000+00:00",
        "decided": record["decided"],
        "progress": "2026-11-23T01:23:20.400+00:00",
        "answered": "2026-11-23T01:23:22.000+00:00",
        "ended": "2026-11-23T01:24:22.500+00:00",
        "progress_s": 0.4,
        "setup_s": 2.0,
        "duration_s": 60.5,
    }
    assert str(record["decided"]).startswith("2023-11-14T")


def test_calls_that_come_to_nothing_have_a_line_too(services: Services, records: CallRecords, file: Path) -> None:
    services.park("declined", "mallory")
    services.park("busy")
    services.park("lost", "bob")
    services.switch.alive.clear()
    services.session.on_switch_event(ended("declined", "INCOMPATIBLE_DESTINATION", answered=False))
    services.session.on_switch_event(CallEnded(ChannelUuid("busy"), "USER_BUSY", False, 486))
    services.session.on_switch_event(ended("unknown", "NORMAL_TEMPORARY_FAILURE", answered=False))
    services.calls.reconcile()
    services.calls.reconcile()
    told = [
        tuple(record[name] for name in ("channel", "outcome", "reason", "sip_status", "account"))
        for record in lines(records, file)
    ]
    assert told == [
        ("declined", "declined", "no-provider", 488, None),
        ("busy", "failed", "USER_BUSY", 486, "sip:alice@provider.example.net"),
        ("unknown", "undecided", "NORMAL_TEMPORARY_FAILURE", None, None),
        ("lost", "lost", None, None, "sip:bob@provider.example.net"),
    ]


def test_a_file_that_cannot_be_written_is_told_once(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "folder" / "cdr.jsonl"
    writer = LineWriter(FileTarget(file))
    records = CallRecords(writer)
    services.journal.add(records)
    services.park("call-1", "mallory")
    services.end("call-1")
    caplog.clear()
    caplog.set_level("INFO")
    until(lambda: writer.problem)
    records.step()
    records.step()
    values = {metric.definition: dict(metric.samples)[()] for metric in records.metrics()}
    assert values == {metrics.CDR_WRITTEN: 0, metrics.CDR_PENDING: 1, metrics.CDR_DROPPED: 0}
    file.parent.mkdir()
    until(lambda: writer.written == 1)
    records.step()
    assert [record.getMessage() for record in caplog.records] == [
        "cannot write call detail records (queued): No such file or directory",
        "writing call detail records again",
    ]
    records.stop()
