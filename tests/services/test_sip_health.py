"""A profile that answers SIP too late is a problem, until it answers again."""

from __future__ import annotations

from collections import deque

import pytest
from memory_switch import FakeClock

from sipbridge.core.network import HostNetwork
from sipbridge.ports import SwitchLost
from sipbridge.services.sip_health import INTERVAL_S, LIMIT_S, SipHealth


class Profiles:
    """Where profiles are; `lost` has the Event Socket lose the question."""

    def __init__(self) -> None:
        self.ports: dict[str, tuple[str, int] | None] = {
            "inside": ("192.0.2.1", 5060),
            "providers": ("192.0.2.1", 5080),
        }
        self.lost = False

    def udp_port(self, profile: str) -> tuple[str, int] | None:
        if self.lost:
            raise SwitchLost("lost")
        return self.ports[profile]

    def address(self, profile: str) -> str | None:
        raise AssertionError

    def configured_address(self, profile: str) -> str | None:
        raise AssertionError

    def follow_host(self, network: HostNetwork, family_of: str) -> None:
        raise AssertionError

    def restart(self, profile: str) -> None:
        raise AssertionError


class World:
    def __init__(self) -> None:
        self.clock, self.profiles = FakeClock(), Profiles()
        self.asked: list[tuple[str, int, float]] = []
        self.answers: deque[float | None] = deque()
        self.is_connected = True
        self.health = SipHealth(
            self.profiles, ("inside", "providers"), self.answer, self.clock, lambda: self.is_connected
        )

    def answer(self, ip: str, port: int, timeout_s: float) -> float | None:
        self.asked.append((ip, port, timeout_s))
        return self.answers.popleft() if self.answers else 0.001

    def step(self, *answers: float | None) -> None:
        self.answers.extend(answers)
        self.clock.advance(INTERVAL_S)
        self.health.step()


@pytest.fixture
def world() -> World:
    return World()


def test_both_profiles_are_asked_at_their_interval(world: World) -> None:
    world.step()
    world.health.step()
    assert world.asked == [("192.0.2.1", 5060, LIMIT_S), ("192.0.2.1", 5080, LIMIT_S)]
    assert world.health.problem == ""
    assert dict(world.health.answers_s) == {"inside": 0.001, "providers": 0.001}


def test_one_that_does_not_answer_in_time_is_named_until_it_does(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        world.step(0.001, None)
    assert world.health.problem == "no answer to OPTIONS within 2 s on: providers"
    assert caplog.text.count("does not answer") == 1
    world.step(0.001, 0.5)
    assert world.health.problem == ""
    assert caplog.text.count("answers OPTIONS again") == 1


def test_nothing_is_known_without_a_connection(world: World) -> None:
    world.step(None, None)
    world.is_connected = False
    world.step()
    assert world.health.problem == ""
    assert len(world.asked) == 2


def test_a_profile_that_does_not_run_is_not_asked(world: World) -> None:
    world.profiles.ports["inside"] = None
    world.step()
    assert [port for _, port, _ in world.asked] == [5080]


def test_a_question_that_is_lost_changes_nothing(world: World) -> None:
    world.profiles.lost = True
    world.step()
    assert world.health.problem == ""
