"""Queries the edge's Kamailio over its RPC socket, and gathers `EdgeFacts`. Changes nothing."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from sipbridge.adapters.kamailio import Kamailio
from sipbridge.doctor.facts import EdgeFacts
from sipbridge.doctor.gather_host import file_facts
from sipbridge.ports import EdgeLost, EdgeRefused
from sipbridge.settings import EdgeSettings


def gather_edge(settings: EdgeSettings) -> EdgeFacts | None:
    """Query the edge; None if it is not enabled."""
    if not settings.enabled:
        return None
    host, _, port = settings.address.rpartition(":")
    facts = EdgeFacts(host.strip("[]"), int(port), file_facts(settings.rpc_socket, "RPC socket of the edge"))
    with contextlib.closing(Kamailio(settings.rpc_socket)) as kamailio:
        try:
            owner, accounts = kamailio.epoch(), kamailio.count()
        except (EdgeLost, EdgeRefused) as error:
            return replace(facts, problem=str(error))
    return replace(facts, has_owner=owner is not None, accounts=accounts)
