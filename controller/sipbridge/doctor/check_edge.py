"""Judges the edge: does its RPC socket answer, is access to that restricted, and does the edge listen. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sipbridge.doctor.facts import EdgeFacts, HostFacts
from sipbridge.doctor.finding import Finding, Section

_EDGE = Section.EDGE


def check_edge(edge: EdgeFacts, host: HostFacts) -> Iterator[Finding]:
    """Check whether accounts and calls that need the edge can go through it."""
    socket = edge.rpc_socket
    if edge.problem:
        yield _EDGE.failed(
            "edge-rpc",
            f"{edge.problem}: accounts that need the edge cannot register",
            "start the edge's Kamailio; set rpc_socket in [edge] to EDGE_RPC_SOCKET of local.cfg; run this as root",
        )
    elif not edge.has_owner and host.daemon is not None:
        yield _EDGE.warned(
            "edge-rpc",
            "the edge has not received any account yet",
            "see sipbridge status and journalctl -u sipbridge",
        )
    else:
        yield _EDGE.passed("edge-rpc", f"the edge answers on {socket.path} and knows {edge.accounts} accounts")
    if socket.mode is not None and socket.mode & 0o006 and socket.others_reach:
        yield _EDGE.failed(
            "edge-rpc-mode",
            f"every user can read and set account secrets through {socket.path}",
            "set EDGE_RPC_MODE to 0660 in local.cfg, and use a group that both sipbridge and Kamailio belong to",
        )
    yield _check_listens(edge, host)


def _check_listens(edge: EdgeFacts, host: HostFacts) -> Finding:
    where = f"{edge.host}:{edge.port} (UDP)"
    lost = host.udp_drops.get((edge.host, edge.port))
    if lost is None:
        return _EDGE.failed(
            "edge-address",
            f"nothing listens at {where}: accounts and calls that need the edge fail",
            "start the edge's Kamailio; set address in [edge] to the EDGE_INSIDE of local.cfg",
        )
    if lost:
        return _EDGE.warned(
            "edge-address",
            f"{where} lost {lost} SIP messages because Kamailio did not read them in time",
            "raise EDGE_WORKERS in local.cfg, or set sysctl net.core.rmem_default=4194304",
        )
    return _EDGE.passed("edge-address", f"the edge listens at {where}")
