"""Gateways that register all at once, straight or through the edge: how many a second, at what CPU. Starts programs."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.machine import cpu_of_group_s, cpu_s
from support.digest import md5
from support.edge import Edge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.registrar import PASSWORD, Registrar

_DOMAIN = "jabiru.example.org"
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Registrations:
    """What it took.

    Attributes:
        per_s: accepted a second, from the first to the last.
        freeswitch_ms: CPU of FreeSWITCH for each.
        edge_ms: CPU of the edge for each.
    """

    per_s: float
    freeswitch_ms: float
    edge_ms: float


def register(count: int, through_edge: bool) -> Registrations:
    """Have so many gateways register, challenged, in a FreeSWITCH that has no others."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipbridge-benchmark-")))
        registrar = Registrar(directory)
        stack.callback(registrar.kill)
        freeswitch = FreeSwitch(directory / "freeswitch")
        stack.callback(freeswitch.kill)
        edge = stack.enter_context(Edge(directory / "edge", freeswitch.providers))
        for number in range(count if through_edge else 0):
            ha1 = md5(f"user{number}", _DOMAIN, PASSWORD)
            edge.set_account(_name(number), "md5", f"sip:{registrar.hostport};transport=udp", ha1)

        next_hop, password = (edge.inside, "not the password") if through_edge else (registrar.hostport, PASSWORD)
        gateways = (_gateway(number, next_hop, password) for number in range(count))
        freeswitch_s, edge_s = cpu_s(freeswitch.pid), cpu_of_group_s(edge.pid)
        freeswitch.spool.write_text("\n".join(["<include>", *gateways, "</include>", ""]))
        freeswitch.event_socket.api("sofia profile providers rescan")
        wait_until("all are registered", lambda: len(registrar.accepted()) >= count, timeout_s=_PATIENCE_S, poll_s=0.2)
        freeswitch_s, edge_s = cpu_s(freeswitch.pid) - freeswitch_s, cpu_of_group_s(edge.pid) - edge_s
        times = [at for at, _ in registrar.accepted()]
    seconds = max(times) - min(times)
    return Registrations(len(times) / seconds, 1000 * freeswitch_s / count, 1000 * edge_s / count)


def _name(number: int) -> str:
    return f"sipbridge.user{number}.{number:020x}"


def _gateway(number: int, next_hop: str, password: str) -> str:
    parameters = {
        "username": f"user{number}",
        "password": password,
        "realm": _name(number),
        "from-user": f"user{number}",
        "from-domain": _DOMAIN,
        "proxy": _DOMAIN,
        "expire-seconds": "3600",
        "outbound-proxy": f"sip:{next_hop}",
        "register-proxy": f"sip:{next_hop};transport=udp",
        "register-transport": "udp",
        "gw-auth-acl": f"{next_hop.rpartition(':')[0]}/32",
    }
    gateway = ElementTree.Element("gateway", name=_name(number))
    for name, value in parameters.items():
        ElementTree.SubElement(gateway, "param", name=name, value=value)
    return ElementTree.tostring(gateway, encoding="unicode")
