"""The life of a gateway as tables: its place in FreeSWITCH, whether it is wanted, and which action is due. Pure.

Two state machines run side by side. `Place` follows FreeSWITCH: what was requested and what was confirmed. `Wish`
follows the account. Each event moves only one of them, so they need no synchronization; the due action follows from the
pair. Rule: every transition is in `TRANSITIONS`, which has a line for every pair of state and event, so that the tests
find the gap that a new state or event leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sipbridge.core.gateways.gateway import GatewayName


class Place(Enum):
    """The place of a gateway in FreeSWITCH, as far as known."""

    ABSENT = "absent"
    ADDING = "adding"
    """Requested, but not confirmed yet."""
    PRESENT = "present"
    REMOVING = "removing"
    """Its removal was requested; it is still registered."""
    UNREGISTERED = "unregistered"
    """Its unREGISTER was sent; FreeSWITCH deletes it a second later."""


class Wish(Enum):
    """Whether an account needs the gateway."""

    UNWANTED = "unwanted"
    WANTED = "wanted"
    BACKING_OFF = "backing off"
    """Its credentials were rejected: it must be removed, and returns when its account may retry."""


class GatewayEvent(Enum):
    """An event of a gateway."""

    WANT = "an account needs it"
    WITHDRAW = "its account changed or is gone"
    REFUSE = "its credentials were refused"
    RETRY = "its account may try again"
    ASK_TO_ADD = "we ask FreeSWITCH to add it"
    NOT_ADDED = "FreeSWITCH did not add it"
    ADDED = "FreeSWITCH added it"
    LISTED = "FreeSWITCH lists it"
    ASK_TO_REMOVE = "we ask FreeSWITCH to remove it"
    SENT_UNREGISTER = "FreeSWITCH sent its unREGISTER"
    GONE = "FreeSWITCH deleted it or does not list it"


class Due(Enum):
    """The action that is due for a gateway."""

    NOTHING = "nothing"
    ADD = "add"
    CONFIRM_ADDED = "ask whether it was added, after a while"
    REMOVE = "remove"
    CONFIRM_REMOVED = "ask whether it was removed, after a while"


ILLEGAL = None
"""A pair that can only result from a bug."""

TRANSITIONS: Mapping[Place | Wish, Mapping[GatewayEvent, Place | Wish | None]] = {
    Place.ABSENT: {
        GatewayEvent.ASK_TO_ADD: Place.ADDING,
        GatewayEvent.NOT_ADDED: Place.ABSENT,
        # Somebody else added it, or an earlier daemon.
        GatewayEvent.ADDED: Place.PRESENT,
        GatewayEvent.LISTED: Place.PRESENT,
        GatewayEvent.ASK_TO_REMOVE: ILLEGAL,
        GatewayEvent.SENT_UNREGISTER: Place.ABSENT,
        GatewayEvent.GONE: Place.ABSENT,
    },
    Place.ADDING: {
        GatewayEvent.ASK_TO_ADD: ILLEGAL,
        GatewayEvent.NOT_ADDED: Place.ABSENT,
        GatewayEvent.ADDED: Place.PRESENT,
        GatewayEvent.LISTED: Place.PRESENT,
        GatewayEvent.ASK_TO_REMOVE: ILLEGAL,
        GatewayEvent.SENT_UNREGISTER: Place.ADDING,
        GatewayEvent.GONE: Place.ABSENT,
    },
    Place.PRESENT: {
        GatewayEvent.ASK_TO_ADD: ILLEGAL,
        # The answer to the request was lost, but the gateway was added.
        GatewayEvent.NOT_ADDED: Place.PRESENT,
        GatewayEvent.ADDED: Place.PRESENT,
        GatewayEvent.LISTED: Place.PRESENT,
        GatewayEvent.ASK_TO_REMOVE: Place.REMOVING,
        GatewayEvent.SENT_UNREGISTER: Place.PRESENT,
        GatewayEvent.GONE: Place.ABSENT,
    },
    Place.REMOVING: {
        GatewayEvent.ASK_TO_ADD: ILLEGAL,
        GatewayEvent.NOT_ADDED: Place.REMOVING,
        GatewayEvent.ADDED: Place.REMOVING,
        # Queried after a timeout or a reconnect: the command was lost.
        GatewayEvent.LISTED: Place.PRESENT,
        GatewayEvent.ASK_TO_REMOVE: ILLEGAL,
        GatewayEvent.SENT_UNREGISTER: Place.UNREGISTERED,
        GatewayEvent.GONE: Place.ABSENT,
    },
    Place.UNREGISTERED: {
        GatewayEvent.ASK_TO_ADD: ILLEGAL,
        GatewayEvent.NOT_ADDED: Place.UNREGISTERED,
        GatewayEvent.ADDED: Place.UNREGISTERED,
        GatewayEvent.LISTED: Place.PRESENT,
        GatewayEvent.ASK_TO_REMOVE: ILLEGAL,
        GatewayEvent.SENT_UNREGISTER: Place.UNREGISTERED,
        GatewayEvent.GONE: Place.ABSENT,
    },
    Wish.UNWANTED: {
        GatewayEvent.WANT: Wish.WANTED,
        GatewayEvent.WITHDRAW: Wish.UNWANTED,
        GatewayEvent.REFUSE: ILLEGAL,
        GatewayEvent.RETRY: ILLEGAL,
    },
    Wish.WANTED: {
        GatewayEvent.WANT: Wish.WANTED,
        GatewayEvent.WITHDRAW: Wish.UNWANTED,
        GatewayEvent.REFUSE: Wish.BACKING_OFF,
        GatewayEvent.RETRY: Wish.WANTED,
    },
    Wish.BACKING_OFF: {
        # The same name cannot have other credentials: the name is a hash of them.
        GatewayEvent.WANT: ILLEGAL,
        GatewayEvent.WITHDRAW: Wish.UNWANTED,
        GatewayEvent.REFUSE: Wish.BACKING_OFF,
        GatewayEvent.RETRY: Wish.WANTED,
    },
}

DUE: Mapping[tuple[Place, Wish], Due] = {
    # Such a gateway is forgotten.
    (Place.ABSENT, Wish.UNWANTED): Due.NOTHING,
    (Place.ABSENT, Wish.WANTED): Due.ADD,
    (Place.ABSENT, Wish.BACKING_OFF): Due.NOTHING,
    (Place.ADDING, Wish.UNWANTED): Due.CONFIRM_ADDED,
    (Place.ADDING, Wish.WANTED): Due.CONFIRM_ADDED,
    (Place.ADDING, Wish.BACKING_OFF): Due.CONFIRM_ADDED,
    (Place.PRESENT, Wish.UNWANTED): Due.REMOVE,
    (Place.PRESENT, Wish.WANTED): Due.NOTHING,
    (Place.PRESENT, Wish.BACKING_OFF): Due.REMOVE,
    (Place.REMOVING, Wish.UNWANTED): Due.CONFIRM_REMOVED,
    # Wanted again too late: it is added again after its removal.
    (Place.REMOVING, Wish.WANTED): Due.CONFIRM_REMOVED,
    (Place.REMOVING, Wish.BACKING_OFF): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.UNWANTED): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.WANTED): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.BACKING_OFF): Due.CONFIRM_REMOVED,
}


@dataclass(frozen=True, slots=True, eq=False)
class GatewayState:
    """The state of a gateway: one of the fifteen values in `STATES`, compared by identity.

    Attributes:
        is_in_switch: whether FreeSWITCH has it.
        holds_back: whether its successor must wait: FreeSWITCH sends the unREGISTER up to a second after the command to
            remove a gateway, which would remove the new binding.
        is_to_go: whether it is, or soon will be, in FreeSWITCH but should not be.
    """

    place: Place
    wish: Wish
    due: Due
    is_in_switch: bool
    holds_back: bool
    is_to_go: bool


def _state(place: Place, wish: Wish) -> GatewayState:
    is_leaving = place in (Place.REMOVING, Place.UNREGISTERED)
    due = DUE[place, wish]
    return GatewayState(
        place,
        wish,
        due,
        is_in_switch=place is Place.PRESENT or is_leaving,
        holds_back=due is Due.REMOVE or place is Place.REMOVING,
        is_to_go=due is Due.REMOVE or is_leaving or (place is Place.ADDING and wish is Wish.UNWANTED),
    )


STATES: Mapping[tuple[Place, Wish], GatewayState] = {
    (place, wish): _state(place, wish) for place in Place for wish in Wish
}
FORGOTTEN = STATES[Place.ABSENT, Wish.UNWANTED]
"""The state of every unknown gateway."""


class IllegalGatewayEventError(AssertionError):
    """An event that is impossible in this state: a bug."""


def next_state(state: GatewayState, event: GatewayEvent) -> GatewayState:
    """Return the state after an event.

    Raises:
        IllegalGatewayEventError: the event is impossible by `TRANSITIONS`.
    """
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalGatewayEventError(
            f"{event.name} for a gateway that is {state.place.value}, {state.wish.value}"
        ) from None


def _next_states() -> dict[tuple[GatewayState, GatewayEvent], GatewayState]:
    """Combine both machines, without illegal pairs, so that an event takes one look-up."""
    found = {}
    for state in STATES.values():
        for machine in (state.place, state.wish):
            for event, after in TRANSITIONS[machine].items():
                if isinstance(after, Place):
                    found[state, event] = STATES[after, state.wish]
                elif isinstance(after, Wish):
                    found[state, event] = STATES[state.place, after]
    return found


_NEXT = _next_states()


def stem_of(name: GatewayName) -> str:
    """Return the part of a name that all gateways of an account share, across changes: ``sipbridge.alice``."""
    return name.rpartition(".")[0]
