"""Sofia profiles: their state, and the commands sent to them."""

from __future__ import annotations

import pytest

from sipbridge.adapters.event_socket.profiles import Profiles, profile_parameters
from sipbridge.core.network import HostNetwork
from sipbridge.ports import CommandRefused

OLD, NEW = "192.0.2.10", "192.0.2.20"
HOST = HostNetwork(frozenset({NEW, "2001:db8::2"}), source_v4=NEW, source_v6="2001:db8::2")

SOFIA_CONF = """<configuration name="sofia.conf">
  <profiles>
    <profile name="inside"><settings><param name="sip-ip" value="127.0.0.1"></param></settings></profile>
    <profile name="providers">
      <gateways><gateway name="one"><param name="password" value="s3cret"></param></gateway></gateways>
      <settings><param name="context" value="providers"></param><param name="sip-ip" value="ADDRESS"></param></settings>
    </profile>
  </profiles>
</configuration>"""
STATUS = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>\n<profile>\n  <profile-info>\n    <sip-ip>192.0.2.10</sip-ip>\n'
    "  </profile-info>\n</profile>\n"
)


class Api:
    """Answers commands as a test says, and keeps them."""

    def __init__(self, **answers: str) -> None:
        self.answers = {"sofia xmlstatus profile providers": STATUS, "reloadxml": "+OK [Success]\n"} | answers
        self.asked: list[str] = []

    def __call__(self, command: str) -> str:
        self.asked.append(command)
        return self.answers.get(command, "-ERR no reply\n")


def test_a_running_profile_tells_its_address() -> None:
    profiles = Profiles(Api())
    assert profiles.address("providers") == OLD
    assert profiles.address("no such profile") is None


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.20", "192.0.2.20"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("auto", None),
        ("interface:eth0", None),
        ("", None),
    ],
)
def test_the_configuration_names_an_address_or_a_way_to_find_one(written: str, address: str | None) -> None:
    api = Api(**{"xml_locate configuration configuration name sofia.conf": SOFIA_CONF.replace("ADDRESS", written)})
    assert Profiles(api).configured_address("providers") == address
    assert api.asked[0] == "reloadxml"


def test_an_answer_that_is_no_xml_is_not_shown() -> None:
    api = Api(**{"xml_locate configuration configuration name sofia.conf": SOFIA_CONF[:-20]})
    with pytest.raises(CommandRefused) as refused:
        Profiles(api).configured_address("providers")
    assert "s3cret" not in str(refused.value)


def test_a_configuration_that_cannot_be_read_is_reported() -> None:
    api = Api(reloadxml="-ERR [[error near line 18]: unexpected closing tag]\n")
    with pytest.raises(CommandRefused, match="error near line 18"):
        Profiles(api).configured_address("providers")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        pytest.param({"local_ip_v4": OLD}, [f"global_setvar local_ip_v4={NEW}"], id="its address is gone"),
        pytest.param({"local_ip_v4": NEW}, [], id="it knows"),
        pytest.param({"local_ip_v4": OLD, "force_local_ip_v4": OLD}, [], id="somebody wants it so"),
    ],
)
def test_freeswitch_is_told_the_address_of_the_host(variables: dict[str, str], told: list[str]) -> None:
    api = Api(**{f"global_getvar {name}": value for name, value in variables.items()})
    Profiles(api).follow_host(HOST, OLD)
    assert [command for command in api.asked if "setvar" in command] == told


def test_each_family_has_its_variable() -> None:
    api = Api(**{"global_getvar local_ip_v6": "2001:db8::1"})
    Profiles(api).follow_host(HOST, "2001:db8::1")
    assert "global_setvar local_ip_v6=2001:db8::2" in api.asked


def test_a_profile_that_does_not_run_is_started() -> None:
    started = Api(**{"sofia profile inside start": "Reload XML [Success]\ninside started successfully\n"})
    Profiles(started).restart("inside")
    restarted = Api(**{"sofia profile providers restart": "Reload XML [Success]\nrestarting: providers"})
    Profiles(restarted).restart("providers")
    assert (started.asked[-1], restarted.asked[-1]) == ("sofia profile inside start", "sofia profile providers restart")


def test_a_restart_that_is_refused_is_reported() -> None:
    refusal = "Profile providers must be up for at least 10 seconds to stop/restart.\nPlease wait 3 seconds\n"
    with pytest.raises(CommandRefused, match="must be up for at least 10 seconds"):
        Profiles(Api(**{"sofia profile providers restart": refusal})).restart("providers")


def test_the_settings_of_a_profile() -> None:
    assert profile_parameters(SOFIA_CONF, "providers") == {"context": "providers", "sip-ip": "ADDRESS"}
    assert profile_parameters(SOFIA_CONF, "others") == {}
