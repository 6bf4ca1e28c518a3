"""The table of a gateway's life: complete, without dead ends, and each pair of state and event does what it should."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipbridge.core.gateways.gateway import GatewayName
from sipbridge.core.gateways.gateway_life import (
    DUE,
    FORGOTTEN,
    ILLEGAL,
    STATES,
    TRANSITIONS,
    Due,
    GatewayEvent,
    GatewayState,
    IllegalGatewayEventError,
    Place,
    Wish,
    next_state,
    stem_of,
)

PLACE_EVENTS = tuple(TRANSITIONS[Place.ABSENT])
WISH_EVENTS = tuple(TRANSITIONS[Wish.UNWANTED])

# What each event makes of each place, in the order of `Place`; "-" where it cannot come.
PLACES = {
    "ASK_TO_ADD": "ADDING - - - -",
    "NOT_ADDED": "ABSENT ABSENT PRESENT REMOVING UNREGISTERED",
    "ADDED": "PRESENT PRESENT PRESENT REMOVING UNREGISTERED",
    "LISTED": "PRESENT PRESENT PRESENT PRESENT PRESENT",
    "ASK_TO_REMOVE": "- - REMOVING - -",
    "SENT_UNREGISTER": "ABSENT ADDING PRESENT UNREGISTERED UNREGISTERED",
    "GONE": "ABSENT ABSENT ABSENT ABSENT ABSENT",
}
WISHES = {
    "WANT": "WANTED WANTED -",
    "WITHDRAW": "UNWANTED UNWANTED UNWANTED",
    "REFUSE": "- BACKING_OFF BACKING_OFF",
    "RETRY": "- WANTED WANTED",
}


def matrix(states: type[Place] | type[Wish], expected: dict[str, str]) -> Iterator[object]:
    for event, after in expected.items():
        for state, name in zip(states, after.split(), strict=True):
            wanted = None if name == "-" else states[name]
            yield pytest.param(state, GatewayEvent[event], wanted, id=f"{state.name}-{event}")


@pytest.mark.parametrize(("state", "event", "after"), [*matrix(Place, PLACES), *matrix(Wish, WISHES)])
def test_an_event_moves_its_machine_and_leaves_the_other_alone(
    state: Place | Wish, event: GatewayEvent, after: Place | Wish | None
) -> None:
    for one in STATES.values():
        if state not in (one.place, one.wish):
            continue
        if after is None:
            with pytest.raises(IllegalGatewayEventError, match=event.name):
                next_state(one, event)
        elif isinstance(after, Place):
            assert next_state(one, event) is STATES[after, one.wish]
        else:
            assert next_state(one, event) is STATES[one.place, after]


def test_the_table_has_a_line_for_every_pair() -> None:
    assert TRANSITIONS.keys() == {*Place, *Wish}
    assert {state: tuple(row) for state, row in TRANSITIONS.items()} == {
        **dict.fromkeys(Place, PLACE_EVENTS),
        **dict.fromkeys(Wish, WISH_EVENTS),
    }
    assert sorted(map(str, PLACE_EVENTS + WISH_EVENTS)) == sorted(map(str, GatewayEvent)), "each moves one machine"
    assert DUE.keys() == set(product(Place, Wish))


def test_illegal_are_only_commands_of_ours_and_wishes_without_an_account() -> None:
    illegal = {event for row in TRANSITIONS.values() for event, after in row.items() if after is ILLEGAL}
    assert illegal == {
        GatewayEvent.ASK_TO_ADD,
        GatewayEvent.ASK_TO_REMOVE,
        GatewayEvent.WANT,
        GatewayEvent.REFUSE,
        GatewayEvent.RETRY,
    }


@pytest.mark.parametrize("state", STATES.values(), ids=lambda state: f"{state.place.name}-{state.wish.name}")
def test_every_state_can_be_reached_and_be_left_for_good(state: GatewayState) -> None:
    assert state in reachable(FORGOTTEN)
    assert FORGOTTEN in reachable(state)


def reachable(start: GatewayState) -> set[GatewayState]:
    found, to_see = {start}, [start]
    while to_see:
        one = to_see.pop()
        for event in GatewayEvent:
            try:
                after = next_state(one, event)
            except IllegalGatewayEventError:
                continue
            if after not in found:
                found.add(after)
                to_see.append(after)
    return found


@pytest.mark.parametrize(
    ("due", "event", "settles"),
    [
        pytest.param(Due.ADD, GatewayEvent.ASK_TO_ADD, GatewayEvent.ADDED, id="add"),
        pytest.param(Due.REMOVE, GatewayEvent.ASK_TO_REMOVE, GatewayEvent.GONE, id="remove"),
    ],
)
def test_what_is_due_may_be_asked_for_and_nothing_else(due: Due, event: GatewayEvent, settles: GatewayEvent) -> None:
    for state in STATES.values():
        if state.due is due:
            assert next_state(next_state(state, event), settles).due is Due.NOTHING
        elif event is GatewayEvent.ASK_TO_ADD and state.place is not Place.ABSENT:
            with pytest.raises(IllegalGatewayEventError):
                next_state(state, event)


@given(st.lists(st.sampled_from(list(GatewayEvent))))
def test_a_gateway_is_in_the_switch_only_after_it_was_seen_there(events: list[GatewayEvent]) -> None:
    state, is_seen = FORGOTTEN, False
    for event in events:
        try:
            state = next_state(state, event)
        except IllegalGatewayEventError:
            continue
        if event in (GatewayEvent.ADDED, GatewayEvent.LISTED):
            is_seen = True
        elif event is GatewayEvent.GONE:
            is_seen = False
        assert state.is_in_switch == is_seen


def test_gateways_of_one_account_have_one_stem() -> None:
    assert stem_of(GatewayName("sipbridge.alice.4f0c")) == stem_of(GatewayName("sipbridge.alice.5a1b"))
