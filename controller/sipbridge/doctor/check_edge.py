"""The edge as it was found becomes findings: can it be told its accounts, by nobody else, and does it listen. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.doctor.facts import EdgeFacts, HostFacts
from sipbridge.doctor.finding import Finding, Section

_EDGE = Section.EDGE


def check_edge(edge: EdgeFacts, host: HostFacts) -> Iterator[Finding]:
    """Whether accounts and calls that need the edge can go through it."""
    socket = edge.rpc_socket
    if edge.problem:
        yield _EDGE.failed(
            "edge-rpc",
            f"{edge.problem}: accounts that need the edge cannot register",
            "start its Kamailio; let rpc_socket in [edge] be what EDGE_RPC_SOCKET is in local.cfg; look as root",
        )
    elif not edge.has_owner and host.daemon is not None:
        yield _EDGE.warned(
            "edge-rpc",
            "the edge was not told any account yet",
            "see sipbridge status, and the log: journalctl -u sipbridge",
        )
    else:
        yield _EDGE.passed("edge-rpc", f"the edge answers on {socket.path} and knows {edge.accounts} accounts")
    if socket.mode is not None and socket.mode & 0o006 and socket.others_reach:
        yield _EDGE.failed(
            "edge-rpc-mode",
            f"everybody may read and set secrets of accounts through {socket.path}",
            "EDGE_RPC_MODE 0660 in local.cfg, and a group that sipbridge and Kamailio have in common",
        )
    yield _check_listens(edge, host)


def _check_listens(edge: EdgeFacts, host: HostFacts) -> Finding:
    where = f"{edge.host}:{edge.port} (UDP)"
    lost = host.udp_drops.get((edge.host, edge.port))
    if lost is None:
        return _EDGE.failed(
            "edge-address",
            f"nothing listens at {where}: accounts and calls that need the edge fail",
            "start its Kamailio; let address in [edge] be what EDGE_INSIDE is in local.cfg",
        )
    if lost:
        return _EDGE.warned(
            "edge-address",
            f"{where} has lost {lost} SIP messages, because Kamailio did not read them in time",
            "EDGE_WORKERS in local.cfg, or sysctl net.core.rmem_default=4194304",
        )
    return _EDGE.passed("edge-address", f"the edge listens at {where}")
