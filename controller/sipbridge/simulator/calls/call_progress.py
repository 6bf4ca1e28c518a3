"""Tracks the progress of a call, and waits for a state."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum
from typing import Self

from gevent.event import Event as Flag


class CallState(Enum):
    """The state of a call."""

    TRYING = "trying"
    PARKED = "parked"
    CALLING = "calling"
    ANSWERED = "answered"
    ENDED = "ended"


class CallProgress:
    """A call as its caller sees it.

    Attributes:
        state: its state.
        responses: every SIP status that the caller received, in order: ``[100, 180, 200]``.
    """

    def __init__(self) -> None:
        self.state = CallState.TRYING
        self.responses = [100]
        self._changed = Flag()

    @property
    def sip_status(self) -> int:
        """The last status that the caller received."""
        return self.responses[-1]

    def wait(self, is_reached: Callable[[Self], bool], timeout_s: float = 5.0) -> Self:
        """Wait until `is_reached` is true for the call.

        Args:
            timeout_s: real seconds.

        Raises:
            TimeoutError: it did not happen in time; the message shows the state.
        """
        deadline = time.monotonic() + timeout_s
        while not is_reached(self):
            self._changed.clear()
            if not self._changed.wait(max(0.0, deadline - time.monotonic())) and not is_reached(self):
                raise TimeoutError(f"the call is {self.state.value}, responses {self.responses}")
        return self

    def wait_for_state(self, state: CallState, timeout_s: float = 5.0) -> Self:
        """Wait until the call is in this state, or has ended.

        Raises:
            TimeoutError: it did not happen in time.
        """
        return self.wait(lambda call: call.state in (state, CallState.ENDED), timeout_s)

    def wait_until_ended(self, timeout_s: float = 5.0) -> Self:
        """Wait until the call has ended.

        Raises:
            TimeoutError: it has not ended in time.
        """
        return self.wait_for_state(CallState.ENDED, timeout_s)

    def _become(self, state: CallState) -> None:
        self.state = state
        self._changed.set()

    def _respond(self, status: int) -> None:
        self.responses.append(status)
        self._changed.set()
