"""Simulates the gateways of a sofia profile, which advance through mod_sofia's states with each tick. Uses timers.

Source: sofia_reg.c (sofia_reg_check_gateway), sofia_glue.c, and the recording gateway_lifecycle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sipbridge.simulator.clock import Clock
from sipbridge.simulator.sofia.registrar import Answer, Registrar
from sipbridge.simulator.sofia.spool import GatewayDefinition
from sipbridge.simulator.wire.events import EventBus, Origin

_ADD = Origin("sofia_reg.c", "sofia_reg_add_gateway", 3723)
_STATE = Origin("sofia_reg.c", "sofia_reg_fire_custom_gateway_state_event", 156)
_DELETE = Origin("sofia_reg.c", "sofia_reg_check_gateway", 343)

REGISTRAR_ADDRESS = ("127.0.0.1", "7000")

# These retry after the same pause every time; after any other failure the pause grows with the number of failures.
_NOT_THE_REGISTRARS_FAULT = (503, 908)


@dataclass(slots=True, eq=False)
class Gateway:
    """One gateway.

    Attributes:
        state: as in ``sofia::gateway_state``.
        is_up: whether calls may use it, which is not the same as being registered.
        due: the tick at which it registers, retries or gives up waiting.
        network: the address of the registrar, once it has answered.
        attempt: counts REGISTERs, so that a late answer to an earlier one is not mistaken for the current one.
    """

    definition: GatewayDefinition
    state: str
    is_up: bool = False
    is_deleted: bool = False
    due: int = 0
    failures: int = 0
    failure_status: int = 0
    network: tuple[str, str] | None = None
    attempt: int = 0
    is_bound: bool = False

    @property
    def name(self) -> str:
        """The name, as in the spool."""
        return self.definition.name


class GatewayTable:
    """The gateways of one profile, newest first, as FreeSWITCH lists them.

    Attributes:
        tick_count: seconds of its timer so far.
    """

    def __init__(self, profile: str, bus: EventBus, clock: Clock, registrar: Registrar) -> None:
        self.profile = profile
        self.tick_count = 0
        self._bus = bus
        self._clock = clock
        self._registrar = registrar
        # Oldest first: appending is cheap, and listings iterate backwards.
        self._gateways: list[Gateway] = []
        self._by_name: dict[str, Gateway] = {}

    def __iter__(self) -> Iterator[Gateway]:
        return reversed(self._gateways)

    def find(self, name: str) -> Gateway | None:
        """Return the gateway with this name, unless it is marked for deletion."""
        gateway = self._by_name.get(name)
        return None if gateway is None or gateway.is_deleted else gateway

    def add_new(self, definitions: Iterable[GatewayDefinition]) -> None:
        """Add unknown gateways; a known one stays unchanged, even if its definition differs."""
        for definition in definitions:
            if self.find(definition.name):
                continue
            gateway = Gateway(definition, "UNREGED" if definition.registers else "NOREG")
            gateway.is_up = not definition.registers
            self._gateways.append(gateway)
            self._by_name[definition.name] = gateway
            fields = {"Gateway": gateway.name, "profile-name": self.profile}
            self._bus.fire("CUSTOM", _ADD, fields, "sofia::gateway_add")

    def register(self, gateway: Gateway) -> None:
        """Register at the next tick."""
        gateway.state = "UNREGED"

    def unregister(self, gateway: Gateway) -> None:
        """Unregister at the next tick."""
        gateway.state = "UNREGISTER"

    def delete(self, gateway: Gateway) -> None:
        """Delete a gateway, after unregistering it if necessary."""
        if gateway.state != "NOREG":
            gateway.state = "UNREGISTER"
        gateway.is_deleted = True

    def close(self) -> None:
        """Unregister and delete all gateways at once, because the profile stops."""
        for gateway in self:
            if gateway.state != "NOREG":
                self._send_unregister(gateway)
                gateway.state, gateway.is_up = "DOWN", False
                self._tell(gateway)
            self._tell_deleted(gateway)
        self._gateways.clear()
        self._by_name.clear()

    def tick(self) -> None:
        """Advance by one second of the profile's timer: deletions first, then one step of every gateway."""
        self.tick_count += 1
        self._remove_deleted()
        registering: list[Gateway] = []
        unregistering: list[Gateway] = []
        for gateway in self:
            before = gateway.state
            self._step(gateway)
            if gateway.state != before:
                self._tell(gateway)
                if gateway.state == "TRYING":
                    registering.append(gateway)
                elif before == "UNREGISTER":
                    unregistering.append(gateway)
        if registering:
            self._send_registers(registering)
        # Unregistering needs no challenge, so it overtakes a REGISTER for the same address and removes the binding.
        for gateway in unregistering:
            self._send_unregister(gateway)

    def _remove_deleted(self) -> None:
        gone = [gateway for gateway in self if gateway.is_deleted and gateway.state in ("NOREG", "DOWN")]
        for gateway in gone:
            if self._by_name.get(gateway.name) is gateway:
                del self._by_name[gateway.name]
            self._tell_deleted(gateway)
        if gone:
            leaving = set(map(id, gone))
            self._gateways = [gateway for gateway in self._gateways if id(gateway) not in leaving]

    def _step(self, gateway: Gateway) -> None:
        now = self.tick_count
        definition = gateway.definition
        match gateway.state:
            case "DOWN" | "NOREG":
                # As in FreeSWITCH: an unregistered gateway counts as up again from the next tick on.
                gateway.is_up = True
            case "REGISTER":
                gateway.failures = 0
                lifetime = definition.expire_s
                gateway.due = now + max(1, lifetime - 15 if lifetime > 30 else lifetime // 2)
                gateway.state, gateway.is_up = "REGED", True
            case "UNREGISTER":
                gateway.state, gateway.is_up = "DOWN", False
            case "UNREGED":
                gateway.due = now + definition.timeout_s
                gateway.state = "TRYING"
            case "TRYING" if now >= gateway.due:
                gateway.state = "TIMEOUT"
            case "TIMEOUT":
                gateway.failures += 1
                gateway.failure_status = 908
                gateway.state = "FAILED"
            case "FAILED":
                pause = definition.retry_s
                grows = gateway.failure_status not in _NOT_THE_REGISTRARS_FAULT
                gateway.due = now + pause * (max(1, gateway.failures) if grows else 1)
                gateway.state, gateway.is_up = "FAIL_WAIT", False
            case "FAIL_WAIT" | "REGED" if now >= gateway.due:
                gateway.state = "UNREGED"

    def _send_registers(self, gateways: list[Gateway]) -> None:
        """Send REGISTERs in one burst; the fastest answers arrive first, but only after the burst."""
        answers: list[tuple[Gateway, Answer]] = []
        for gateway in gateways:
            gateway.attempt += 1
            answer = self._registrar.register(gateway.definition)
            if answer is not None:
                gateway.is_bound |= answer.status == 200
                answers.append((gateway, answer))
        answers.sort(key=lambda pair: pair[1].round_trips)
        attempts = [gateway.attempt for gateway, _ in answers]
        self._clock.after(0, lambda: self._take_answers(answers, attempts))

    def _take_answers(self, answers: list[tuple[Gateway, Answer]], attempts: list[int]) -> None:
        for (gateway, answer), attempt in zip(answers, attempts, strict=True):
            # An answer for a gateway that is being deleted is ignored.
            if gateway.attempt == attempt and gateway.state == "TRYING" and not gateway.is_deleted:
                self._take_answer(gateway, answer)

    def _take_answer(self, gateway: Gateway, answer: Answer) -> None:
        if answer.status == 904 and gateway.attempt > 1 and gateway.network is None:
            # The second time it answers the challenge that it remembers, and the address it asked shows.
            gateway.network = REGISTRAR_ADDRESS
            self._tell(gateway, 100, "Request Authorized by Cache")
        if answer.from_network:
            gateway.network = REGISTRAR_ADDRESS
        if answer.status == 200:
            gateway.state = "REGISTER"
        else:
            gateway.state = "FAILED"
            gateway.failures += 1
            gateway.failure_status = answer.status
        self._tell(gateway, answer.status, answer.phrase)

    def _send_unregister(self, gateway: Gateway) -> None:
        if gateway.is_bound:
            # This drops the binding of the gateway that has this name by now; see Registrar.unregister.
            self._registrar.unregister(gateway.definition)
            gateway.is_bound = False

    def _tell(self, gateway: Gateway, status: int = 0, phrase: str = "") -> None:
        fields = {"Gateway": gateway.name, "State": gateway.state, "Ping-Status": "UP" if gateway.is_up else "DOWN"}
        if gateway.network:
            fields["Register-Network-IP"], fields["Register-Network-Port"] = gateway.network
        if phrase:
            fields["Phrase"] = phrase
        if status:
            fields["Status"] = str(status)
        self._bus.fire("CUSTOM", _STATE, fields, "sofia::gateway_state")

    def _tell_deleted(self, gateway: Gateway) -> None:
        fields = {"profile-name": self.profile, "Gateway": gateway.name}
        self._bus.fire("CUSTOM", _DELETE, fields, "sofia::gateway_delete")
