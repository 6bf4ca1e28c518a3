"""Computes the variables of a call detail record from the times of a call. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sipbridge.simulator.calls.causes import q850_of_cause
from sipbridge.simulator.wire.events import format_stamp

_IN, _OUT = "variable_rtp_audio_in", "variable_rtp_audio_out"
RTP_STATISTICS = {
    **{f"{_IN}_{name}": "0" for name in ("raw_bytes", "media_bytes", "packet_count", "media_packet_count")},
    **{f"{_IN}_{name}_packet_count": "0" for name in ("skip", "jitter", "dtmf", "cng", "flush")},
    f"{_IN}_largest_jb_size": "0",
    **{f"{_IN}_jitter_{name}": "0.00" for name in ("min_variance", "max_variance", "loss_rate", "burst_rate")},
    f"{_IN}_mean_interval": "0.00",
    f"{_IN}_flaw_total": "0",
    f"{_IN}_quality_percentage": "100.00",
    f"{_IN}_mos": "4.50",
    **{f"{_OUT}_{name}": "0" for name in ("raw_bytes", "media_bytes", "packet_count", "media_packet_count")},
    **{f"{_OUT}_{name}_packet_count": "0" for name in ("skip", "dtmf", "cng")},
    "variable_rtp_audio_rtcp_packet_count": "0",
    "variable_rtp_audio_rtcp_octet_count": "0",
}
"""The media statistics of an answered call; always empty here."""


@dataclass(slots=True)
class Times:
    """The times of a channel's progress, in microseconds since the epoch; 0 means not yet."""

    created: int
    answered: int = 0
    progress: int = 0
    progress_media: int = 0
    bridged: int = 0
    hung_up: int = 0


def report_variables(times: Times, cause: str, application: tuple[str, str], caller_id: str) -> dict[str, str]:
    """Return the variables of a call detail record, with their prefix.

    Args:
        application: the last one, and its argument.
    """
    stamps = {
        "start": times.created,
        "profile_start": times.created,
        "answer": times.answered,
        "bridge": times.bridged,
        "progress": times.progress,
        "progress_media": times.progress_media,
        "end": times.hung_up,
    }
    report = {"hangup_cause": cause, "hangup_cause_q850": str(q850_of_cause(cause)), "digits_dialed": "none"}
    report |= {f"{name}_stamp": format_stamp(us) for name, us in stamps.items() if us}
    for name in ("start", "profile_start", "answer", "bridge"):
        report |= _epochs(name, stamps[name])
    report |= _epochs("last_hold", 0) | {f"hold_accum_{unit}": "0" for unit in ("seconds", "usec", "ms")}
    for name in ("resurrect", "progress", "progress_media", "end"):
        report |= _epochs(name, stamps.get(name, 0))
    name, argument = application
    report["last_app"] = name
    if argument and "${" not in argument:
        report["last_arg"] = argument
    report["caller_id"] = caller_id
    report |= _durations(times)
    return {f"variable_{name}": value for name, value in report.items()}


def _epochs(name: str, us: int) -> dict[str, str]:
    return {f"{name}_epoch": str(us // 1_000_000), f"{name}_uepoch": str(us)}


def _durations(times: Times) -> dict[str, str]:
    """Return all durations in three units; whole seconds are differences of whole seconds, as in FreeSWITCH."""
    start, end = times.created, times.hung_up
    spans = {
        "": (start, end),
        "bill": (times.answered, end if times.answered else 0),
        "progress": (start, times.progress),
        "answer": (start, times.answered),
        "wait": (start, times.bridged),
        "progress_media": (start, times.progress_media),
        "flow_bill": (start, end if times.answered else 0),
    }
    durations: dict[str, str] = {}
    for unit, whole, us in (("sec", "duration", 1_000_000), ("msec", "mduration", 1000), ("usec", "uduration", 1)):
        for name, (since, until) in spans.items():
            if not until:
                value = 0
            elif unit == "sec":
                value = until // us - since // us
            else:
                value = (until - since) // us
            durations[f"{name}{unit}" if name else whole] = str(value)
    return durations
