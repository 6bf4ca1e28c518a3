"""A FreeSWITCH stand-in that speaks the Event Socket: for the demo, tests and benchmarks."""

from sipbridge.simulator.call import CallState, SimulatedCall
from sipbridge.simulator.far_side import CalleeRule, SimulatedInvite
from sipbridge.simulator.registrar import Accept, NobodyThere, Refuse, RegistrarRule, Silent
from sipbridge.simulator.simulator import Simulator

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
