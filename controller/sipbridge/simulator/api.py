"""Runs ``api`` commands on the simulated switch and returns FreeSWITCH's answers.

Source: mod_commands.c, and the recordings.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sipbridge.simulator.calls.channel import Channel
from sipbridge.simulator.sofia_api import run_sofia
from sipbridge.simulator.switch import Switch, format_uptime
from sipbridge.simulator.wire.events import HOSTNAME, Origin, format_stamp, now_us
from sipbridge.simulator.wire.protocol import format_json

_NO_CHANNEL = "-ERR No such channel!\n"
_RELOAD = Origin("switch_xml.c", "switch_xml_open_root", 2385)


def run_api(switch: Switch, text: str) -> str:
    """Run an API command: ``uuid_exists 3f2c…`` → ``true``."""
    name, _, argument = text.partition(" ")
    command = _COMMANDS.get(name.lower())
    if command is None:
        return f"-ERR {name} Command not found!\n"
    return command(switch, argument.strip(" "))


def _version(switch: Switch, argument: str) -> str:
    if argument == "short":
        return f"{switch.version}-release\n"
    return f"FreeSWITCH Version {switch.version}-release~64bit ( 64bit)\n"


def _status(switch: Switch, _argument: str) -> str:
    count = len(switch.calls)
    return (
        f"UP {format_uptime(now_us() - switch.started_us)}\n"
        f"FreeSWITCH (Version {switch.version}-release  64bit) is ready\n"
        f"{switch.session_count} session(s) since startup\n"
        f"{count} session(s) - peak {switch.peak_calls}, last 5min {switch.peak_calls} \n"
        "0 session(s) per Sec out of max 10000, peak 0, last 5min 0 \n"
        "20000 session(s) max\n"
        "min idle cpu 0.00/98.83\n"
        "Current Stack Size/Max 240K/8192K\n"
    )


def _global_getvar(switch: Switch, argument: str) -> str:
    if not argument:
        return "".join(f"{name}={value}\n" for name, value in switch.variables.items())
    return switch.variables.get(argument, "")


def _global_setvar(switch: Switch, argument: str) -> str:
    name, _, value = argument.partition("=")
    value, _, old = value.partition("=")
    if not name:
        return "-USAGE: <var>=<value> [=<value2>]\n"
    if old and switch.variables.get(name) != old:
        # Source: switch_core.c, switch_core_set_var_conditional. It says +OK all the same.
        return "+OK"
    if value:
        switch.variables[name] = value
    else:
        switch.variables.pop(name, None)
    return "+OK"


def _file_exists(switch: Switch, argument: str) -> str:
    return "true" if argument in switch.files else "false"


def _sched_api(switch: Switch, argument: str) -> str:
    when, _, rest = argument.partition(" ")
    group, _, command = rest.partition(" ")
    if not command:
        return "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"
    number = when.lstrip("+@")
    # Text that is not a number counts as 0, as in C.
    given_s = float(number) if number.isdigit() else 0.0
    period_s = given_s if when.startswith("@") else 0.0
    delay_s = given_s if when.startswith(("+", "@")) else max(0.0, given_s - time.time())

    def run() -> None:
        run_api(switch, command)
        if period_s:
            switch.schedule.add(period_s, group, run)

    return f"+OK Added: {switch.schedule.add(delay_s, group, run)}\n"


def _sched_del(switch: Switch, argument: str) -> str:
    return f"+OK Deleted: {switch.schedule.remove(argument)}\n"


def _fsctl(switch: Switch, argument: str) -> str:
    match argument.split():
        case ["pause" | "resume" as what, "inbound"]:
            switch.is_paused = what == "pause"
            return "+OK\n"
        case ["pause_check", "inbound"]:
            return "true" if switch.is_paused else "false"
        case ["shutdown_check"]:
            return "true" if switch.is_leaving else "false"
        case ["shutdown", *how] if "cancel" in how:
            switch.cancel_shutdown()
            return "+OK\n"
        case _:
            return "-ERR Unknown command\n"


def _uuid_exists(switch: Switch, argument: str) -> str:
    return "true" if switch.channel(argument) else "false"


def _uuid_setvar(switch: Switch, argument: str) -> str:
    channel_uuid, _, rest = argument.partition(" ")
    name, _, value = rest.partition(" ")
    if not name:
        return "-USAGE: <uuid> <var> [value]\n"
    channel = switch.channel(channel_uuid)
    if channel is None:
        return _NO_CHANNEL
    channel.set(name, value)
    return "+OK\n"


def _uuid_getvar(switch: Switch, argument: str) -> str:
    channel_uuid, _, name = argument.partition(" ")
    if not name:
        return "-USAGE: <uuid> <var>\n"
    channel = switch.channel(channel_uuid)
    if channel is None:
        return _NO_CHANNEL
    return channel.get(name) or "_undef_"


def _uuid_kill(switch: Switch, argument: str) -> str:
    channel_uuid, _, cause = argument.partition(" ")
    if not channel_uuid:
        return "-USAGE: <uuid> [cause]\n"
    call = switch.call_of(channel_uuid)
    if call is None:
        return _NO_CHANNEL
    # FreeSWITCH only marks the channel; the thread that runs it hangs it up.
    switch.clock.after(0, lambda: call.kill(cause, channel_uuid))
    return "+OK\n"


def _show(switch: Switch, argument: str) -> str:
    match argument.split():
        case ["channels", "count"]:
            return f"\n{sum(1 for _ in switch.channels)} total.\n"
        case ["calls", "count"]:
            return f"\n{len(switch.calls)} total.\n"
        case ["channels", "as", "json"]:
            return _show_channels(switch)
        case _:
            return "-USAGE: channels [count|as json] | calls count\n"


def _show_channels(switch: Switch) -> str:
    rows = [_channel_row(channel) for channel in switch.channels]
    # FreeSWITCH writes an empty answer by hand, and with a space.
    if not rows:
        return '{"row_count": 0}\n'
    return format_json({"row_count": len(rows), "rows": rows}).decode("utf-8", "surrogateescape")


def _channel_row(channel: Channel) -> dict[str, str]:
    created_s = channel.times.created // 1_000_000
    application, argument = channel.application
    is_bridged = bool(channel.callee_number) or channel.direction == "outbound"
    callee = channel.callee_number or (channel.destination if channel.direction == "outbound" else "")
    row = {
        "uuid": channel.uuid,
        "direction": channel.direction,
        "created": format_stamp(channel.times.created),
        "created_epoch": str(created_s),
        "name": channel.name,
        "state": "CS_EXECUTE" if channel.direction == "inbound" else "CS_EXCHANGE_MEDIA",
        "cid_name": channel.caller_name,
        "cid_num": channel.caller_number,
        "ip_addr": "127.0.0.1",
        "dest": channel.destination,
        "application": application,
        "application_data": argument,
        "dialplan": "XML",
        "context": channel.context,
    }
    row |= {f"{way}_{what}": value for way in ("read", "write") for what, value in _CODEC_COLUMNS.items()}
    row |= {
        "secure": "",
        "hostname": HOSTNAME,
        "presence_id": "",
        "presence_data": "",
        "accountcode": channel.accountcode,
        "callstate": channel.call_state,
        "callee_name": "Outbound Call" if callee else "",
        "callee_num": callee,
        "callee_direction": "",
        "call_uuid": str(channel.get("call_uuid")) if is_bridged else "",
        "sent_callee_name": "",
        "sent_callee_num": "",
        "initial_cid_name": channel.caller_name,
        "initial_cid_num": channel.caller_number,
        "initial_ip_addr": "127.0.0.1",
        "initial_dest": channel.destination,
        "initial_dialplan": "XML",
        "initial_context": channel.context,
    }
    return row


_CODEC_COLUMNS = {"codec": "PCMU", "rate": "8000", "bit_rate": "64000"}


def _reloadxml(switch: Switch, _argument: str) -> str:
    switch.bus.fire("RELOADXML", _RELOAD, {})
    return "+OK [Success]\n"


_COMMANDS: dict[str, Callable[[Switch, str], str]] = {
    "version": _version,
    "status": _status,
    "global_getvar": _global_getvar,
    "global_setvar": _global_setvar,
    "file_exists": _file_exists,
    "sched_api": _sched_api,
    "sched_del": _sched_del,
    "fsctl": _fsctl,
    "uuid_exists": _uuid_exists,
    "uuid_setvar": _uuid_setvar,
    "uuid_getvar": _uuid_getvar,
    "uuid_kill": _uuid_kill,
    "show": _show,
    "reloadxml": _reloadxml,
    "sofia": run_sofia,
}
