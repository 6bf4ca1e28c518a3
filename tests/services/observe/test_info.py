"""SIP_BRIDGE INFO follows the specification."""

from __future__ import annotations

from services_examples import Services, outbound, policy, pool

from sipbridge.services.observe.info import bridge_info


def test_every_provider_shows_the_accounts_of_its_pool() -> None:
    services = Services(
        pool("alice", "bob", with_=policy("First", max_calls_per_line=3)),
        pool("carol", with_=policy("Second", registration_required=False)),
        providers=(outbound("First"), outbound("Second"), outbound("First")),
    )
    services.connect()
    assert bridge_info(services.table)["providers"][0]["accounts"][0] == {
        "address": "sip:alice@provider.example.net",
        "status": "Should register",
    }
    services.settle()
    services.register("alice")
    services.state(services.gateway("bob"), "FAILED", "403", "Forbidden")
    services.park("call-1")
    first = {
        "accounts": [
            {
                "address": "sip:alice@provider.example.net",
                "freeSlots": 2,
                "registerEnabled": True,
                "status": "OK",
            },
            {"address": "sip:bob@provider.example.net", "status": "Registration failed: 403 Forbidden"},
        ],
        "name": "through First",
    }
    second = {
        "accounts": [
            {
                "address": "sip:carol@provider.example.net",
                "freeSlots": 2,
                "registerEnabled": False,
                "status": "OK",
            }
        ],
        "name": "through Second",
    }
    assert bridge_info(services.table) == {"providers": [first, second, first]}


def test_a_line_that_is_full_is_still_ok() -> None:
    services = Services(pool("alice", with_=policy(max_calls_per_line=1)))
    services.connect_and_register()
    services.park("call-1")
    assert bridge_info(services.table)["providers"][0]["accounts"][0]["freeSlots"] == 0
    assert bridge_info(services.table)["providers"][0]["accounts"][0]["status"] == "OK"


def test_a_registration_under_way_is_told() -> None:
    services = Services(pool("alice"))
    services.connect()
    services.step()
    assert bridge_info(services.table)["providers"][0]["accounts"] == [
        {"address": "sip:alice@provider.example.net", "status": "Registration in progress"}
    ]
