"""Reads the host's network from the kernel as `HostNetwork` and `Route`, and watches it for changes. Netlink.

pyroute2 is asyncio inside, so queries, which are short, run in a native thread of the hub's pool. Changes are awaited
on a plain gevent socket whose messages are not parsed: after any message, the kernel is queried for the new state.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gevent
import gevent.socket

from sipbridge.core.errors import SipBridgeError
from sipbridge.core.network import HostNetwork, Route
from sipbridge.ports import NetworkListener

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

# Source: linux/rtnetlink.h, linux/if.h, linux/if_addr.h; the names are the kernel's.
_RTMGRP_LINK = 0x1
_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV4_ROUTE = 0x40
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_IPV6_ROUTE = 0x400
_GROUPS = _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_IFADDR | _RTMGRP_IPV6_ROUTE
_IFF_UP_AND_LOWER_UP = 0x1 | 0x10000
_IFA_F_DADFAILED_OR_TENTATIVE = 0x08 | 0x40
_RTN_UNICAST = 1
_RTN_LOCAL = 2

_PROBES = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849), which only the default route covers."""
_RECEIVE_BYTES = 64 * 1024
_RETRY_S = 60
_PAUSE_S = 0.1
"""Changes come in bursts: a link that goes down loses its routes and addresses too."""


class NetworkUnknown(SipBridgeError):
    """The kernel's network cannot be read."""


def read_network() -> HostNetwork:
    """Return the host's network as it is now; waits cooperatively, for a few milliseconds.

    Raises:
        NetworkUnknown: netlink is not available.
    """
    return _ask(_read)


def route_to(address: str) -> Route | None:
    """Return the route to an IP address; None if there is none.

    Raises:
        NetworkUnknown: netlink is not available.
    """
    return _ask(lambda kernel: _route(kernel, address))


def watch_network(listener: NetworkListener) -> None:
    """Report the network to the listener, now and after every change; the body of a greenlet that never ends."""
    while True:
        try:
            _watch(listener)
        except NetworkUnknown as error:
            _log.warning("%s; retrying in %d s", error, _RETRY_S)
        gevent.sleep(_RETRY_S)


def _watch(listener: NetworkListener) -> None:
    try:
        changes = gevent.socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError as error:
        raise NetworkUnknown(f"cannot watch the network: {error.strerror}") from error
    with changes:
        changes.bind((0, _GROUPS))
        while True:
            listener.on_network(read_network())
            _wait_for_change(changes)
            gevent.sleep(_PAUSE_S)


def _wait_for_change(changes: Any) -> None:
    try:
        changes.recv(_RECEIVE_BYTES)
    except OSError as error:
        # ENOBUFS: more changes than the socket could buffer, which is a change as well.
        if error.errno != errno.ENOBUFS:
            raise NetworkUnknown(f"cannot watch the network: {error.strerror}") from error
    changes.setblocking(False)
    try:
        while changes.recv(_RECEIVE_BYTES):
            pass
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise NetworkUnknown(f"cannot watch the network: {error.strerror}") from error
    finally:
        changes.setblocking(True)


def _ask(question: Callable[[Any], _T]) -> _T:
    answer: _T | NetworkUnknown = gevent.get_hub().threadpool.apply(_answer, (question,))
    if isinstance(answer, NetworkUnknown):
        raise answer
    return answer


def _answer(question: Callable[[Any], _T]) -> _T | NetworkUnknown:
    """Answer in a native thread; an error is returned, because gevent prints a raised one."""
    # Imported here because it takes a tenth of a second, which most commands need not spend.
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as kernel:
            return question(kernel)
    except (NetlinkError, OSError) as error:
        return NetworkUnknown(f"cannot read the network from the kernel: {error}")


def _read(kernel: Any) -> HostNetwork:
    names = {link["index"]: link.get("ifname") for link in kernel.get_links()}
    up = {link["index"] for link in kernel.get_links() if _has(link["flags"], _IFF_UP_AND_LOWER_UP)}
    sources = {family: _route(kernel, probe) for family, probe in _PROBES.items()}
    v4, v6 = sources[socket.AF_INET], sources[socket.AF_INET6]
    return HostNetwork(
        addresses=frozenset(_usable_addresses(kernel, up)),
        default_routes=frozenset(_format_route(route, names) for route in kernel.get_default_routes()),
        source_v4=v4.source if v4 else None,
        source_v6=v6.source if v6 else None,
    )


def _has(flags: int, wanted: int) -> bool:
    return flags & wanted == wanted


def _usable_addresses(kernel: Any, up: set[int]) -> Iterator[str]:
    for address in kernel.get_addr():
        flags = address.get("flags") or 0
        if address["index"] in up and not flags & _IFA_F_DADFAILED_OR_TENTATIVE:
            # On a point-to-point link IFA_ADDRESS is the far side; IFA_LOCAL is this host, but exists for IPv4 only.
            yield address.get("local") or address.get("address")


def _format_route(route: Any, names: dict[int, str]) -> str:
    family = "inet6" if route["family"] == socket.AF_INET6 else "inet"
    hop = f" via {route.get('gateway')}" if route.get("gateway") else ""
    return f"{family}{hop} dev {names.get(route.get('oif'), '?')}"


def _route(kernel: Any, address: str) -> Route | None:
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        found = next(iter(kernel.route("get", dst=address)))
    except NetlinkError as error:
        if error.code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL):
            return None
        raise
    if found["type"] not in (_RTN_UNICAST, _RTN_LOCAL) or not found.get("prefsrc"):
        return None
    interface = next(iter(kernel.get_links(found.get("oif"))))
    return Route(found.get("prefsrc"), interface.get("ifname"), found.get("gateway"))
