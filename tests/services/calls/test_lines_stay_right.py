"""No line exceeds its limit and none leaks, whatever happens to calls, connections, the controller and the switch."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from memory_switch import MemorySwitch
from services_examples import Services, policy, pool

from sipbridge.core.calls.events import ProfileStarted
from sipbridge.core.sip.call import ChannelUuid
from sipbridge.ports import CommandRefused, SwitchLost, Unconfirmed

LIMIT = 2
USERS = ("alice", "bob")
_users = st.sampled_from(USERS)


class LinesStayRight(RuleBasedStateMachine):
    """The switch is the truth: which calls exist, and which account each was bridged with."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.switch = MemorySwitch()
        self.bridged_with: dict[str, str] = {}
        self.started = 0
        self.start_controller()
        self.connection_stands("", "", "alice", "", table_is_current=True)

    def start_controller(self) -> None:
        self.services = Services(pool(*USERS, with_=policy(max_calls_per_line=LIMIT)), switch=self.switch)
        self.done = len(self.switch.bridged)
        self.connected = False
        self.connecting = False

    # Calls

    def park(self, user: str) -> str:
        """A call arrives; it is heard of only while there is a connection for events."""
        self.started += 1
        channel = f"call-{self.started}"
        self.switch.alive.add(ChannelUuid(channel))
        if self.connected or self.connecting:
            self.services.park(channel, user)
        self.carry_out()
        return channel

    def end(self, channel: str) -> None:
        was_there = channel in self.switch.alive
        self.switch.alive.discard(ChannelUuid(channel))
        self.bridged_with.pop(channel, None)
        if was_there and (self.connected or self.connecting):
            self.services.end(channel)

    def carry_out(self) -> None:
        """The switch does what it was told: it bridges calls that exist, and refuses others."""
        for bridged in self.switch.bridged[self.done :]:
            self.done += 1
            if bridged.channel in self.switch.alive:
                self.bridged_with[bridged.channel] = bridged.account_id
                bridged.on_done(None)
            else:
                bridged.on_done(CommandRefused("sendmsg", "-ERR invalid session id"))

    @rule(target=calls, user=_users)
    def a_call_arrives(self, user: str) -> str:
        return self.park(user)

    @rule(channel=consumes(calls))
    def a_call_ends(self, channel: str) -> None:
        self.end(channel)

    @rule(channel=calls)
    def an_end_is_told_twice(self, channel: str) -> None:
        self.end(channel)
        if self.connected:
            self.services.end(channel)

    @precondition(lambda self: self.connected)
    @rule(user=_users)
    def a_call_ends_before_it_is_bridged(self, user: str) -> None:
        self.started += 1
        channel = f"call-{self.started}"
        self.services.park(channel, user)
        self.switch.alive.discard(ChannelUuid(channel))
        self.carry_out()
        self.services.end(channel)

    @precondition(lambda self: self.connected)
    @rule(user=_users)
    def a_bridge_is_lost_with_the_connection(self, user: str) -> None:
        """Nobody knows whether it was carried out; here it was not, and the caller gives up."""
        self.started += 1
        channel = f"call-{self.started}"
        self.services.park(channel, user)
        for bridged in self.switch.bridged[self.done :]:
            self.done += 1
            bridged.on_done(Unconfirmed("lost"))
        self.connection_breaks()
        self.switch.alive.discard(ChannelUuid(channel))

    # Connections

    @precondition(lambda self: not self.connected)
    @rule(
        arrives_during=st.sampled_from(["", "gateways", "channels", "accounts_of"]),
        ends_during=st.sampled_from(["", "gateways", "channels", "accounts_of"]),
        user=_users,
        breaks=st.sampled_from(["", "", "", "gateways", "channels", "accounts_of"]),
        table_is_current=st.booleans(),
    )
    def connection_stands(
        self, arrives_during: str, ends_during: str, user: str, breaks: str, table_is_current: bool
    ) -> None:
        if table_is_current:
            self.the_table_catches_up()
        if arrives_during:
            self.switch.during(arrives_during, lambda: self.forget(self.park(user)))
        if ends_during and self.bridged_with:
            ending = next(iter(self.bridged_with))
            self.switch.during(ends_during, lambda: self.end(ending))
        if breaks:
            self.switch.fail(breaks, SwitchLost("lost"))
        self.connecting = True
        try:
            self.services.connect()
            self.connected = True
        except SwitchLost:
            self.services.disconnect()
        finally:
            self.connecting = False
            self.switch.meanwhile.clear()
            self.switch.failures.clear()
        self.carry_out()
        if self.connected:
            self.accounts_register(USERS)

    def forget(self, _channel: str) -> None:
        """No rule ends this call: it lives until `teardown`."""

    @precondition(lambda self: self.connected)
    @rule()
    def connection_breaks(self) -> None:
        self.connected = False
        self.services.disconnect()

    @precondition(lambda self: self.connected)
    @rule(seconds=st.sampled_from([0.0, 0.25, 2.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.services.step(seconds)

    @precondition(lambda self: self.connected)
    @rule(user=_users)
    def a_call_arrives_during_an_audit(self, user: str) -> None:
        self.switch.during("accounts_of", lambda: self.forget(self.park(user)))
        self.services.step(60.0)
        self.switch.meanwhile.clear()

    # Restarts

    @rule()
    def the_table_catches_up(self) -> None:
        self.switch.table = {channel: self.bridged_with.get(channel) for channel in self.switch.alive}  # type: ignore[misc]

    @rule()
    def controller_restarts(self) -> None:
        """It takes longer than the table lags behind."""
        self.the_table_catches_up()
        self.start_controller()

    @rule()
    def switch_restarts(self) -> None:
        if self.connected:
            self.connection_breaks()
        self.switch.alive.clear()
        self.switch.table.clear()
        self.bridged_with.clear()
        self.switch.up.clear()
        self.switch.down.clear()
        self.switch.events.clear()
        self.switch.salt += b"+"

    # Registrations

    @precondition(lambda self: self.connected)
    @rule(users=st.sampled_from([USERS, USERS, ("alice",)]))
    def accounts_register(self, users: tuple[str, ...]) -> None:
        self.services.settle()
        self.services.register(*users)

    @precondition(lambda self: self.connected)
    @rule(user=_users)
    def a_registration_fails(self, user: str) -> None:
        for gateway in self.services.gateways():
            if gateway.username == user and gateway.name in self.switch.up:
                self.switch.up.discard(gateway.name)
                self.switch.down.add(gateway.name)
                self.services.state(gateway, "FAILED", "403", "Forbidden")

    @precondition(lambda self: self.connected)
    @rule()
    def profile_restarts(self) -> None:
        self.switch.up.clear()
        self.switch.down.clear()
        self.services.session.on_switch_event(ProfileStarted("providers"))
        self.accounts_register(USERS)

    # What must hold

    @invariant()
    def no_line_is_oversold(self) -> None:
        assert all(count <= LIMIT for count in Counter(self.bridged_with.values()).values())

    @invariant()
    def every_line_holds_the_calls_that_are_bridged_with_it(self) -> None:
        if not self.connected:
            return
        bridged = Counter(self.bridged_with.values())
        assert {user: self.services.line(user).calls for user in USERS} == {
            user: bridged[self.services.line(user).id] for user in USERS
        }

    @invariant()
    def the_available_accounts_are_those_with_a_free_line(self) -> None:
        for user in USERS:
            line = self.services.line(user)
            assert line.is_available == (line.is_usable and line.calls < LIMIT)

    def teardown(self) -> None:
        if not self.connected:
            self.services.connect()
            self.connected = True
        for channel in list(self.switch.alive):
            self.end(channel)
        self.services.step(60.0)
        assert self.services.calls.calls_in_progress == 0
        assert all(self.services.line(user).calls == 0 for user in USERS)


TestLinesStayRight = LinesStayRight.TestCase
TestLinesStayRight.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
