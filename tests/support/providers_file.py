"""A providers file of one provider and one account, for tests that are about the calls and not about the file. Pure."""

from __future__ import annotations

from support.bridge import Providers


def all_calls_out(next_hop: str, *, to: str, from_: str, account: str, lines: int) -> Providers:
    """Every call goes out through the account, which needs no registration.

    Args:
        next_hop: ``host:port``.
        to: the template of To.
        from_: the template of From.
    """
    provider = {
        "name": "All",
        "triggerCondition": {"strategy": "Always"},
        "accountToUse": {"strategy": "Random"},
        "onAccountNotFound": "decline",
        "outgoingInvite": {"to": to, "from": from_},
        "accountPool": "Pool",
    }
    pool = {
        "outboundProxy": f"<sip:{next_hop}>",
        "registrationRequired": False,
        "maxCallsPerLine": lines,
        "loader": [{"uri": account}],
    }
    return {"schemaVersion": 2, "providers": [provider], "accountPools": {"Pool": pool}}
