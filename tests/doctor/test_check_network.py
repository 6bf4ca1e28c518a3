"""The doctor finds what prevents requests or responses between this host and proxies."""

from __future__ import annotations

import dataclasses

import pytest
from doctor_examples import NETWORK, OURS, hop, profile, told

from sipbridge.core.network import HostNetwork, Route
from sipbridge.doctor.check_network import check_hops
from sipbridge.doctor.facts import Exit, HopFacts, ProfileFacts
from sipbridge.doctor.finding import Verdict

WARN, FAIL, SKIP = Verdict.WARN, Verdict.FAIL, Verdict.SKIP
PROVIDERS, INSIDE = profile("providers"), profile("inside")
V6 = "2001:db8::7"
LOCAL = dataclasses.replace(PROVIDERS, bound="127.5.5.5")
SECOND = dataclasses.replace(NETWORK, addresses=NETWORK.addresses | {"203.0.113.5"})


def check(
    one: HopFacts, *profiles: ProfileFacts, network: HostNetwork | None = NETWORK
) -> tuple[list[tuple[str, Verdict]], str]:
    findings = list(check_hops([one], 0, profiles or (PROVIDERS, INSIDE), "providers", network))
    return told(findings), f"{findings[0].text} {findings[0].advice}"


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(hop(), id="through a gateway"),
        pytest.param(hop("sip:198.51.100.7;transport=tcp"), id="over TCP"),
        pytest.param(hop(addresses=(V6, "198.51.100.7")), id="one address of each IP version"),
    ],
)
def test_a_proxy_that_can_be_reached(good: HopFacts) -> None:
    assert check(good)[0] == []


def test_a_proxy_on_loopback_and_a_profile_on_loopback() -> None:
    local = hop(addresses=("127.0.0.9",), routes={"127.0.0.9": Route("127.0.0.1", "lo")})
    assert check(local, LOCAL)[0] == []


@pytest.mark.parametrize(
    ("bad", "profiles", "network", "verdict", "said"),
    [
        pytest.param(
            hop(problem="x has no address", addresses=()), (), NETWORK, FAIL, "x has no address", id="no name"
        ),
        pytest.param(hop(routes={}), (), NETWORK, FAIL, "there is no route", id="no route"),
        pytest.param(hop("sips:proxy.example.net"), (), NETWORK, FAIL, "sipbridge_providers_tls", id="no TLS"),
        pytest.param(hop(addresses=(V6,)), (), NETWORK, FAIL, "IP versions differ", id="IPv6 only"),
        pytest.param(hop(), (LOCAL,), NETWORK, FAIL, f"sipbridge_providers_ip in freeswitch/local/ to {OURS}", id="lo"),
        pytest.param(
            hop(),
            (dataclasses.replace(PROVIDERS, bound="203.0.113.5"),),
            SECOND,
            WARN,
            f"from {OURS}, but sofia profile providers is bound to 203.0.113.5",
            id="another way out",
        ),
        pytest.param(
            hop(), (), HostNetwork(), SKIP, "not bound to an address of this host", id="an address that is not ours"
        ),
        pytest.param(hop(), (profile("providers", bound=None),), NETWORK, SKIP, "unknown", id="no profile"),
    ],
)
def test_a_proxy_that_cannot_be_reached(
    bad: HopFacts, profiles: tuple[ProfileFacts, ...], network: HostNetwork, verdict: Verdict, said: str
) -> None:
    findings, text = check(bad, *profiles, network=network)
    assert findings == [(f"proxy.{bad.uri.text}", verdict)]
    assert said in text


def test_a_call_to_a_proxy_may_leave_from_either_profile() -> None:
    inside = dataclasses.replace(INSIDE, bound=OURS)
    assert check(hop(exit=Exit.EITHER_PROFILE), LOCAL, inside)[0] == []
    assert check(hop(exit=Exit.GATEWAYS), LOCAL, inside)[0] != []


def test_what_goes_through_the_edge_is_not_the_profiles_way() -> None:
    behind = hop("sips:proxy.example.net", exit=Exit.EDGE)
    assert check(behind, LOCAL)[0] == []
    assert check(dataclasses.replace(behind, routes={}), LOCAL)[0] == [(f"proxy.{behind.uri.text}.edge", FAIL)]
    assert check(dataclasses.replace(behind, problem="no address", addresses=()), LOCAL)[0] != []


def test_those_that_were_left_out_are_counted() -> None:
    findings = list(check_hops([hop()], 7, (PROVIDERS,), "providers", NETWORK))
    assert told(findings) == [("proxy", SKIP)]
    assert "7 more" in findings[1].text


@pytest.mark.parametrize(
    ("proxy", "external", "warns"),
    [
        pytest.param("8.8.8.8", "10.0.0.5", True, id="a private address for a public proxy"),
        pytest.param("8.8.8.8", "9.9.9.9", False, id="a public one"),
        pytest.param("8.8.8.8", "stun:stun.example.org", False, id="what FreeSWITCH finds"),
        pytest.param("10.1.1.1", "10.0.0.5", False, id="a private proxy"),
    ],
)
def test_nat(proxy: str, external: str, warns: bool) -> None:
    inside_out = profile("providers", bound="10.0.0.5", parameters={"ext-sip-ip": external, "tls": "false"})
    network = HostNetwork(frozenset({"10.0.0.5"}))
    one = hop(addresses=(proxy,), routes={proxy: Route("10.0.0.5", "eth0")})
    assert check(one, inside_out, network=network)[0] == ([("nat.providers", WARN)] if warns else [])
