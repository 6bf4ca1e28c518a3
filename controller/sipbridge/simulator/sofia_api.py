"""Runs ``api sofia`` commands on the simulated switch and returns mod_sofia's answers.

Source: mod_sofia.c (cmd_profile, cmd_status, cmd_xml_status), and the recordings.
"""

from __future__ import annotations

from collections import Counter
from xml.sax.saxutils import escape

from sipbridge.simulator.sofia.gateways import Gateway
from sipbridge.simulator.sofia.profile import Profile
from sipbridge.simulator.switch import Switch

PROFILE_DOWN_TICKS = 2
"""Ticks that a restarting profile is away; a real one takes longer the more gateways it has."""

_RULE = "=" * 97
_RETRYING = ("TRYING", "TIMEOUT", "FAILED", "FAIL_WAIT")


def run_sofia(switch: Switch, argument: str) -> str:
    """Run a sofia command: ``profile providers rescan``."""
    match argument.split():
        case ["profile", name, command, *arguments]:
            profile = switch.profiles.get(name)
            if profile is None:
                return f"Invalid Profile [{name}]"
            return _run_profile(switch, profile, command.lower(), arguments)
        case ["profile", *_]:
            return "Invalid Args!\n"
        case ["status"]:
            return _status(switch)
        case ["xmlstatus", "gateway"]:
            return _xml_status(switch)
        case ["xmlstatus", "gateway", name]:
            return _xml_status_of(switch, name)
        case _:
            return "-ERR Unknown command!\n"


def _run_profile(switch: Switch, profile: Profile, command: str, arguments: list[str]) -> str:
    match command, arguments:
        case "rescan", _:
            return f"Reload XML [{switch.configuration_error or profile.rescan()}]\n+OK scan complete\n"
        case "gwlist", _:
            wanted = arguments != ["down"]
            return "".join(f"{gateway.name} " for gateway in profile.gateways if gateway.is_up is wanted)
        case "killgw", [name, *_]:
            return _kill_gateway(switch, name)
        case "killgw", _:
            return "-ERR missing gw name\n"
        case (("register" | "unregister"), [name, *_]):
            return _register(switch, name, command)
        case (("register" | "unregister"), _):
            return "No gateway name provided!\n"
        case "restart", _:
            switch.restart_profile(profile.name, PROFILE_DOWN_TICKS)
            return f"Reload XML [Success]\nrestarting: {profile.name}"
        case _:
            return "-ERR Unknown command!\n"


def _find(switch: Switch, name: str) -> tuple[Profile, Gateway] | None:
    """Find a gateway by name, in any profile, as FreeSWITCH does."""
    for profile in switch.profiles.values():
        if gateway := profile.gateways.find(name):
            return profile, gateway
    return None


def _kill_gateway(switch: Switch, name: str) -> str:
    found = _find(switch, name)
    if found is None:
        return "-ERR no such gateway.\n"
    profile, gateway = found
    profile.gateways.delete(gateway)
    return "+OK gateway marked for deletion.\n"


def _register(switch: Switch, name: str, command: str) -> str:
    found = _find(switch, name)
    if found is None:
        return "Invalid gateway!\n"
    profile, gateway = found
    if gateway.state == "NOREG":
        return f"-ERR NOREG gateway [{name}] can't be {command}ed!\n"
    if command == "register":
        profile.gateways.register(gateway)
    else:
        profile.gateways.unregister(gateway)
    return "+OK\n"


def _status(switch: Switch) -> str:
    lines = [f"{'Name':>25}\t{'Type':>7}\t{'Data':>42}\tState", _RULE]
    legs = Counter(channel.profile for channel in switch.channels)
    for profile in switch.profiles.values():
        lines.append(f"{profile.name:>25}\tprofile\t{profile.url:>42}\tRUNNING ({legs[profile.name]})")
        for gateway in profile.gateways:
            name = f"{profile.name}::{gateway.name}"
            wait_s = max(0, gateway.due - profile.gateways.tick_count)
            retry = f" (retry: {wait_s}s)" if gateway.state in _RETRYING else ""
            lines.append(f"{name:>25}\tgateway\t{_address(gateway):>42}\t{gateway.state}{retry}")
    count = len(switch.profiles)
    lines += [_RULE, f"{count} profile{'' if count == 1 else 's'} 0 aliases"]
    return "\n".join(lines) + "\n"


def _address(gateway: Gateway) -> str:
    return f"sip:{gateway.definition.username}@{gateway.definition.proxy}"


def _xml_status_of(switch: Switch, name: str) -> str:
    found = _find(switch, name)
    if found is None:
        return "Invalid Gateway!\n"
    return '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + _gateway_xml(*found)


def _xml_status(switch: Switch) -> str:
    gateways = (_gateway_xml(profile, gateway) for profile in switch.profiles.values() for gateway in profile.gateways)
    return '<?xml version="1.0" encoding="ISO-8859-1"?>\n<gateways>\n' + "".join(gateways) + "</gateways>\n"


def _gateway_xml(profile: Profile, gateway: Gateway) -> str:
    definition = gateway.definition
    contact = f"<sip:gw+{gateway.name}@127.0.0.1:{profile.port};transport={definition.transport};gw={gateway.name}>"
    expires = str(definition.expire_s)
    elements = {
        "name": gateway.name,
        "profile": profile.name,
        "scheme": "Digest",
        "realm": definition.realm,
        "username": definition.username,
        "password": "yes" if definition.password else "no",
        "from": f"<sip:{definition.username}@{definition.from_domain}>",
        "contact": contact,
        "exten": definition.username,
        "to": _address(gateway),
        "proxy": f"sip:{definition.proxy}",
        "context": profile.name,
        "expires": expires,
        "freq": expires,
        **dict.fromkeys(("ping", "pingfreq", "pingmin", "pingcount", "pingmax"), "0"),
        "pingtime": "0.00",
        "pinging": "0",
        "state": gateway.state,
        "status": "UP" if gateway.is_up else "DOWN",
        "uptime-usec": "0",
        **dict.fromkeys(("calls-in", "calls-out", "failed-calls-in", "failed-calls-out"), "0"),
    }
    if gateway.state in _RETRYING:
        elements["retry"] = f"{max(0, gateway.due - profile.gateways.tick_count)}s"
    lines = "".join(f"    <{name}>{escape(text)}</{name}>\n" for name, text in elements.items())
    return f"  <gateway>\n{lines}  </gateway>\n"
