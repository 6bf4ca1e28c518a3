"""Many calls, sipp to sipp, through the bridge and a Kamailio that registers and challenges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jabiru
import pytest

from support import kamailio, sipp
from support.bridge import Bridge
from support.freeswitch import FreeSwitch
from support.kamailio import Kamailio
from support.sipp import Sipp

pytestmark = [
    pytest.mark.skipif(kamailio.PROGRAM is None, reason="no kamailio on the PATH"),
    pytest.mark.skipif(sipp.PROGRAM is None, reason="no sipp on the PATH"),
]

CALLS = 20
RATE = 10
PASSWORD = "s3cret"
SCENARIOS = Path(__file__).parents[1] / "scenarios"


@dataclass(frozen=True, slots=True)
class Domains:
    """The bridge between two domains of which sipp is all the phones."""

    freeswitch: FreeSwitch
    bridge: Bridge
    registrar: Kamailio
    transport: str
    directory: Path

    def call(self, called: str, request_uri: str, from_: str, to: str) -> None:
        """Make calls, and wait until all of them have gone well."""
        keys = {"request_uri": request_uri, "from": from_, "to": to}
        caller = Sipp(
            SCENARIOS / "caller.xml",
            self.directory,
            transport=self.transport,
            remote=called,
            calls=CALLS,
            rate=RATE,
            keys=keys,
        )
        try:
            caller.wait()
        finally:
            caller.kill()


@pytest.fixture(scope="module", params=["udp", "tcp"])
def domains(
    request: pytest.FixtureRequest, bridged_freeswitch: FreeSwitch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Domains]:
    transport = request.param
    directory = tmp_path_factory.mktemp("domains")
    phone = Sipp(SCENARIOS / "callee.xml", directory, transport=transport)
    registrar = Kamailio(directory, f"{phone.hostport};transport={transport}", PASSWORD)
    file = jabiru.providers_file(registrar.hostport, phone.hostport, transport)
    file["accountPools"]["JabiruAccountPool"]["loader"][0]["secret"] = PASSWORD
    bridge = Bridge(directory / "bridge", bridged_freeswitch, file)
    try:
        bridge.wait_for_status(jabiru.ALICE, "OK")
        yield Domains(bridged_freeswitch, bridge, registrar, transport, directory)
        assert bridge.terminate() == 0
    finally:
        for running in (bridge, registrar, phone):
            running.kill()


def test_calls_to_the_far_side(domains: Domains) -> None:
    our_bob = f"sip:bob@{jabiru.PROXY_DOMAIN}"
    domains.call(domains.freeswitch.inside, our_bob, f"sip:alice@{jabiru.PROXY_DOMAIN}", our_bob)
    domains.bridge.wait_for_free_slots(jabiru.ALICE, 20)


def test_calls_from_the_far_side(domains: Domains) -> None:
    domains.call(domains.registrar.hostport, jabiru.ALICE, f"sip:bob@{jabiru.DOMAIN}", jabiru.ALICE)
    domains.bridge.wait_for_free_slots(jabiru.ALICE, 20)


def test_account_with_a_wrong_password_cannot_register(domains: Domains) -> None:
    domains.bridge.wait_for_status(jabiru.CAROL, "Registration failed")
