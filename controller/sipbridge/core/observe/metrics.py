"""Every metric that sipbridge exports, by its definition. Pure.

Dashboards and alert rules rely on these names; docs/metrics.md is generated from them.
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
    "How late a timer of the event loop runs. A call waits that long for its decision.",
)

# Calls
CALL_STORM = _define("call_storm", _GAUGE, "1 while more calls arrive than `max_calls_per_s`; the excess gets 503.")
CALLS_HELD = _define(
    "calls_held_total",
    _COUNTER,
    "How often FreeSWITCH was told to refuse calls by itself for a moment. FreeSWITCH does not report how many it "
    "refused.",
)
CALLS = _define(
    "calls_total",
    _COUNTER,
    "Calls that are over. `outcome` is answered, failed (it went out and was not answered), declined (by the "
    "controller), undecided (it ended before a decision) or lost (its end was not seen). `reason` is the reason "
    "to decline, or FreeSWITCH's hangup cause. `provider` is empty if no provider took the call, or if it is "
    "unknown.",
    "provider",
    "outcome",
    "reason",
)
CALLS_IN_PROGRESS = _define("calls_in_progress", _GAUGE, "Calls that hold a slot now.")
CALLS_WAITING = _define("calls_waiting", _GAUGE, "Parked calls that wait for a decision until the counts are correct.")
DECISION = _define(
    "decision_seconds", _HISTOGRAM, "From the arrival of a call's event to the command that bridges or declines it."
)
PROGRESS = _define(
    "call_progress_seconds",
    _HISTOGRAM,
    "From INVITE to ringing or early media (post-dial delay), for calls that got that far and are over.",
    "provider",
)
SETUP = _define(
    "call_setup_seconds", _HISTOGRAM, "From INVITE to answer, for answered calls that are over.", "provider"
)
TALK = _define("call_duration_seconds", _HISTOGRAM, "From answer to end, for answered calls.", "provider")

# Accounts
ACCOUNTS = _define(
    "accounts",
    _GAUGE,
    "Accounts by registration state: registered, in_progress, failed, none.",
    "pool",
    "state",
)
AVAILABLE = _define("accounts_available", _GAUGE, "Accounts that could take a call now.", "pool")
DRAINED = _define("accounts_drained", _GAUGE, "Accounts that an operator has drained: they take no new calls.", "pool")
LINES = _define("lines", _GAUGE, "Slots of all accounts together: accounts times `maxCallsPerLine`.", "pool")
LINES_USED = _define("lines_used", _GAUGE, "Slots that calls hold now.", "pool")
REGISTRATIONS = _define(
    "registrations_total",
    _COUNTER,
    "REGISTERs, including refreshes. `result` is sent, accepted, refused (wrong credentials), no_answer or failed.",
    "result",
)
GATEWAYS_TO_ADD = _define("gateways_to_add", _GAUGE, "Gateways that should be in FreeSWITCH and are not yet.")
GATEWAYS_TO_REMOVE = _define("gateways_to_remove", _GAUGE, "Gateways still to be removed from FreeSWITCH.")

# Where accounts come from
SOURCE_UP = _define(
    "source_up",
    _GAUGE,
    "1 if the database of the pool answered the latest query; only for pools with a database.",
    "pool",
)
SOURCE_LOADED = _define("source_loaded", _GAUGE, "1 once all accounts of the pool have been loaded.", "pool")
SOURCE_SKIPPED = _define(
    "source_skipped_rows", _GAUGE, "Rows of the latest full load that are not valid accounts.", "pool"
)
SOURCE_PENDING = _define(
    "source_notifications_pending", _GAUGE, "Changed accounts that have not been read from the database yet.", "pool"
)
REDIS_UP = _define("redis_up", _GAUGE, "1 while notifications arrive through Redis; absent if Redis is not used.")

# The edge
EDGE_UP = _define("edge_up", _GAUGE, "1 while the edge accepts accounts; absent if there is no edge.")
EDGE_ACCOUNTS = _define("edge_accounts", _GAUGE, "Accounts that use the edge; absent if there is no edge.")
EDGE_KNOWN = _define(
    "edge_accounts_known", _GAUGE, "Accounts that the edge has received. The others cannot register or call."
)

# The host's network
NETWORK_UP = _define("network_up", _GAUGE, "1 while both profiles are bound to addresses of this host.")

# How SIP answers
SIP_UP = _define(
    "sip_up", _GAUGE, "1 while a profile answers an OPTIONS of the bridge within 2 s; asked every 2 s.", "profile"
)
SIP_ANSWER = _define("sip_answer_seconds", _GAUGE, "How long the last answer to OPTIONS took.", "profile")

# The connection to FreeSWITCH
SWITCH_UP = _define("switch_up", _GAUGE, "1 while both Event Socket connections are up.")
SESSIONS = _define(
    "switch_sessions", _GAUGE, "Channels in FreeSWITCH, including those that are not ours; reported every 20 s."
)
SESSIONS_LIMIT = _define("switch_sessions_limit", _GAUGE, "Channels that FreeSWITCH allows.")
LOST_GATEWAYS = _define(
    "profile_lost_gateways",
    _GAUGE,
    "Deleted gateways whose memory FreeSWITCH holds until its profile restarts.",
)
LOST_MEMORY = _define("profile_lost_memory_bytes", _GAUGE, "Memory that deleted gateways hold; an estimate.")
CONNECTIONS = _define("switch_connections_total", _COUNTER, "Connections made to FreeSWITCH.")
LOSSES = _define("switch_connection_losses_total", _COUNTER, "How often the connection to FreeSWITCH was lost.")
EVENTS = _define("switch_events_total", _COUNTER, "Events from FreeSWITCH, by subject.", "event")
COMMANDS = _define(
    "switch_commands_total", _COUNTER, "Commands to FreeSWITCH. `result` is ok, refused or lost.", "result"
)
COMMANDS_PENDING = _define("switch_commands_pending", _GAUGE, "Commands that have no answer yet.")
ROUND_TRIP = _define("switch_round_trip_seconds", _HISTOGRAM, "From a command to its answer.")

# Records
CDR_WRITTEN = _define("cdr_written_total", _COUNTER, "Call detail records written; absent if they are off.")
CDR_DROPPED = _define("cdr_dropped_total", _COUNTER, "Call detail records that could not be written and are lost.")
CDR_PENDING = _define("cdr_pending", _GAUGE, "Call detail records waiting to be written.")
LOG_DROPPED = _define("log_lines_dropped_total", _COUNTER, "Log lines that could not be written and are lost.")

DEFINITIONS = tuple(_definitions)
"""All of them, in this order."""
