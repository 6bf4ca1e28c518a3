"""Reads the providers file as the settings say. I/O: the file."""

from __future__ import annotations

from pathlib import Path

from sipbridge.config.load import LoadResult, load_providers
from sipbridge.settings.tables import Settings


def load_providers_with(settings: Settings, file: Path) -> LoadResult:
    """Read and check a providers file, as the bridge with these settings does."""
    return load_providers(
        file,
        settings.media_defaults,
        settings.edge.edge,
        settings.unknown_fields.severity,
        settings.gateways.refused_networks,
    )
