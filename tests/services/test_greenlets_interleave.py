"""The daemon's greenlets, a slow switch and a broken link, in any order: the final state is correct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import gevent
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_switch import MemorySwitch
from services_examples import Services, parked, policy, pool

from sipbridge.core.calls.events import CallEnded, GatewayAdded, GatewayStateChanged, ProfileStarted, SwitchEvent
from sipbridge.core.gateways.gateway import Gateway
from sipbridge.core.gateways.registration import RegistrationStatus
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import CommandRefused, NotSent, SwitchLost, Unconfirmed

USERS = ("alice", "bob", "carol", "dave")
LIMIT = 2


class SlowSwitch(MemorySwitch):
    """Takes some turns to answer, and answers nobody whose link has broken meanwhile."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.link: int | None = None
        self.links = 0
        self.bridged_with: dict[str, str] = {}

    def connect(self) -> None:
        self.links += 1
        self.link = self.links

    def lose(self) -> None:
        """What happens from now on is told to nobody."""
        self.link = None
        self.events.clear()

    def take_turns(self, most: int = 4) -> None:
        for _ in range(self.random.randrange(most)):
            gevent.sleep(0)

    def happens(self, event: SwitchEvent) -> None:
        if self.link is not None:
            self.events.append(event)

    def _wait(self, name: str) -> None:
        asked_on = self.link
        if asked_on is None:
            raise NotSent(name)
        super()._wait(name)
        self.take_turns()
        if self.link != asked_on:
            raise Unconfirmed(name)

    def add_gateways(self, gateways: Sequence[Gateway]) -> None:
        """It may be carried out before the link breaks, or after, or not at all."""
        if self.random.random() < 0.1:
            raise CommandRefused("rescan", "Invalid Profile [providers]")
        if self.random.random() < 0.5:
            self._wait("add_gateways")
            self._take(gateways)
        else:
            self._take(gateways)
            self._wait("add_gateways")

    def _take(self, gateways: Sequence[Gateway]) -> None:
        self.added.extend(gateways)
        for gateway in gateways:
            if gateway.name not in self.up | self.down:
                self.down.add(gateway.name)
                self.happens(GatewayAdded(gateway.name))


class World:
    """Everything that runs: the link, the steps, the reader of events, and what callers and registrars do."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.switch = SlowSwitch(self.random)
        self.services = Services(pool(*USERS, with_=policy(max_calls_per_line=LIMIT)), switch=self.switch)
        self.stays_up = False
        self.calls = 0
        self.done = 0

    def keep_link(self) -> None:
        """As `Link` does: a pause, in which those who waited have been told, lies between two links."""
        while True:
            self.switch.connect()
            try:
                self.services.session.on_switch_up()
                while self.switch.link is not None and (self.stays_up or self.random.random() > 0.01):
                    gevent.sleep(0)
            except SwitchLost:
                pass
            self.switch.lose()
            self.services.session.on_switch_down("a test")
            for _ in range(20):
                gevent.sleep(0)

    def break_link(self) -> None:
        """The link also breaks while somebody waits for an answer."""
        while True:
            gevent.sleep(0)
            self.switch.take_turns(300)
            if not self.stays_up:
                self.switch.lose()

    def step(self) -> None:
        while True:
            self.services.clock.advance(0.25)
            self.services.session.step()
            self.services.keeper.step()
            gevent.sleep(0)

    def read_events(self) -> None:
        while True:
            self.switch.take_turns()
            if self.switch.events:
                self.services.session.on_switch_event(self.switch.events.popleft())
            self.carry_out()
            gevent.sleep(0)

    def carry_out(self) -> None:
        for bridged in self.switch.bridged[self.done :]:
            self.done += 1
            if bridged.channel in self.switch.alive:
                self.switch.bridged_with[bridged.channel] = bridged.account_id
            else:
                bridged.on_done(CommandRefused("sendmsg", "-ERR invalid session id"))

    def live(self) -> None:
        """One thing that happens in the world."""
        match self.random.randrange(12):
            case 0 | 1 | 2:
                self.call()
            case 3 | 4:
                self.hang_up()
            case 5 | 6 | 7:
                self.change(self.switch.down, self.switch.up, "REGED")
            case 8:
                self.change(self.switch.up, self.switch.down, "FAILED")
            case 9:
                self.switch.delete_marked()
                if self.switch.link is None:
                    self.switch.events.clear()
            case 10:
                self.switch.table = {channel: self.switch.bridged_with.get(channel) for channel in self.switch.alive}  # type: ignore[misc]
            case _ if self.random.random() < 0.1:
                self.switch.up.clear()
                self.switch.down.clear()
                self.switch.happens(ProfileStarted("providers"))

    def call(self) -> None:
        self.calls += 1
        channel = f"call-{self.calls}"
        self.switch.alive.add(ChannelUuid(channel))
        self.switch.happens(parked(channel, self.random.choice(USERS)))

    def hang_up(self) -> None:
        if self.switch.alive:
            channel = self.random.choice(sorted(self.switch.alive))
            self.switch.alive.discard(channel)
            self.switch.bridged_with.pop(channel, None)
            self.switch.happens(CallEnded(channel, "NORMAL_CLEARING", answered=True))

    def change(self, from_: set[str], to: set[str], state: str) -> None:
        if from_:
            name = self.random.choice(sorted(from_))
            from_.discard(name)
            to.add(name)
            self.switch.happens(GatewayStateChanged(name, state, "", ""))

    def is_right(self) -> bool:
        """Whether the services and the switch agree, and every account is registered."""
        services, switch = self.services, self.switch
        lines = [services.line(user) for user in USERS]
        held = Counter(switch.bridged_with.values())
        names = {services.keeper.gateway_of(line) for line in lines}
        return (
            services.session.is_ready
            and not switch.events
            and names == switch.up
            and not switch.down
            and services.keeper.pending_removals == 0
            and all(line.registration.status is RegistrationStatus.REGISTERED for line in lines)
            and [line.calls for line in lines] == [held[line.id] for line in lines]
        )

    def settle(self) -> None:
        """A last link, made while things still happen; then nothing happens but what is under way."""
        self.stays_up = True
        self.switch.lose()
        for _ in range(30):
            self.live()
            self.switch.take_turns(3)
        for _ in range(2_000):
            self.change(self.switch.down, self.switch.up, "REGED")
            self.switch.delete_marked()
            if self.is_right():
                break
            gevent.sleep(0)
            self.switch.take_turns()
        assert self.is_right()
        self.stays_up = False


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_all_comes_right_in_the_end(seed: int) -> None:
    world = World(seed)
    greenlets = [gevent.spawn(each) for each in (world.keep_link, world.break_link, world.step, world.read_events)]
    try:
        for _ in range(10):
            for _ in range(100):
                world.live()
                world.switch.take_turns(3)
                assert all(count <= LIMIT for count in Counter(world.switch.bridged_with.values()).values())
            world.settle()
        assert not any(greenlet.exception for greenlet in greenlets)
    finally:
        gevent.killall(greenlets)
