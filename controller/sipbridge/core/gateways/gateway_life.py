"""The life of a gateway as tables: where it is in FreeSWITCH, whether it is wanted, and what is to be done. Pure.

Two machines run side by side. `Place` follows FreeSWITCH: what was asked of it and what it confirmed. `Wish` follows
the account. An event moves one of them and leaves the other alone, so nothing has to be kept in step: what is due
follows from the pair. Rule: whatever moves a gateway stands in `TRANSITIONS`, and every pair of state and event has a
line there, so that a new state or event leaves a hole that the tests point at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sipbridge.core.gateways.gateway import GatewayName


class Place(Enum):
    """Where a gateway is in FreeSWITCH, as far as is known."""

    ABSENT = "absent"
    ADDING = "adding"
    """Asked for, and not confirmed yet."""
    PRESENT = "present"
    REMOVING = "removing"
    """Its removal was asked for; it is still registered."""
    UNREGISTERED = "unregistered"
    """Its unREGISTER is sent; FreeSWITCH deletes it a second later."""


class Wish(Enum):
    """Whether an account needs the gateway."""

    UNWANTED = "unwanted"
    WANTED = "wanted"
    BACKING_OFF = "backing off"
    """Its credentials were refused: it has to go, and comes back when its account may try again."""


class GatewayEvent(Enum):
    """What happens to a gateway."""

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
    """What is to be done about a gateway."""

    NOTHING = "nothing"
    ADD = "add"
    CONFIRM_ADDED = "ask whether it was added, after a while"
    REMOVE = "remove"
    CONFIRM_REMOVED = "ask whether it was removed, after a while"


ILLEGAL = None
"""A pair that only a defect of ours can bring about."""

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
        # The answer to asking for it was lost, and it came all the same.
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
        # Asked after a while, or after a reconnect: the command was lost.
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
        # Other credentials under the same name cannot be: the name is a hash of them.
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
    # Wanted again too late: it is added once more when it is gone.
    (Place.REMOVING, Wish.WANTED): Due.CONFIRM_REMOVED,
    (Place.REMOVING, Wish.BACKING_OFF): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.UNWANTED): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.WANTED): Due.CONFIRM_REMOVED,
    (Place.UNREGISTERED, Wish.BACKING_OFF): Due.CONFIRM_REMOVED,
}


@dataclass(frozen=True, slots=True, eq=False)
class GatewayState:
    """Where one gateway stands: one of the fifteen values in `STATES`, compared by identity.

    Attributes:
        is_in_switch: whether FreeSWITCH has it.
        holds_back: whether its successor has to wait: FreeSWITCH sends the unREGISTER up to a second after it was told
            to remove a gateway, which would take the new binding away.
        is_to_go: whether it should not be in FreeSWITCH, and is, or is about to be.
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
"""The state of every gateway that nobody knows of."""


class IllegalGatewayEventError(AssertionError):
    """An event came that cannot be in this state: a defect of ours."""


def next_state(state: GatewayState, event: GatewayEvent) -> GatewayState:
    """The state after an event.

    Raises:
        IllegalGatewayEventError: `TRANSITIONS` says that it cannot come.
    """
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalGatewayEventError(
            f"{event.name} for a gateway that is {state.place.value}, {state.wish.value}"
        ) from None


def _next_states() -> dict[tuple[GatewayState, GatewayEvent], GatewayState]:
    """Both machines as one, without the illegal pairs: one look-up for each event."""
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
    """What the gateways of one account have in common, before and after it was changed: ``sipbridge.alice``."""
    return name.rpartition(".")[0]
