"""Warns of next hops in the file that the settings refuse to accounts of a database. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sipbridge.config.text.diagnostic import Report
from sipbridge.config.text.source_text import Path
from sipbridge.core.accounts.next_hops import Networks, why_refused
from sipbridge.core.providers.provider import Provider
from sipbridge.core.sip.uri import SipUri

ITS_CALLS = "calls to it may come back as those of another user; it is used, because it is in this file"


def warn_of_next_hop(hop: SipUri | None, path: Path, refused: Networks, report: Report) -> None:
    """Warn if a next hop is refused to accounts of a database; whoever writes the file may use it."""
    if refused and hop is not None and (why := why_refused(hop, refused)):
        report.warning(path, f"{why}: {ITS_CALLS}")


def warn_of_next_hops(providers: Iterable[Provider], refused: Networks, report: Report) -> None:
    """Warn of the proxies of providers."""
    for index, provider in enumerate(providers):
        path = ("providers", index, "outgoingInvite", "outboundProxy")
        warn_of_next_hop(provider.outgoing_invite.outbound_proxy, path, refused, report)
