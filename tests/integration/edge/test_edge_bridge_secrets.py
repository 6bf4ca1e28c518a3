"""`sipbridge run` with the edge on a real FreeSWITCH: every type of secret, and many of them."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import jabiru
import pytest
from edge_installation import (
    CHALLENGED,
    PATIENCE_S,
    REALM,
    Installation,
    edge_settings,
    edge_state,
    providers_file,
    uri_of,
)

from support.bridge import Bridge
from support.digest import DigestProvider, md5, sha256
from support.edge import PROGRAM, Edge
from support.freeswitch import FreeSwitch
from support.processes import wait_until
from support.sip_peer import SipPeer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no kamailio on the PATH")


@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256",), ("SHA-256", "MD5")], ids="+".join)
def test_every_secret_that_the_far_side_can_check(
    bridged_freeswitch: FreeSwitch, edge: Edge, tmp_path: Path, algorithms: tuple[str, ...]
) -> None:
    passwords = {user: f"pass:word of {user}" for user in ("md5", "ha1-auth", "sha256", "clrtxt", "plain-auth")}
    passwords["plain-auth"] = "nothing about it"
    accounts = [
        _account("md5", "md5", md5("md5", REALM, passwords["md5"]).upper()),
        _account("ha1", "ha1", md5("ha1-auth", REALM, passwords["ha1-auth"]), userid="ha1-auth"),
        _account("sha256", "sha256", sha256("sha256", REALM, passwords["sha256"])),
        _account("clrtxt", "clrtxt", passwords["clrtxt"]),
        _account("plain", "clrtxt", passwords["plain-auth"], userid="plain-auth"),
    ]
    can = {"md5": "MD5", "ha1": "MD5", "sha256": "SHA-256", "plain": "MD5"}
    provider = DigestProvider(REALM, passwords, challenges=CHALLENGED, algorithms=algorithms)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        providers = providers_file(proxy)
        pool = providers["accountPools"]["JabiruAccountPool"]
        pool |= {"outboundProxy": f"<sip:{far.hostport}>", "loader": accounts}
        bridge = Bridge(tmp_path, bridged_freeswitch, providers, more_settings=edge_settings(edge))
        try:
            installation = Installation(bridged_freeswitch, edge, bridge, far, provider, proxy)
            for account in accounts:
                user = str(account["uri"]).removeprefix("sip:").partition("@")[0]
                if can.get(user, algorithms[0]) in algorithms:
                    bridge.wait_for_status(uri_of(user), "OK", PATIENCE_S)
                    invite, final = installation.call_out(user)
                    assert (user, final.status) == (user, 200)
                    installation.hang_up(invite, final)
                else:
                    bridge.wait_for_status(uri_of(user), "Registration failed: ", PATIENCE_S)
            # What FreeSWITCH can do alone stays off the edge.
            if "MD5" in algorithms:
                assert f"@{bridged_freeswitch.providers}" in provider.bindings[uri_of("plain")]
        finally:
            status = bridge.terminate()
        assert status == 0
        assert provider.bindings == {}


def _account(user: str, secret_type: str, secret: str, **more: str) -> dict[str, str]:
    alias = f"sip:{user}@{jabiru.PROXY_DOMAIN}"
    return {"uri": uri_of(user), "secretType": secret_type, "secret": secret, "alias": alias} | more


def test_a_reload_moves_accounts_to_the_edge_and_back(
    bridged_freeswitch: FreeSwitch, edge: Edge, tmp_path: Path
) -> None:
    """With another medium for one provider, all accounts of its pool have another path."""
    provider = DigestProvider(REALM, {"alice": "s3cret"}, challenges=CHALLENGED)
    with SipPeer(provider.rule) as far, SipPeer() as proxy:
        direct = providers_file(proxy)
        direct["accountPools"]["JabiruAccountPool"] |= {
            "outboundProxy": f"<sip:{far.hostport}>",
            "loader": [_account("alice", "clrtxt", "s3cret")],
        }
        through_edge = copy.deepcopy(direct)
        through_edge["providers"][0]["outgoingInvite"]["enableAvpf"] = True
        bridge = Bridge(tmp_path, bridged_freeswitch, direct, more_settings=edge_settings(edge))
        try:
            bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
            installation = Installation(bridged_freeswitch, edge, bridge, far, provider, proxy)
            for providers, at in (
                (through_edge, edge.outside),
                (direct, bridged_freeswitch.providers),
                (through_edge, edge.outside),
                (direct, bridged_freeswitch.providers),
            ):
                bridge.write_providers(providers)
                assert bridge.command("reload").returncode == 0
                wait_until(
                    f"alice is registered at {at}",
                    lambda at=at: f"@{at}" in provider.bindings.get(uri_of("alice"), ""),
                    timeout_s=PATIENCE_S,
                )
                bridge.wait_for_status(uri_of("alice"), "OK", PATIENCE_S)
            invite, final = installation.call_out("alice")
            assert final.status == 200
            installation.hang_up(invite, final)
        finally:
            assert bridge.terminate() == 0
        assert provider.bindings == {}


def test_twenty_thousand_hashes_are_back_soon_after_the_edge_is(
    bridged_freeswitch: FreeSwitch, edge: Edge, tmp_path: Path
) -> None:
    """They need not register here: what counts is when the edge knows them again."""
    count = 20_000
    with SipPeer() as far, SipPeer() as proxy:
        providers = providers_file(proxy)
        providers["accountPools"]["JabiruAccountPool"] |= {
            "outboundProxy": f"<sip:{far.hostport}>",
            "registrationRequired": False,
            "loader": [
                {"uri": uri_of(f"user{number}"), "secret": hashlib.md5(b"%d" % number).hexdigest()}
                for number in range(count)
            ],
        }
        bridge = Bridge(tmp_path, bridged_freeswitch, providers, more_settings=edge_settings(edge))
        try:
            wait_until("all are known", lambda: edge_state(bridge)["known"] == count, timeout_s=PATIENCE_S)
            edge.kill()
            wait_until("the loss is told", lambda: edge_state(bridge)["problem"], timeout_s=PATIENCE_S)
            edge.start()
            wait_until("all are known again", lambda: edge_state(bridge)["known"] == count, timeout_s=PATIENCE_S)
            (table,) = [one for one in edge.rpc("htable.stats") if one["name"] == "account"]
            assert table["all"] == count + 1
        finally:
            assert bridge.terminate() == 0
