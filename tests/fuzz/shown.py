"""What strangers choose, wherever somebody reads it: log, call records, metrics, screens and what commands print.

A caller chooses his addresses and Call-ID, a registrar its phrase, and the operator the names of providers.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from unittest.mock import patch

from prometheus_client.parser import text_string_to_metric_families
from rich.text import Text
from services_examples import Services, outbound, policy, pool

from fuzz.target import SEPARATOR, Target, texts
from sipbridge.adapters.observe.call_records import call_detail, call_line
from sipbridge.adapters.observe.exposition import Exposition
from sipbridge.adapters.observe.log_line import console_line, json_line
from sipbridge.cli.common import print_json
from sipbridge.core.calls.call_record import CallDecided, CallRecord
from sipbridge.core.calls.events import CallEnded, CallParked
from sipbridge.core.errors import UriError
from sipbridge.core.observe.call_news import CallNews, CallsInProgress
from sipbridge.core.observe.snapshot import AccountQuery, Snapshot
from sipbridge.core.observe.snapshot_json import from_json
from sipbridge.core.sip.call import CallRequest, ChannelUuid
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.services.observe.call_feed import CallFeed
from sipbridge.services.observe.call_pages import CallPages
from sipbridge.services.observe.call_tally import CallTally
from sipbridge.services.observe.info import bridge_info
from sipbridge.services.observe.query_commands import QueryCommands
from sipbridge.viewer.calls import calls_table, news_lines
from sipbridge.viewer.screen import Size, screen
from sipbridge.viewer.tables import account_section

_RENDERERS = (console_line(colours=False), json_line(for_journal=False), json_line(for_journal=True))


class _Kept(logging.Handler):
    """Records that were logged, and the calls behind them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []
        self.over: list[CallRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def on_call_decided(self, decided: CallDecided) -> None:
        return

    def on_call_over(self, record: CallRecord) -> None:
        self.over.append(record)


class _Seen:
    """A bridge that had a call of a stranger's, and whose account was refused in the words of another one."""

    def __init__(self, data: bytes) -> None:
        # As events come: what is not UTF-8 has been replaced.
        clean = data.decode("utf-8", "replace").encode()
        name, request_uri, from_, to, call_id, phrase, cause = texts(clean, 7)
        self.kept = _Kept()
        logger = logging.getLogger("sipbridge")
        level = logger.level
        logger.addHandler(self.kept)
        logger.setLevel(logging.DEBUG)
        try:
            self._happen(name, CallRequest(request_uri, from_, to), call_id, phrase, cause)
        finally:
            logger.removeHandler(self.kept)
            logger.setLevel(level)

    def _happen(self, name: str, request: CallRequest, call_id: str, phrase: str, cause: str) -> None:
        anybody = replace(outbound("Free"), name=name)
        self.services = services = Services(
            pool("alice", with_=policy("Refused")),
            pool("bob", with_=policy("Free", registration_required=False)),
            providers=(outbound("Refused"), anybody),
        )
        feed = CallFeed(services.clock, services.scheduler)
        self.tally = CallTally(lambda: [each.name for each in services.table.providers])
        for observer in (feed, self.kept, self.tally):
            services.journal.add(observer)
        pages = CallPages(services.switch, services.calls, services.journal, services.clock, services.scheduler)
        self.queries = QueryCommands(services.status, pages, feed)
        services.connect_and_register()
        services.state(services.gateway("alice"), "FAIL_WAIT", "403", phrase)
        for channel, from_ in (("1", request.from_header), ("2", "<sip:bob@home.example.org>"), ("3", "<sip:alice@h>")):
            call = CallRequest(request.request_uri_text, from_, request.to_header)
            services.session.on_switch_event(CallParked(ChannelUuid(channel), call, call_id, "inside", ""))
        self.calls = self.queries.calls({})
        for channel in "123":
            services.session.on_switch_event(CallEnded(ChannelUuid(channel), cause, False, 486))
        try:
            parse_sip_uri(request.request_uri_text)
        except UriError:
            logging.getLogger("sipbridge.fuzz").exception("what a defect would log of %s", request.from_header)


def check_log(data: bytes) -> None:
    """A record is a line, of JSON where it is for machines; a traceback stands indented below it."""
    for record in _Seen(data).kept.records:
        for render in _RENDERERS:
            first, *others = render(record).split("\n")
            assert first.isprintable()
            assert all(line.isprintable() and line.startswith("  ") for line in others if line)
        fields = json.loads(_RENDERERS[1](record))
        assert fields["event"] == record.getMessage()
        assert fields.get("call_id", "") == getattr(record, "call_id", "")


def check_records(data: bytes) -> None:
    """A record of a call is a line of JSON that says what was said, and metrics have labels of ours alone."""
    seen = _Seen(data)
    assert len(seen.kept.over) == 3
    for record in seen.kept.over:
        line = call_line(record)
        assert line.isprintable()
        assert json.loads(line) == call_detail(record)
    text = Exposition([seen.tally.metrics]).text().decode()
    ours = {"", *(each.name for each in seen.services.table.providers)}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.get("provider", "") in ours
            assert all(value.isascii() for label, value in sample.labels.items() if label != "provider")


def _lines(seen: _Seen) -> Iterator[Text]:
    query = AccountQuery(limit=10)
    snapshot = from_json(Snapshot, seen.queries.status({"accounts": {"limit": 10}}))
    for width in (None, 80):
        yield from screen(snapshot, query, Size(width=width))[0]
        yield from calls_table(from_json(CallsInProgress, seen.calls), width)
    for account in snapshot.accounts.rows:
        yield from account_section(account, [each.name for each in snapshot.providers], 80).lines
    for news in seen.queries.follow({}):
        if news is None:
            return
        yield from news_lines(from_json(CallNews, news))


def check_screens(data: bytes) -> None:
    """A line of the screen stays one, and does nothing to the terminal."""
    for line in _lines(_Seen(data)):
        assert line.plain.isprintable()


def check_printed(data: bytes) -> None:
    """What commands print as JSON does nothing to a terminal either, and means what was told."""
    seen = _Seen(data)
    for told in (bridge_info(seen.services.table), seen.queries.status({}), seen.calls):
        with patch.object(sys, "stdout", io.StringIO()) as printed:
            print_json(told)
        assert printed.getvalue().replace("\n", "").isprintable()
        assert json.loads(printed.getvalue()) == told


_SEED = SEPARATOR.join(
    (
        b"Jabiru",
        b"sip:bob@bridge.example.org",
        b'"Al" <sip:alice@home.example.org>;tag=1',
        b"<sip:b@h>",
        b"c@h",
        b"Forbidden",
        b"USER_BUSY",
    )
)
_TOKENS = (
    b"\n",
    b"\r\n",
    b"\x1b[2J",
    b"\x1b]0;title\x07",
    b"\xc2\x9b31m",
    b"\xc2\x85",
    "\u202egnp.exe".encode(),
    "\u2066\u2069\u200f".encode(),
    "\u2028\u2029".encode(),
    "\ufeff\u00ad\u200b".encode(),
    "\U000e0041\U0001f600".encode(),
    "e\u0301\u0300\u0300".encode(),
    "\u4e2d".encode(),
    b"\xff",
    b"\0",
    b"\x7f",
    b"\x08",
    b'"',
    b"'",
    b"\\",
    b"[bold red]",
    b"%s%d{}",
    b"password=",
    SEPARATOR,
)

TARGETS: Mapping[str, Target] = {
    "log": Target(check_log, (_SEED,), _TOKENS),
    "records": Target(check_records, (_SEED,), _TOKENS),
    "screens": Target(check_screens, (_SEED,), _TOKENS, longest=4_096),
    "printed": Target(check_printed, (_SEED,), _TOKENS),
}
