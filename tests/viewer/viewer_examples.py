"""Examples for tests of the viewer: a snapshot of a bridge with problems, and one without."""

from __future__ import annotations

from dataclasses import replace

from rich.text import Text

from sipbridge.core.observe.snapshot import (
    AccountPage,
    AccountState,
    BridgeState,
    CallCounts,
    Failure,
    PoolState,
    ProviderState,
    Snapshot,
    SourceState,
    SwitchState,
    TrafficState,
)

JABIRU = PoolState(
    name="Jabiru",
    registrar="sip:jabiru.example.org;transport=tls",
    registration_required=True,
    accounts=100_000,
    available=99_985,
    registrations={"OK": 99_985, "Registration failed": 12, "Registration in progress": 3},
    failures={"403 Forbidden": 12},
    drained=0,
    lines_used=14,
    max_calls_per_line=20,
    last_failure=Failure("sip:bob@jabiru.example.org: 403 Forbidden", 180.0),
    source=SourceState("up to date"),
)
PSTN = PoolState("PSTN", "sip:pstn.example.net", True, 1, 1, {"OK": 1}, {}, 0, 3, 682)
OUTBOUND = ProviderState(
    "Flexisip -> Jabiru",
    "Jabiru",
    calls=12,
    recent=CallCounts(690, 612, {"lines-taken": 10}, {"USER_BUSY": 20}),
    last_failure=Failure("lines-taken, 20 of 20 calls in progress (sip:bob@jabiru.example.org)", 130.0),
)
TELEPHONE = ProviderState("Telephone", "PSTN", calls=2)
ROWS = tuple(
    AccountState(
        f"sip:user{number}@jabiru.example.org",
        f"sip:user{number}@flexisip.example.org",
        "Jabiru",
        "Registration failed" if number < 2 else "OK",
        "403 Forbidden" if number < 2 else "",
        is_drained=False,
        calls=number % 3,
        max_calls=20,
        failing_s=180.0 if number < 2 else None,
        next_try_s=42.0 if number < 2 else None,
        gateway=f"sipbridge.user{number}.0123456789",
        proxy="sip:jabiru.example.org;transport=tls",
        registrar="sip:jabiru.example.org;transport=tls",
    )
    for number in range(60)
)
TROUBLED = Snapshot(
    BridgeState("0.1.0", 273_000.0, takes_calls=True),
    SwitchState(True, "", 8_000.0, True, "1.11.2", 1_048_000.0, 14, 1_000, 88.0),
    TrafficState(14, 2.34, OUTBOUND.recent, OUTBOUND.recent),
    (OUTBOUND, TELEPHONE),
    (JABIRU, PSTN),
    "OK",
    AccountPage(ROWS, 0, 100_001),
)
WELL = replace(
    TROUBLED,
    traffic=TrafficState(0, 0.0, CallCounts(), CallCounts()),
    providers=(TELEPHONE,),
    pools=(PSTN,),
    accounts=AccountPage((replace(ROWS[2], pool="PSTN"),), 0, 1),
)


def text(lines: list[Text]) -> str:
    """Lines as somebody without colours sees them."""
    return "\n".join(line.plain.rstrip() for line in lines)
