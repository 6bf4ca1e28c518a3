"""``sipbridge doctor``: gathers facts with adapters and judges them with pure functions, as one list of findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sipbridge.doctor.check_accounts import check_providers_file, check_sources
from sipbridge.doctor.check_edge import check_edge
from sipbridge.doctor.check_host import check_host
from sipbridge.doctor.check_network import check_hops
from sipbridge.doctor.check_spool import check_spool
from sipbridge.doctor.check_switch import check_dtls, check_event_socket, check_switch
from sipbridge.doctor.finding import Finding, Section, Verdict
from sipbridge.doctor.gather_accounts import gather_accounts
from sipbridge.doctor.gather_edge import gather_edge
from sipbridge.doctor.gather_host import controller_user, gather_host
from sipbridge.doctor.gather_network import look_at, next_hops
from sipbridge.doctor.gather_switch import gather_switch, profiles_of
from sipbridge.settings import Settings
from sipbridge.settings.providers import load_providers_with

__all__ = ["Finding", "Section", "Verdict", "examine"]


def examine(settings: Settings, settings_file: Path | None, *, connect: bool) -> Iterator[Finding]:
    """Check everything that the bridge needs, and yield the findings.

    Args:
        connect: whether to read the databases too.
    """
    yield _check_settings_file(settings_file)
    file = settings.providers_file
    loaded = load_providers_with(settings, file) if file else None
    config = loaded.config if loaded else None
    yield check_providers_file(file, loaded)

    told = gather_switch(settings)
    switch, problem = (None, told) if isinstance(told, str) else (told, "")
    host = gather_host(settings, settings_file, config, switch.pid if switch else None)
    link = settings.event_socket
    yield from check_event_socket(f"{link.host}:{link.port}", problem, link.password)
    if switch is not None:
        yield from check_switch(switch, host)
        if config is not None:
            yield from check_dtls(config, settings.media_defaults, switch)
    yield from check_spool(settings.gateways.spool_file, host, controller_user(host), switch)
    edge = gather_edge(settings.edge)
    if edge is not None:
        yield from check_edge(edge, host)
    if config is not None:
        gathered = gather_accounts(config, settings.redis, connect=connect)
        hops, left_out = next_hops(config, gathered)
        profiles = profiles_of(switch)
        yield from check_hops(look_at(hops), left_out, profiles, settings.sofia.provider_profile, host.network)
        yield from check_sources(gathered.sources, gathered.unread)
    yield from check_host(host, switch)


def _check_settings_file(settings_file: Path | None) -> Finding:
    if settings_file is None:
        return Section.SETTINGS.warned(
            "settings",
            "no settings file: all settings come from the environment or are defaults",
            "create /etc/sipbridge/sipbridge.toml, or name another file with --settings",
        )
    return Section.SETTINGS.passed("settings", f"{settings_file}: the settings are valid")
