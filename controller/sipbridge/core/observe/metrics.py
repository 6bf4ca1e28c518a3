"""Every metric that sipbridge exports, by its definition. Pure.

This is what dashboards and alert rules are written against: docs/metrics.md is made of it.
"""

from __future__ import annotations

from sipbridge.core.observe.metric import MetricDefinition, MetricKind

_GAUGE, _COUNTER, _HISTOGRAM = MetricKind.GAUGE, MetricKind.COUNTER, MetricKind.HISTOGRAM
_definitions: list[MetricDefinition] = []


def _define(name: str, kind: MetricKind, text: str, *labels: str) -> MetricDefinition:
    definition = MetricDefinition(f"sipbridge_{name}", kind, text, labels)
    _definitions.append(definition)
    return definition


# The daemon
BUILD = _define("build_info", _GAUGE, "Always 1; the label is the version.", "version")
READY = _define("ready", _GAUGE, "1 while `/readyz` answers 200.")
CONDITION = _define("ready_condition", _GAUGE, "1 for each condition of `/readyz` that holds.", "condition")
HUB_LATENCY = _define(
    "hub_latency_seconds",
    _HISTOGRAM,
    "How much later than it should a timer of the event loop runs. Calls wait as long as that to be decided.",
)

# Calls
CALL_STORM = _define("call_storm", _GAUGE, "1 while more calls come than `max_calls_per_s`; the excess gets 503.")
CALLS_HELD = _define(
    "calls_held_total",
    _COUNTER,
    "How often FreeSWITCH was told to refuse calls by itself for a moment. How many it refused, it does not tell.",
)
CALLS = _define(
    "calls_total",
    _COUNTER,
    "Calls that are over. `outcome` is answered, failed (it went out and nobody answered), declined (by us), undecided "
    "(it ended before it was decided) or lost (its end was not told). `reason` is why it was declined, or FreeSWITCH's "
    "hangup cause. `provider` is empty where none took the call or it is not known.",
    "provider",
    "outcome",
    "reason",
)
CALLS_IN_PROGRESS = _define("calls_in_progress", _GAUGE, "Calls that hold a line now.")
CALLS_WAITING = _define("calls_waiting", _GAUGE, "Parked calls that wait for a decision until the counts are right.")
DECISION = _define(
    "decision_seconds", _HISTOGRAM, "From the arrival of a call's event to the command that bridges or declines it."
)
PROGRESS = _define(
    "call_progress_seconds",
    _HISTOGRAM,
    "From INVITE to ringing or early media, of calls that got so far and are over (post-dial delay).",
    "provider",
)
SETUP = _define("call_setup_seconds", _HISTOGRAM, "From INVITE to answer, of answered calls that are over.", "provider")
TALK = _define("call_duration_seconds", _HISTOGRAM, "From answer to end, of answered calls.", "provider")

# Accounts
ACCOUNTS = _define(
    "accounts",
    _GAUGE,
    "Accounts by the state of their registration: registered, in_progress, failed, none.",
    "pool",
    "state",
)
AVAILABLE = _define("accounts_available", _GAUGE, "Accounts that a call could take now.", "pool")
DRAINED = _define("accounts_drained", _GAUGE, "Accounts that take no new calls, by an operator's wish.", "pool")
LINES = _define("lines", _GAUGE, "Lines of all accounts together: accounts times `maxCallsPerLine`.", "pool")
LINES_USED = _define("lines_used", _GAUGE, "Lines that calls hold now.", "pool")
REGISTRATIONS = _define(
    "registrations_total",
    _COUNTER,
    "REGISTERs, refreshes included. `result` is sent, accepted, refused (wrong credentials), no_answer or failed.",
    "result",
)
GATEWAYS_TO_ADD = _define("gateways_to_add", _GAUGE, "Gateways that are not in FreeSWITCH yet and should be.")
GATEWAYS_TO_REMOVE = _define("gateways_to_remove", _GAUGE, "Gateways that are in FreeSWITCH and should not be.")

# Where accounts come from
SOURCE_UP = _define(
    "source_up",
    _GAUGE,
    "1 while the database of the pool answered when it was last asked; pools with a loader.",
    "pool",
)
SOURCE_LOADED = _define("source_loaded", _GAUGE, "1 once all accounts of the pool have been loaded.", "pool")
SOURCE_SKIPPED = _define("source_skipped_rows", _GAUGE, "Rows of the last full load that are no accounts.", "pool")
SOURCE_PENDING = _define("source_notifications_pending", _GAUGE, "Accounts that are still to be asked for.", "pool")
REDIS_UP = _define("redis_up", _GAUGE, "1 while notifications come through Redis; absent where it is not used.")

# The edge
EDGE_UP = _define("edge_up", _GAUGE, "1 while the edge can be told its accounts; absent where there is none.")
EDGE_ACCOUNTS = _define("edge_accounts", _GAUGE, "Accounts that go through the edge; absent where there is none.")
EDGE_KNOWN = _define("edge_accounts_known", _GAUGE, "Those of them that it knows; the others cannot register or call.")

# The host's network
NETWORK_UP = _define("network_up", _GAUGE, "1 while both profiles are bound to addresses that this host has.")

# The way to FreeSWITCH
SWITCH_UP = _define("switch_up", _GAUGE, "1 while both Event Socket connections stand.")
SESSIONS = _define("switch_sessions", _GAUGE, "Channels that FreeSWITCH has, others' included; told every 20 s.")
SESSIONS_LIMIT = _define("switch_sessions_limit", _GAUGE, "Channels that FreeSWITCH may have.")
LOST_GATEWAYS = _define(
    "profile_lost_gateways",
    _GAUGE,
    "Gateways that are gone, and whose memory FreeSWITCH holds until its profile restarts.",
)
LOST_MEMORY = _define("profile_lost_memory_bytes", _GAUGE, "The memory that they take; an estimate.")
CONNECTIONS = _define("switch_connections_total", _COUNTER, "How often the connection to FreeSWITCH was made.")
LOSSES = _define("switch_connection_losses_total", _COUNTER, "How often it was lost.")
EVENTS = _define("switch_events_total", _COUNTER, "Events of FreeSWITCH, by what they are about.", "event")
COMMANDS = _define(
    "switch_commands_total", _COUNTER, "Commands to FreeSWITCH. `result` is ok, refused or lost.", "result"
)
COMMANDS_PENDING = _define("switch_commands_pending", _GAUGE, "Commands without an answer yet.")
ROUND_TRIP = _define("switch_round_trip_seconds", _HISTOGRAM, "From a command to its answer.")

# Records
CDR_WRITTEN = _define("cdr_written_total", _COUNTER, "Call detail records written; absent where none are.")
CDR_DROPPED = _define("cdr_dropped_total", _COUNTER, "Call detail records that could not be written, and are lost.")
CDR_PENDING = _define("cdr_pending", _GAUGE, "Call detail records that wait to be written.")
LOG_DROPPED = _define("log_lines_dropped_total", _COUNTER, "Lines of the log that could not be written, and are lost.")

DEFINITIONS = tuple(_definitions)
"""All of them, in this order."""
