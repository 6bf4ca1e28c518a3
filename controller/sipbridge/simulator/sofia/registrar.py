"""A scripted registrar: answers the REGISTERs of gateways, and keeps their bindings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sipbridge.simulator.sofia.edge import SimulatedEdge
from sipbridge.simulator.sofia.spool import GatewayDefinition


@dataclass(frozen=True, slots=True)
class Accept:
    """200, after a digest challenge if there is a password.

    Attributes:
        password: the correct password; None accepts any.
    """

    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """A final response: 403 Forbidden, for example."""

    status: int = 403
    phrase: str = "Forbidden"


@dataclass(frozen=True, slots=True)
class NobodyThere:
    """No listener: the SIP stack answers 503 itself, at once."""


@dataclass(frozen=True, slots=True)
class Silent:
    """Never answers: the gateway gives up after its ``timeout-seconds``."""


Behaviour = Accept | Refuse | NobodyThere | Silent


def _every_gateway(_: GatewayDefinition) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class RegistrarRule:
    """How the registrar treats gateways selected by `matches`."""

    behaviour: Behaviour
    matches: Callable[[GatewayDefinition], bool] = _every_gateway


@dataclass(frozen=True, slots=True)
class Answer:
    """A final response to REGISTER.

    Attributes:
        round_trips: the number of messages, which determines the order of answers to REGISTERs sent together.
        from_network: False if the SIP stack generated it.
    """

    status: int
    phrase: str
    round_trips: int
    from_network: bool = True


# The edge's answer for a gateway without an entry.
_NOT_LOADED = Answer(503, "Account Not Loaded", 1)
_NO_SUCH_CHALLENGE = Answer(904, "Operation has no matching challenge ", 3, from_network=False)


class Registrar:
    """Answers by the first matching rule; by default it accepts.

    Attributes:
        rules: in order; may be changed at any time.
        edge: the edge that answers challenges for gateways that register through it.
        bindings: the gateways that calls can reach now.
        register_count: REGISTERs that arrived, excluding unregistrations.
    """

    def __init__(self, rules: Sequence[RegistrarRule] = ()) -> None:
        self.rules = list(rules)
        self.edge: SimulatedEdge | None = None
        self.bindings: set[str] = set()
        self.register_count = 0

    def register(self, gateway: GatewayDefinition) -> Answer | None:
        """Answer a REGISTER; None means no answer."""
        self.register_count += 1
        edge = self._edge_of(gateway)
        if edge is not None and not edge.knows(gateway):
            return _NOT_LOADED
        match self.behaviour_for(gateway):
            case Accept(password) if password is None or self._has_password(gateway, password):
                self.bindings.add(gateway.name)
                return Answer(200, "OK", 1 if password is None else 2)
            case Accept():
                return _NO_SUCH_CHALLENGE
            case Refuse(status, phrase):
                return Answer(status, phrase, 1)
            case NobodyThere():
                return Answer(503, "Service Unavailable", 0, from_network=False)
            case Silent():
                return None

    def _edge_of(self, gateway: GatewayDefinition) -> SimulatedEdge | None:
        return self.edge if self.edge is not None and self.edge.takes(gateway) else None

    def _has_password(self, gateway: GatewayDefinition, password: str) -> bool:
        edge = self._edge_of(gateway)
        return password == gateway.password if edge is None else edge.answers_right(gateway, password)

    def unregister(self, gateway: GatewayDefinition) -> None:
        """Drop the binding of a gateway, even if another gateway of the same name created it."""
        self.bindings.discard(gateway.name)

    def behaviour_for(self, gateway: GatewayDefinition) -> Behaviour:
        """Return the behaviour for a gateway."""
        return next((rule.behaviour for rule in self.rules if rule.matches(gateway)), Accept())
