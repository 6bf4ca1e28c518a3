"""Hangup causes: SIP status → cause on the outgoing leg, cause → SIP status and Q.850 number on the incoming one. Pure.

Follows the behaviour of mod_sofia; tests compare this, docs/sip-mapping.md and a real FreeSWITCH.
"""

from __future__ import annotations

_FROM_STATUS = {
    200: "NORMAL_CLEARING",
    **dict.fromkeys((401, 402, 403, 407, 603, 608), "CALL_REJECTED"),
    **dict.fromkeys((400, 481, 500, 503), "NORMAL_TEMPORARY_FAILURE"),
    **dict.fromkeys((413, 414, 416, 420, 421, 423, 505, 513), "INTERWORKING"),
    **dict.fromkeys((406, 415, 501), "SERVICE_NOT_IMPLEMENTED"),
    **dict.fromkeys((408, 504), "RECOVERY_ON_TIMER_EXPIRE"),
    **dict.fromkeys((482, 483), "EXCHANGE_ROUTING_ERROR"),
    **dict.fromkeys((485, 604), "NO_ROUTE_DESTINATION"),
    **dict.fromkeys((486, 600), "USER_BUSY"),
    **dict.fromkeys((488, 606), "INCOMPATIBLE_DESTINATION"),
    404: "UNALLOCATED_NUMBER",
    405: "SERVICE_UNAVAILABLE",
    410: "NUMBER_CHANGED",
    480: "NO_USER_RESPONSE",
    484: "INVALID_NUMBER_FORMAT",
    487: "ORIGINATOR_CANCEL",
    502: "NETWORK_OUT_OF_ORDER",
    607: "UNWANTED",
}

# cause: (its number, the SIP status that refuses a call with it). Numbers above 127 are FreeSWITCH's own.
_CAUSES = {
    "UNALLOCATED_NUMBER": (1, 404),
    "NO_ROUTE_TRANSIT_NET": (2, 404),
    "NO_ROUTE_DESTINATION": (3, 404),
    "NORMAL_CLEARING": (16, 480),
    "USER_BUSY": (17, 486),
    "NO_USER_RESPONSE": (18, 408),
    "NO_ANSWER": (19, 480),
    "SUBSCRIBER_ABSENT": (20, 480),
    "CALL_REJECTED": (21, 603),
    "NUMBER_CHANGED": (22, 410),
    "EXCHANGE_ROUTING_ERROR": (25, 483),
    "DESTINATION_OUT_OF_ORDER": (27, 502),
    "INVALID_NUMBER_FORMAT": (28, 484),
    "FACILITY_REJECTED": (29, 501),
    "NORMAL_UNSPECIFIED": (31, 480),
    "NORMAL_CIRCUIT_CONGESTION": (34, 503),
    "NETWORK_OUT_OF_ORDER": (38, 503),
    "NORMAL_TEMPORARY_FAILURE": (41, 503),
    "SWITCH_CONGESTION": (42, 503),
    "REQUESTED_CHAN_UNAVAIL": (44, 503),
    "OUTGOING_CALL_BARRED": (52, 403),
    "INCOMING_CALL_BARRED": (54, 403),
    "SERVICE_UNAVAILABLE": (63, 480),
    "CHAN_NOT_IMPLEMENTED": (66, 480),
    "FACILITY_NOT_IMPLEMENTED": (69, 501),
    "SERVICE_NOT_IMPLEMENTED": (79, 501),
    "INCOMPATIBLE_DESTINATION": (88, 488),
    "RECOVERY_ON_TIMER_EXPIRE": (102, 504),
    "INTERWORKING": (127, 480),
    "ORIGINATOR_CANCEL": (487, 487),
    "SYSTEM_SHUTDOWN": (701, 480),
    "MANAGER_REQUEST": (703, 480),
    "MEDIA_TIMEOUT": (804, 480),
    "INVALID_GATEWAY": (808, 484),
    "GATEWAY_DOWN": (809, 503),
    "INVALID_URL": (810, 484),
    "INVALID_PROFILE": (811, 502),
    "UNWANTED": (819, 607),
}


def cause_of_status(status: int) -> str:
    """Return the hangup cause of a leg whose INVITE received this final response."""
    return _FROM_STATUS.get(status, "NORMAL_UNSPECIFIED")


def status_of_cause(cause: str) -> int:
    """Return the final response to an unanswered INVITE whose leg is hung up with this cause."""
    return _CAUSES.get(cause, (31, 480))[1]


def q850_of_cause(cause: str) -> int:
    """Return the Q.850 number; FreeSWITCH's own causes use that of NORMAL_CLEARING."""
    number = _CAUSES.get(cause, (31, 480))[0]
    return number if number <= 127 else 16


def known_cause(name: str) -> str:
    """Return the cause with this name; an unknown name means NORMAL_CLEARING."""
    name = name.strip().upper()
    return name if name in _CAUSES else "NORMAL_CLEARING"


_DIALSTATUS = {
    "CALL_REJECTED": "DONTCALL",
    "DESTINATION_OUT_OF_ORDER": "INVALIDARGS",
    "INVALID_PROFILE": "INVALIDARGS",
    "NO_ANSWER": "NOANSWER",
    "ORIGINATOR_CANCEL": "CANCEL",
    "USER_BUSY": "BUSY",
}


def dialstatus_of_cause(cause: str) -> str:
    """Return the value of DIALSTATUS for the cause of a failed B leg."""
    return _DIALSTATUS.get(cause, cause)
