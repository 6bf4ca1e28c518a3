"""A FreeSWITCH stand-in that speaks the Event Socket: for the demo, tests and benchmarks."""

from sipbridge.simulator.calls.call import CallState, SimulatedCall
from sipbridge.simulator.calls.far_side import CalleeRule, SimulatedInvite
from sipbridge.simulator.simulator import Simulator
from sipbridge.simulator.sofia.registrar import Accept, NobodyThere, Refuse, RegistrarRule, Silent

__all__ = [
    "Accept",
    "CallState",
    "CalleeRule",
    "NobodyThere",
    "Refuse",
    "RegistrarRule",
    "Silent",
    "SimulatedCall",
    "SimulatedInvite",
    "Simulator",
]
