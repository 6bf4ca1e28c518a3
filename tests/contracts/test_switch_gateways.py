"""Gateways through the `Switch` port, and what remains of them after a restart."""

from __future__ import annotations

import pytest
from contract_world import RIGHT_PASSWORD, World, eventually
from listener import Listener

from sipbridge.adapters.event_socket.connection import EventSocketConnection
from sipbridge.adapters.event_socket.freeswitch import FreeSwitch
from sipbridge.core.accounts.account import Account, SecretType, account_id
from sipbridge.core.calls.events import GatewayAdded, GatewayDeleted, GatewayStateChanged, ProfileStarted
from sipbridge.core.gateways.gateway import Gateway, GatewayName, gateway_for
from sipbridge.core.gateways.registration import Registration, RegistrationStatus, next_registration
from sipbridge.core.providers.provider import PoolPolicy
from sipbridge.core.sip.uri import parse_sip_uri
from sipbridge.ports import CommandRefused, SwitchLost


def alice(world: World, switch: FreeSwitch, *, registers: bool, password: str = RIGHT_PASSWORD) -> Gateway:
    """The gateway of alice at the far side."""
    policy = PoolPolicy("pool", parse_sip_uri(f"sip:{world.far_side};transport=tcp"), registers, 10)
    uri = parse_sip_uri("sip:alice@far.example.org")
    account = Account(uri, secret=password, secret_type=SecretType.CLEAR_TEXT)
    return gateway_for(account_id("pool", uri), account, policy, switch.gateway_salt(), 3600)


def remove(switch: FreeSwitch, listener: Listener, name: GatewayName) -> None:
    """Remove a gateway, and wait until it is gone."""
    switch.remove_gateway(name)
    listener.wait_for(GatewayDeleted, lambda deleted: deleted.name == name)
    eventually("gone", lambda: name not in set().union(*switch.gateways()))


def registration(listener: Listener, name: str) -> Registration:
    """What the events so far make of a gateway's registration."""
    current = Registration()
    for changed in listener.of(GatewayStateChanged):
        if changed.name == name:
            current = next_registration(current, changed.state, changed.sip_status, changed.phrase)
    return current


def test_gateway_that_need_not_register_is_up_at_once(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=False)

    switch.add_gateways([gateway])

    assert gateway.name in switch.gateways()[0]
    listener.wait_for(GatewayAdded, lambda added: added.name == gateway.name)
    remove(switch, listener, gateway.name)


def test_gateway_registers_and_unregisters(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=True)

    switch.add_gateways([gateway])

    assert gateway.name in switch.gateways()[1]
    eventually("registered", lambda: registration(listener, gateway.name).status is RegistrationStatus.REGISTERED, 15)
    assert gateway.name in switch.gateways()[0]
    remove(switch, listener, gateway.name)


def test_registered_gateway_registers_again_and_can_be_called_meanwhile(
    world: World, switch: FreeSwitch, listener: Listener
) -> None:
    gateway = alice(world, switch, registers=True)
    switch.add_gateways([gateway])

    def registered_times() -> int:
        return sum(one.name == gateway.name and one.state == "REGED" for one in listener.of(GatewayStateChanged))

    eventually("registered", lambda: registered_times() == 1, 15)
    switch.register_gateway(gateway.name)
    assert gateway.name in switch.gateways()[0]
    eventually("registered again", lambda: registered_times() == 2, 15)
    assert registration(listener, gateway.name).status is RegistrationStatus.REGISTERED
    remove(switch, listener, gateway.name)


def test_wrong_password_fails_with_its_reason(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=True, password="wrong")

    switch.add_gateways([gateway])

    eventually("failed", lambda: registration(listener, gateway.name).status is RegistrationStatus.FAILED, 15)
    assert registration(listener, gateway.name) == Registration(RegistrationStatus.FAILED, "403 Forbidden")
    assert gateway.name in switch.gateways()[1]
    remove(switch, listener, gateway.name)


def test_adding_what_is_there_changes_nothing(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=False)
    switch.add_gateways([gateway])
    listener.wait_for(GatewayAdded)

    switch.add_gateways([gateway])

    assert [added.name for added in listener.of(GatewayAdded)] == [gateway.name]
    assert gateway.name in switch.gateways()[0]
    remove(switch, listener, gateway.name)


def test_secrets_leave_the_spool_with_the_rescan(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=False, password='a "quoted" <secret> & more')

    switch.add_gateways([gateway])

    assert world.spool_file.read_text() == "<include>\n</include>\n"
    assert gateway.name in switch.gateways()[0]
    remove(switch, listener, gateway.name)


def test_wrong_event_socket_password_is_refused(world: World) -> None:
    connection = EventSocketConnection("127.0.0.1", world.link.port, "wrong")

    with pytest.raises(SwitchLost, match="rejected the Event Socket password"):
        connection.connect()


def test_restarted_switch_has_lost_gateways_and_key(world: World, switch: FreeSwitch, listener: Listener) -> None:
    gateway = alice(world, switch, registers=False)
    switch.add_gateways([gateway])
    salt = switch.gateway_salt()
    assert switch.gateway_salt() == salt
    switch.keep_lost_gateways(12_345)
    assert switch.lost_gateways() == 12_345

    world.restart_switch()

    eventually("connected again", lambda: listener.ups == 2, 30)
    assert len(listener.downs) == 1
    assert switch.gateway_salt() != salt
    assert switch.lost_gateways() == 0
    eventually("the profile runs", lambda: _runs(switch), 30)
    assert gateway.name not in set().union(*switch.gateways())


def test_restarted_profile_says_so_and_takes_gateways_again(
    world: World, switch: FreeSwitch, listener: Listener
) -> None:
    gateway = alice(world, switch, registers=False)
    switch.add_gateways([gateway])
    listener.wait_for(GatewayAdded)

    world.restart_provider_profile()

    listener.wait_for(GatewayDeleted, lambda deleted: deleted.name == gateway.name, 30)
    listener.wait_for(ProfileStarted, lambda started: started.name == "providers", 60)
    eventually("the profile runs", lambda: _runs(switch), 30)
    assert gateway.name not in set().union(*switch.gateways())
    switch.add_gateways([gateway])
    assert gateway.name in switch.gateways()[0]
    remove(switch, listener, gateway.name)


def _runs(switch: FreeSwitch) -> bool:
    """Whether the provider profile runs, which gateways can only be asked of then."""
    try:
        switch.gateways()
    except CommandRefused:
        return False
    return True
