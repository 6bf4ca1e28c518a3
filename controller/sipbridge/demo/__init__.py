"""Calls through a simulated FreeSWITCH, for someone who has two minutes: only the switch is pretended."""

from sipbridge.demo.run import run_demo

__all__ = ["run_demo"]
