"""Examples for tests of the Event Socket: a connection, a link and a gateway."""

from __future__ import annotations

from typing import Any

from scripted_server import PASSWORD

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.link import LinkSettings
from sipbridge.core.accounts.account import AccountId
from sipbridge.core.gateways.gateway import Gateway, GatewayName
from sipbridge.core.sip.uri import parse_sip_uri

ALICE = Gateway(
    name=GatewayName("sipbridge.alice.0123456789abcdef0123"),
    account_id=AccountId("0123456789abcdef"),
    pool="Pool",
    username="alice",
    domain="provider.example.net",
    auth_username="alice-auth",
    password="pass word",
    outbound_proxy=parse_sip_uri("sip:proxy.example.net;transport=tcp"),
    registrar=parse_sip_uri("sip:registrar.example.net:5070;transport=tcp"),
    register=True,
    expires_s=600,
)


def new_connection(port: int, **settings: Any) -> EventSocketConnection:
    return EventSocketConnection("127.0.0.1", port, settings.pop("password", PASSWORD), **settings)


def settings(port: int, **differing: Any) -> LinkSettings:
    usual: dict[str, Any] = {
        "connect_timeout_s": 1.0,
        "command_timeout_s": 1.0,
        "silence_timeout_s": 30.0,
        "backoff_min_s": 0.02,
        "backoff_max_s": 0.16,
    }
    return LinkSettings("127.0.0.1", port, PASSWORD, **(usual | differing))
