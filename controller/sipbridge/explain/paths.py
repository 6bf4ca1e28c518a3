"""Which accounts and calls of a providers file go through the edge. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sipbridge.core.bridge_config import BridgeConfig, PoolConfig
from sipbridge.core.providers.edge import Edge, edge_reason
from sipbridge.core.providers.media_defaults import MediaDefaults
from sipbridge.core.providers.provider import SqlLoader

OWN_MEDIA = "the provider needs media that FreeSWITCH alone cannot offer"


def explain_edge(config: BridgeConfig, media: MediaDefaults) -> Iterator[str]:
    """Yield which accounts and calls of a providers file go through the edge, and why; nothing if none do."""
    for name, pool in config.pools.items():
        if pool.policy.edge is not None:
            for what, why in _through_edge(pool, pool.policy.edge):
                yield f"pool {name}: {what} through the edge{why and ': '}{why}"
    for provider in config.providers:
        invite = provider.outgoing_invite
        offer = media.offer_of(invite, has_edge=True)
        has_edge = config.pools[provider.account_pool].policy.edge is not None
        if has_edge and offer is not None and offer.edge and invite.outbound_proxy is not None:
            yield f"provider {provider.name}: calls through the edge: {OWN_MEDIA}"


def _through_edge(pool: PoolConfig, edge: Edge) -> Iterator[tuple[str, str]]:
    """Yield which accounts of a pool go through the edge, and why, if that is not obvious."""
    if isinstance(pool.loader, SqlLoader):
        yield ("accounts go", edge.takes_all.value) if edge.takes_all else ("accounts with a digest hash go", "")
        return
    for reason, count in Counter(edge_reason(account, edge) for account in pool.loader).items():
        if reason is not None:
            all_ = len(pool.loader)
            yield f"{count} of {all_} account{'' if all_ == 1 else 's'}", reason.value
