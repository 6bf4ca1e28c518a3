"""The tables of a gateway's life and of registrations become a page with diagrams."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.core.gateways.gateway_life import DUE, ILLEGAL, TRANSITIONS, Due, GatewayEvent, Place, Wish
from sipbridge.core.gateways.registration import TRANSITIONS as REGISTRATIONS
from sipbridge.core.gateways.registration import RegistrationStatus

_HEADER = """# The life of a gateway

<!-- Made by docs/generate.py from core/gateways/gateway_life.py and registration.py: change it there. -->

Two things decide what sipbridge does about a gateway: where it is in FreeSWITCH, and whether an account needs it. Each
is a state machine of its own. An event moves one of them; what is due follows from both.

`services/gateways/gateway_roster.py` keeps the state of every gateway, and a queue for each thing that is due.
`gateway_changes.py` takes from the queues what the paces of the pools allow.
"""

_NONE = "-"

_REGISTRATIONS = """
## Registrations

While a gateway is in FreeSWITCH, what FreeSWITCH reports about it becomes the registration of its account. States in
capitals come from `sofia::gateway_state` events; the others are what sipbridge notes when it adds, deletes or lists
gateways. A call can use an account only while it is `OK`.

"""


def gateway_life_page() -> str:
    """The page: two diagrams, the table of what is due, and the table of registrations."""
    return "".join(
        (
            _HEADER,
            "\n## Where it is\n\n",
            _diagram(list(Place), Place.ABSENT),
            "\n## Whether it is wanted\n\n",
            _diagram(list(Wish), Wish.UNWANTED),
            "\n## Events\n\n| event | what happened | where it cannot come |\n| --- | --- | --- |\n",
            *map(_event, GatewayEvent),
            "\nA defect of sipbridge's own is the only way to an event that cannot come: it raises an error.\n",
            "\n## What is due\n\n",
            *_due(),
            _REGISTRATIONS,
            *_registrations(),
        )
    )


def _diagram(states: list[Place] | list[Wish], start: Place | Wish) -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {start.name}"]
    for state in states:
        labels: dict[str, list[str]] = {}
        for event, after in TRANSITIONS[state].items():
            if after is not ILLEGAL and after is not state:
                labels.setdefault(after.name, []).append(event.name)
        lines += [f"    {state.name} --> {after}: {', '.join(events)}" for after, events in labels.items()]
    return "\n".join([*lines, "```", ""])


def _event(event: GatewayEvent) -> str:
    impossible = ", ".join(state.value for state, row in TRANSITIONS.items() if event in row and row[event] is ILLEGAL)
    return f"| `{event.name}` | {event.value} | {impossible or _NONE} |\n"


def _due() -> Iterator[str]:
    yield f"| | {' | '.join(wish.value for wish in Wish)} |\n| --- | {' | '.join('---' for _ in Wish)} |\n"
    for place in Place:
        cells = [_cell(place, wish) for wish in Wish]
        yield f"| **{place.value}** | {' | '.join(cells)} |\n"


def _cell(place: Place, wish: Wish) -> str:
    if (place, wish) == (Place.ABSENT, Wish.UNWANTED):
        return "forgotten"
    due = DUE[place, wish]
    return _NONE if due is Due.NOTHING else due.value


def _registrations() -> Iterator[str]:
    yield f"| reported | {' | '.join(status.value for status in RegistrationStatus)} |\n"
    yield f"| --- | {' | '.join('---' for _ in RegistrationStatus)} |\n"
    for signal, row in REGISTRATIONS.items():
        shown = f"`{signal}`" if signal.isupper() else signal
        cells = [
            "stays" if after is before else after.value for before, after in zip(RegistrationStatus, row, strict=True)
        ]
        yield f"| {shown} | {' | '.join(cells)} |\n"
