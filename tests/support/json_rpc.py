"""Queries Kamailio over its JSON-RPC socket. I/O: a UNIX datagram socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any


def json_rpc(path: Path, method: str, *params: Any, timeout_s: float = 10.0) -> Any:
    """The result of a call.

    Raises:
        LookupError: it was refused, with the reason.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout_s)
        client.bind("")  # an abstract name: there is nothing to remove afterwards
        client.connect(str(path))
        client.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode())
        answer = json.loads(client.recv(65_536))
    if "error" in answer:
        raise LookupError(answer["error"])
    return answer["result"]
