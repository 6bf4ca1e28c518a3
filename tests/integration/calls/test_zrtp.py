"""Two real telephones do ZRTP end to end through the bridge."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import linphone
from support.bridge import Bridge, Providers
from support.freeswitch import FreeSwitch
from support.linphone import Linphone

pytestmark = pytest.mark.skipif(linphone.PROGRAM is None, reason="no linphonec (Debian: linphone-cli) on the PATH")


def providers_file(callee: str) -> Providers:
    return {
        "schemaVersion": 2,
        "providers": [
            {
                "name": "outbound",
                "triggerCondition": {"strategy": "Always"},
                "accountToUse": {"strategy": "FindInPool", "source": "{from}", "by": "alias"},
                "onAccountNotFound": "decline",
                "outgoingInvite": {
                    "to": "sip:{incoming.to.user}@{account.uri.hostport}",
                    "mediaEncryption": "zrtp",
                },
                "accountPool": "accounts",
            }
        ],
        "accountPools": {
            "accounts": {
                "outboundProxy": f"<sip:{callee};transport=udp>",
                "registrationRequired": False,
                "maxCallsPerLine": 1,
                "loader": [{"uri": "sip:line@jabiru.example.org", "alias": "sip:alice@127.0.0.1"}],
            }
        },
    }


def test_caller_and_callee_see_the_same_token(bridged_freeswitch: FreeSwitch, tmp_path: Path) -> None:
    """The token comes of the keys: somebody in between would have made two of them."""
    with (
        Linphone(tmp_path / "alice", "alice", media_encryption="zrtp") as alice,
        Linphone(tmp_path / "bob", "bob", answers=True, media_encryption="zrtp") as bob,
    ):
        bridge = Bridge(tmp_path / "bridge", bridged_freeswitch, providers_file(bob.hostport))
        try:
            bridge.wait_for_status("sip:line@jabiru.example.org", "OK")
            alice.call(f"sip:bob@{bridged_freeswitch.inside}")
            assert alice.zrtp_token() == bob.zrtp_token()
        finally:
            bridge.kill()
