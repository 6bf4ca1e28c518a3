"""Runs the demo: starts a simulated switch and the daemon, places calls at a steady rate, and prints the results."""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import gevent
from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from sipbridge.adapters.control.control_socket import ask
from sipbridge.config.load import parse_providers
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.daemon.app import App
from sipbridge.demo.scenarios import SCENARIOS, TALK_S, Scenario, occupy_the_line, script
from sipbridge.settings import load_settings
from sipbridge.simulator.calls.call import CallState, SimulatedCall
from sipbridge.simulator.simulator import Simulator
from sipbridge.simulator.sofia.edge import SimulatedEdge

_REGISTRATION_TIMEOUT_S = 10.0
_CALL_TIMEOUT_S = 10.0
_PROVIDERS = "providers.json"
_TICK_S = 0.25
"""FreeSWITCH checks its gateways once a second; the demo four times as often, to save time."""


@dataclass(slots=True)
class _Results:
    """The results of one scenario."""

    placed: int = 0
    right: int = 0
    setup_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run_demo(calls: int, rate: float) -> bool:
    """Place `calls` calls, `rate` per second, and show the results.

    Returns:
        Whether every call ended as expected and every line was released.
    """
    console = Console()
    with _bridge(rate) as (simulator, app, control_socket):
        console.print("[bold]sipbridge demo[/]: the real controller, calls through a simulated FreeSWITCH\n")
        if not _wait(lambda: _is_settled(app), _REGISTRATION_TIMEOUT_S):
            console.print("[red]the accounts did not register[/]")
            return False
        _print_accounts(console, ask(control_socket, "info"))
        holding = occupy_the_line(simulator).wait_for_state(CallState.ANSWERED)
        results = {scenario.name: _Results() for scenario in SCENARIOS}
        _carry(console, simulator, calls, rate, results)
        holding.hang_up()
        lines_free = _wait(lambda: app.calls_in_progress == 0, _CALL_TIMEOUT_S)
        return _print_verdict(console, results, lines_free)


