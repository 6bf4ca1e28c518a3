"""``sipbridge explain``: shows how a hypothetical call would be routed, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sipbridge.cli.common import (
    EDGE_ASSUMED,
    config_or_exit,
    no_edge_option,
    print_json,
    settings_option,
    settings_to_check_with,
)
from sipbridge.config.load import load_providers
from sipbridge.core.sip.call import CallRequest
from sipbridge.explain import explain as explain_call
from sipbridge.viewer.words import printable


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--request-uri", required=True, metavar="URI", help="Request-URI of the call.")
@click.option("--from", "from_", required=True, metavar="ADDRESS", help="From address: a URI, or a name and a URI.")
@click.option("--to", required=True, metavar="ADDRESS", help="To address, in the same form.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@no_edge_option
@settings_option
def explain(
    file: Path, request_uri: str, from_: str, to: str, as_json: bool, no_edge: bool, settings_file: Path | None
) -> None:
    """Show how a call would be routed, and why, assuming that every account is registered and free."""
    settings, edge_is_assumed = settings_to_check_with(settings_file, no_edge=no_edge)
    config = config_or_exit(
        load_providers(file, settings.media_defaults, settings.edge.edge, settings.unknown_fields.severity)
    )
    told = explain_call(
        config,
        CallRequest(request_uri, from_, to),
        settings.media_defaults,
        settings.calls.status_lines,
        settings.sofia.provider_profile,
    )
    if as_json:
        print_json(told)
    else:
        _print_explanation(told)
    if edge_is_assumed and told["path"] == "edge":
        click.echo(EDGE_ASSUMED, err=True)


def _print_explanation(told: dict[str, Any]) -> None:
    console = Console()
    bridged = told["decision"] == "bridge"
    console.print(Text(told["decision"].upper(), style="bold green" if bridged else "bold red"))
    facts = Table.grid(padding=(0, 2))
    for name in ("provider", "account", "request_uri", "to", "from", "next_hop", "path", "sip_status", "dial_string"):
        if told[name] is not None:
            shown = f"edge: {told['path_reason']}" if told[name] == "edge" else told[name]
            facts.add_row(Text(name.replace("_", " "), style="dim"), Text(printable(shown), overflow="fold"))
    console.print(facts)
    console.print()
    for number, step in enumerate(told["trace"], 1):
        detail = f": {step['detail']}" if step["detail"] else ""
        console.print(Text(printable(f"{number}. {step['provider'] or 'Result'}: {step['verdict']}{detail}")))
