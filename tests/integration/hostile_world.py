"""What hostile callers are let loose on: nothing protects it that the bridge should not have to lean on."""

from __future__ import annotations

import pytest

from support.bridge import Providers
from support.freeswitch import CONFIGURATION, FreeSwitch
from support.providers_file import all_calls_out
from support.sip_peer import SipPeer

LINES = 100
ACCOUNT = "sip:account@jabiru.example.org"
_SWITCH_CONF = "autoload_configs/switch.conf.xml"
_EXPANSION = 'name="api-expansion" value="false"'
_SYSTEM = '<allow name="mod_commands.system"/>'


def freeswitch_that_expands(tmp_path_factory: pytest.TempPathFactory, *, allowed: str = _SYSTEM) -> FreeSwitch:
    """A FreeSWITCH with `api-expansion`, which the shipped configuration turns off.

    Args:
        allowed: what it may execute beyond the shipped list; by default `system`, so that an attack can work.
    """
    additions = tmp_path_factory.mktemp("additions")
    switch_conf = CONFIGURATION.joinpath(_SWITCH_CONF).read_text()
    assert _EXPANSION in switch_conf
    (additions / _SWITCH_CONF).parent.mkdir()
    (additions / _SWITCH_CONF).write_text(switch_conf.replace(_EXPANSION, _EXPANSION.replace("false", "true")))
    (additions / "local/modules").mkdir(parents=True)
    (additions / "local/modules/test.xml").write_text(f"<include>\n{allowed}\n</include>\n")
    return FreeSwitch(tmp_path_factory.mktemp("fs"), additions)


def everything_goes_out(callee: SipPeer) -> Providers:
    """A providers file by which all that a caller can say goes into the outgoing INVITE."""
    return all_calls_out(
        callee.hostport,
        to="sip:{incoming.requestUri.user}@{account.uri.hostport}{incoming.requestUri.uriParameters}",
        from_="{incoming.from.displayName} <sip:{incoming.from.user}@x.example.org{incoming.from.uriParameters}>",
        account=ACCOUNT,
        lines=LINES,
    )