@contextmanager
def _bridge(rate: float) -> Iterator[tuple[Simulator, App, Path]]:
    """Start a simulated switch and a daemon connected to it, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sipbridge-demo-") as folder:
        spool_file, control_socket = Path(folder, "gateways.xml"), Path(folder, "control.sock")
        rpc_socket = Path(folder, "edge.sock")
        spool_file.write_text("<include>\n</include>\n")
        with Simulator(spool_file=spool_file, tick_s=_TICK_S) as simulator, SimulatedEdge(rpc_socket) as edge:
            simulator.registrar.edge = edge
            script(simulator)
            settings = load_settings(
                None,
                {
                    "SIPBRIDGE_EVENT_SOCKET__PORT": str(simulator.port),
                    "SIPBRIDGE_EVENT_SOCKET__PASSWORD": simulator.password,
                    "SIPBRIDGE_GATEWAYS__SPOOL_FILE": str(spool_file),
                    "SIPBRIDGE_CONTROL__SOCKET": str(control_socket),
                    "SIPBRIDGE_EDGE__ENABLED": "true",
                    "SIPBRIDGE_EDGE__ADDRESS": edge.address,
                    "SIPBRIDGE_EDGE__RPC_SOCKET": str(rpc_socket),
                    "SIPBRIDGE_HTTP__PORT": "0",
                    # The requested rate plus half, because calls do not arrive evenly.
                    "SIPBRIDGE_CALLS__MAX_CALLS_PER_S": str(max(1.0, rate * 1.5)),
                },
            )
            text = resources.files("sipbridge.demo").joinpath(_PROVIDERS).read_bytes()
            config = parse_providers(text, _PROVIDERS, settings.media_defaults, settings.edge.edge).config
            if config is None:
                raise AssertionError(f"{_PROVIDERS} is not valid")
            app = App(settings, config)
            app.start()
            try:
                yield simulator, app, control_socket
            finally:
                app.stop()


def _is_settled(app: App) -> bool:
    unsettled = (RegistrationStatus.NONE, RegistrationStatus.IN_PROGRESS)
    lines = [line for pool in app.table.pools.values() for line in pool]
    return app.takes_calls and not any(line.registration.status in unsettled for line in lines)


def _carry(console: Console, simulator: Simulator, calls: int, rate: float, results: dict[str, _Results]) -> None:
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(complete_style="green"),
        MofNCompleteColumn(),
        console=console,
    )
    task = progress.add_task(f"calls, {rate:g} a second", total=calls)
    started = time.monotonic()
    followers = []
    with Live(progress, console=console, transient=True, refresh_per_second=10):
        for number, scenario in enumerate(itertools.islice(_mixed(calls), calls)):
            gevent.sleep(max(0.0, started + number / rate - time.monotonic()))
            call = scenario.place(simulator, number)
            followers.append(gevent.spawn(_follow, call, scenario, results[scenario.name]))
            progress.update(task, completed=sum(follower.dead for follower in followers[-500:]) + max(0, number - 499))
        gevent.joinall(followers)
        progress.update(task, completed=calls)


def _mixed(calls: int) -> Iterator[Scenario]:
    """Yield every scenario at least once, then by weight; the same mix in every run."""
    yield from SCENARIOS
    choice = random.Random(calls)  # noqa: S311 - a mix, not a secret
    while True:
        yield choice.choices(SCENARIOS, [scenario.weight for scenario in SCENARIOS])[0]


def _follow(call: SimulatedCall, scenario: Scenario, results: _Results) -> None:
    """Follow a call to its end and record the result."""
    started = time.monotonic()
    results.placed += 1
    try:
        call.wait(lambda call: len(call.responses) > 1 or call.state is CallState.ENDED, _CALL_TIMEOUT_S)
        results.setup_ms.append((time.monotonic() - started) * 1000)
        call.wait_for_state(CallState.ANSWERED, _CALL_TIMEOUT_S)
        right = scenario.went_right(call)
        call.wait_until_ended(_CALL_TIMEOUT_S + TALK_S)
    except TimeoutError as error:
        results.wrong.append(str(error))
        return
    if right:
        results.right += 1
    else:
        arrived = call.invite.request_uri if call.invite else "nothing"
        results.wrong.append(f"the caller received {call.responses}, the far side {arrived}")


def _wait(is_reached: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_reached():
        if time.monotonic() > deadline:
            return False
        gevent.sleep(0.02)
    return True


def _print_accounts(console: Console, info: dict[str, list[dict[str, Any]]]) -> None:
    table = _table("Accounts, as shown by `sipbridge info`")
    table.add_column("account", no_wrap=True)
    table.add_column("free lines", justify="right")
    table.add_column("status", overflow="fold")
    accounts = {account["address"]: account for provider in info["providers"] for account in provider["accounts"]}
    for address, account in accounts.items():
        status = account["status"]
        table.add_row(address, str(account.get("freeSlots", "-")), Text(status, "green" if status == "OK" else "red"))
    console.print(table)


def _print_verdict(console: Console, results: dict[str, _Results], lines_free: bool) -> bool:
    placed = sum(result.placed for result in results.values())
    right = sum(result.right for result in results.values())
    table = _table("Calls", show_footer=True)
    table.add_column("call", footer="total", no_wrap=True)
    table.add_column("gets", justify="right")
    table.add_column("calls", justify="right", footer=str(placed))
    table.add_column("expected", justify="right", footer=str(right))
    table.add_column("after", justify="right")
    for scenario in SCENARIOS:
        result = results[scenario.name]
        table.add_row(
            scenario.name,
            str(scenario.expected),
            str(result.placed),
            Text(str(result.right), "green" if result.right == result.placed else "bold red"),
            f"{statistics.median(result.setup_ms):.1f} ms" if result.setup_ms else "-",
        )
    console.print(table)
    for name, result in results.items():
        for what in result.wrong[:3]:
            console.print(Text(f"{name}: {what}", "red"))
    if right != placed:
        console.print("[bold red]Not every call ended as expected.[/]")
    elif not lines_free:
        console.print("[bold red]Every call ended as expected, but not every line was released.[/]")
    else:
        console.print("[bold green]Every call ended as expected, and every line was released.[/]")
    return right == placed and lines_free


def _table(title: str, *, show_footer: bool = False) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE,
        padding=(0, 2, 0, 0),
        show_footer=show_footer,
    )
