"""A providers file for tests of the whole daemon."""

from __future__ import annotations

PROVIDERS = {
    "schemaVersion": 2,
    "providers": [
        {
            "name": "PSTN",
            "accountPool": "Pool",
            "triggerCondition": {"strategy": "Always"},
            "accountToUse": {"strategy": "Random"},
            "onAccountNotFound": "decline",
            "outgoingInvite": {"to": "{incoming.to}"},
        }
    ],
    "accountPools": {
        "Pool": {
            "outboundProxy": "<sip:provider.example.net>",
            "registrationRequired": False,
            "maxCallsPerLine": 1,
            "loader": [{"uri": "sip:alice@provider.example.net"}],
        }
    },
}
