"""A two-minute demonstration: the real daemon places calls through a simulated FreeSWITCH."""

from sipbridge.demo.run import run_demo

__all__ = ["run_demo"]
