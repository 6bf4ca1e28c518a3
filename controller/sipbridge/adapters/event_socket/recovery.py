"""Makes FreeSWITCH recover its calls after a crash, and marks each with its account. Sends commands.

FreeSWITCH records each answered call for this (``track-calls``). Source: mod_sofia, sofia_glue.c,
sofia_recover_callback; switch_core_sqldb.c, switch_core_recovery_recover.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from typing import Any

import gevent
import orjson

from sipbridge.adapters.event_socket.profiles import Profiles
from sipbridge.core.calls.dial_string import ACCOUNT_VARIABLE

_log = logging.getLogger(__name__)

_PATIENCE_S = 10.0
"""Wait for profiles to start, and for the table of channels, which lags behind by a second."""
_POLL_S = 0.1
_RECOVERED = re.compile(r"Recovered ([0-9]+) call")
_ACCOUNT_ID = re.compile("[0-9a-f]{16}")


def recover_calls(api: Callable[[str], str], profiles: Collection[str]) -> int:
    """Make FreeSWITCH recover the calls it had when it crashed; call once, after it has started.

    Both legs receive an INVITE within their dialogs. If one side no longer has the call, it says so, and the other leg
    is hung up.

    Args:
        api: runs an API command and returns its answer.
        profiles: the profiles on which calls arrive and leave; a leg of a profile that is not running would be lost.

    Returns:
        The number of recovered legs.
    """
    if not _within_patience(lambda: _is_paused(api) and all(Profiles(api).address(profile) for profile in profiles)):
        _log.warning("calls not recovered: FreeSWITCH or one of its profiles %s has not started", ", ".join(profiles))
        return 0
    # While paused, FreeSWITCH creates no session for an A leg. Without a lease, the dialplan refuses new calls.
    api("fsctl resume inbound")
    found = _RECOVERED.search(api("sofia recover"))
    api("fsctl pause inbound")
    if found is None:
        return 0
    legs = int(found[1])
    if not _within_patience(lambda: len(_channels(api)) >= legs):
        _log.warning("recovered %d call legs, but FreeSWITCH shows %d", legs, len(_channels(api)))
    channels = _channels(api)
    b_legs = {channel["call_uuid"]: channel["uuid"] for channel in channels if channel["direction"] == "outbound"}
    a_legs = {channel["uuid"] for channel in channels if channel["direction"] == "inbound"}
    for a_leg in a_legs & b_legs.keys():
        _mark(api, a_leg, b_legs[a_leg])
        _limit(api, a_leg)
    for half in [*a_legs - b_legs.keys(), *(b_leg for a_leg, b_leg in b_legs.items() if a_leg not in a_legs)]:
        # FreeSWITCH crashed before it had recorded the other leg.
        api(f"uuid_kill {half} NORMAL_TEMPORARY_FAILURE")
    _log.warning("recovered %d call legs after a FreeSWITCH crash", legs)
    return legs


def _mark(api: Callable[[str], str], a_leg: str, b_leg: str) -> None:
    """Set on the A leg the account variable that it had while ``bridge`` ran."""
    account = api(f"uuid_getvar {b_leg} {ACCOUNT_VARIABLE}").strip()
    if _ACCOUNT_ID.fullmatch(account):
        api(f"uuid_setvar {a_leg} {ACCOUNT_VARIABLE} {account}")


def _limit(api: Callable[[str], str], a_leg: str) -> None:
    """Set the timer for the maximum call duration again: it was lost in the crash."""
    longest_s = api("global_getvar sipbridge_max_call_s").strip()
    if longest_s.isdecimal():
        api(f"sched_hangup +{longest_s} {a_leg} ALLOTTED_TIMEOUT")


def _is_paused(api: Callable[[str], str]) -> bool:
    """Return whether FreeSWITCH is paused, which it is once it has started (``api_on_startup``)."""
    return api("fsctl pause_check inbound").strip() == "true"


def _channels(api: Callable[[str], str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(api("show channels as json")).get("rows", [])
    return rows


def _within_patience(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            return False
        gevent.sleep(_POLL_S)
    return True
