"""What is fuzzed: bytes go into one door of the bridge, and what must hold of whatever comes out is checked.

A target raises nothing but `AssertionError`: an exception that a parser declares is a good answer, any other one is a
finding.
"""

from __future__ import annotations

from collections.abc import Mapping

from fuzz import accounts, caller, edge, files, sdp, servers, shown, switch
from fuzz.target import SEPARATOR, Target

__all__ = ["SEPARATOR", "TARGETS", "Target"]

TARGETS: Mapping[str, Target] = {
    **caller.TARGETS,
    **sdp.TARGETS,
    **switch.TARGETS,
    **files.TARGETS,
    **accounts.TARGETS,
    **servers.TARGETS,
    **edge.TARGETS,
    **shown.TARGETS,
}
