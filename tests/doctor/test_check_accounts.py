"""The doctor finds problems of the providers file, databases and Redis."""

from __future__ import annotations

from pathlib import Path

import pytest
from doctor_examples import told

from sipbridge.config.load import LoadResult
from sipbridge.config.text.diagnostic import Diagnostic, Severity
from sipbridge.core.bridge_config import BridgeConfig
from sipbridge.doctor.check_accounts import check_providers_file, check_sources
from sipbridge.doctor.facts import SourceFacts
from sipbridge.doctor.finding import Verdict

FILE = Path("/etc/sipbridge/providers.json")
CONFIG = BridgeConfig((), {})


def found(severity: Severity) -> Diagnostic:
    return Diagnostic(str(FILE), 3, 5, severity, "something")


@pytest.mark.parametrize(
    ("file", "result", "expected"),
    [
        pytest.param(FILE, LoadResult(CONFIG, ()), [], id="good"),
        pytest.param(None, None, [("providers-file", Verdict.FAIL)], id="none"),
        pytest.param(FILE, LoadResult(None, (found(Severity.ERROR),)), [("providers-file", Verdict.FAIL)], id="errors"),
        pytest.param(
            FILE, LoadResult(CONFIG, (found(Severity.WARNING),)), [("providers-file", Verdict.WARN)], id="warnings"
        ),
    ],
)
def test_providers_file(file: Path | None, result: LoadResult | None, expected: list[tuple[str, Verdict]]) -> None:
    assert told([check_providers_file(file, result)]) == expected


def test_sources() -> None:
    sources = (
        SourceFacts("pool Good", "3 accounts in its database"),
        SourceFacts("pool Bad", "0 accounts in its database", ("one", "two", "three", "four")),
        SourceFacts("Redis", "no notifications of changed accounts", ("127.0.0.1:6379: Connection refused",)),
    )
    findings = list(check_sources(sources, ["pool Unread"]))
    assert told(findings) == [
        ("source.pool Bad", Verdict.FAIL),
        ("source.Redis", Verdict.FAIL),
        ("source", Verdict.SKIP),
    ]
    assert "one; two (and 2 more)" in findings[1].text
    assert "check --connect" in findings[1].advice
    assert "[redis]" in findings[2].advice
