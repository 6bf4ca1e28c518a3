"""Prometheus' own tool: whether rules and queries are right, and which alerts a scrape sets off. Runs a process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

PROGRAM = shutil.which("promtool")
ALERTS = Path(__file__).parents[2] / "docs/prometheus/alerts.yml"
_BEFORE, _AFTER = 5, 8
"""Minutes of the test: in the first ones nothing has been counted."""
_EVALUATED_AT = 12


def promtool(*arguments: str | Path) -> None:
    """Run it.

    Raises:
        AssertionError: it fails, with what it says.
    """
    if PROGRAM is None:
        raise AssertionError("no promtool on the PATH")
    run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if run.returncode:
        raise AssertionError(run.stdout + run.stderr)


def check_alerts(folder: Path, scraped: str, fires: Mapping[str, bool]) -> None:
    """Hold the alert rules against a scrape.

    The scrape is taken for what Prometheus sees from now on, some minutes long; counters were 0 before.

    Args:
        folder: for files.
        scraped: what ``/metrics`` told.
        fires: which alerts should fire, and which should not.

    Raises:
        AssertionError: it is otherwise, with what promtool says.
    """
    test = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "30s",
                "input_series": _series(scraped),
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}} or vector(0) == 1) > bool 0',
                        "eval_time": f"{_EVALUATED_AT}m",
                        "exp_samples": [{"labels": "{}", "value": int(fires_)}] if fires_ else [],
                    }
                    for name, fires_ in fires.items()
                ],
            }
        ],
    }
    file = folder / "alerts_test.json"
    file.write_text(json.dumps(test))
    promtool("test", "rules", file)


def _series(scraped: str) -> Sequence[Mapping[str, str]]:
    series = []
    for family in text_string_to_metric_families(scraped):
        counts = family.type in ("counter", "histogram")
        for sample in family.samples:
            labels = {"job": "sipbridge", "instance": "bridge", **sample.labels}
            text = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
            before = "0" if counts else f"{sample.value}"
            values = f"{before}x{2 * _BEFORE} {sample.value}x{2 * _AFTER}"
            series.append({"series": f"{sample.name}{{{text}}}", "values": values})
    return series
