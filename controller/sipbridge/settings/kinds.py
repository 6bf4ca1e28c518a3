"""Kinds of values that settings of more than one table have. Pure."""

from __future__ import annotations

from typing import Annotated

from sipbridge.settings.reading.setting_values import Matches

Host = Annotated[str, Matches(r"[A-Za-z0-9_.:%\-]+", "a host name or an IP address")]
"""Where something listens, or is reached."""
