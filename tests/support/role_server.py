"""A server as the Ansible roles write it, and what runs there. I/O: files and processes.

By default it is this machine, with an /etc and a /run of its own: the roles run whole, but for what a package manager
and a service manager would do; the programs are those of this machine, and what the roles have written is started as
their units say. Where `INVENTORY` names one, it is a container that has booted: tests/ansible/sections/calls.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.bridge import Bridge
from support.freeswitch import PROGRAM, FreeSwitch
from support.processes import free_tcp_port

INVENTORY = os.environ.get("SIPBRIDGE_TEST_INVENTORY")
"""The inventory of a container, whose network the tests are in; `SIPBRIDGE_TEST_PID` is its first process."""

_ANSIBLE = Path(__file__).parents[2] / "ansible"
_PLAYBOOK_PROGRAM = Path(sys.executable).with_name("ansible-playbook")
_PASSWORD = "made-up-for-the-test"
_PORTS = ("inside_port", "inside_tls_port", "providers_port", "providers_tls_port", "event_socket_port")
# Handlers would restart services.
_PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "roles": ["freeswitch", "sipbridge"],
        "tasks": [{"ansible.builtin.meta": "end_play"}],
    }
]
_WITHOUT_SERVICES = "--skip-tags=freeswitch_service,sipbridge_service"
# Each process sees them so, and no other.
_OWN_FOLDERS = 'mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && exec "$@"'


class RoleServer:
    """A server that the roles have been applied to.

    Args:
        directory: for its files.
        ip: of both sides.
        freeswitch_vars: of the role, on top of addresses and ports.
        variables: of both roles.
    """

    def __init__(
        self, directory: Path, ip: str, freeswitch_vars: Mapping[str, str | int], variables: Mapping[str, Any]
    ) -> None:
        directory.mkdir()
        self.directory = directory
        self.ip = ip
        self.ports = {name: free_tcp_port("127.0.0.1" if name == "event_socket_port" else ip) for name in _PORTS}
        self.http_port = free_tcp_port()
        where = {"sipbridge_inside_ip": ip, "sipbridge_providers_ip": ip}
        where |= {f"sipbridge_{name}": port for name, port in self.ports.items()}
        everything = {
            "freeswitch_event_socket_password": _PASSWORD,
            "freeswitch_vars": {**where, **freeswitch_vars},
            "sipbridge_event_socket_password": _PASSWORD,
            "sipbridge_settings": {
                "event_socket": {"port": self.ports["event_socket_port"], "backoff_max_s": 0.5},
                "gateways": {"retry_s": 5},
                "http": {"port": self.http_port},
            },
            **self._place(),
            **variables,
        }
        (directory / "variables.json").write_text(json.dumps(everything))
        self._play()

    def _place(self) -> dict[str, Any]:
        """Make what is there before the roles are; the variables that say where."""
        shutil.copytree("/etc", self.directory / "etc", symlinks=True)
        # Of the two services, which a service manager makes; and a version that is installed already.
        for name in ("run/freeswitch", "run/sipbridge", "version/bin"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "version/.complete").touch()
        (self.directory / "version/bin/sipbridge").symlink_to(Path(sys.executable).with_name("sipbridge"))
        return {
            # Debian's own Python knows its packages.
            "ansible_python_interpreter": "/usr/bin/python3",
            "freeswitch_program": PROGRAM,
            "freeswitch_log_dir": str(self.directory / "log"),
            "freeswitch_db_dir": str(self.directory / "db"),
            # The kernel is everybody's.
            "freeswitch_udp_buffer_bytes": 0,
            "sipbridge_source": "index",
            "sipbridge_version": "any",
            "sipbridge_system_packages": [],
            "sipbridge_home": str(self.directory),
            "sipbridge_version_dir": str(self.directory / "version"),
        }

    def _play(self) -> None:
        (self.directory / "play.json").write_text(json.dumps(_PLAY))
        self._run(*self.command(str(_PLAYBOOK_PROGRAM), "-i", "localhost,", _WITHOUT_SERVICES), "play.json")

    def _run(self, *command: str) -> None:
        """Run a play with the variables."""
        environment = {
            "ANSIBLE_CONFIG": str(_ANSIBLE / "ansible.cfg"),
            "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parents[1] / "ansible/connection_plugins"),
            "ANSIBLE_PIPELINING": "true",
        }
        run = subprocess.run(
            [*command, "-e", "@variables.json"],
            cwd=self.directory,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=900,
            check=False,
        )
        if run.returncode != 0:
            raise AssertionError(run.stdout + run.stderr)

    def command(self, *command: str) -> list[str]:
        """A command, as it is run on this server."""
        return ["unshare", "--mount", "sh", "-c", _OWN_FOLDERS, str(self.directory), *command]

    def sipbridge(self, *arguments: str) -> list[str]:
        """A `sipbridge` command."""
        return self.command(str(self.directory / "version/bin/sipbridge"), *arguments)

    def service(self, unit: str) -> list[str]:
        """What runs for as long as a service does, and prints what it prints: here the command that its unit starts."""
        if unit == "sipbridge.service":
            return self.sipbridge("run")
        text = self.path(f"/etc/systemd/system/{unit}").read_text()
        (line,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
        return self.command(*shlex.split(line.removeprefix("ExecStart=")))

    def path(self, path: str) -> Path:
        """Where a path below its /etc or /run is to us."""
        return self.directory / path.removeprefix("/")

    @property
    def freeswitch_log(self) -> Path:
        """The log file of its FreeSWITCH."""
        return self.directory / "log/freeswitch.log"


class BootedServer(RoleServer):
    """One that has booted: services run already when the roles have been applied."""

    _pid = os.environ.get("SIPBRIDGE_TEST_PID", "")

    def _place(self) -> dict[str, Any]:
        # Each FreeSWITCH has a log of its own.
        return {"freeswitch_log_dir": f"/var/log/{self.directory.parent.name}", "sipbridge_providers_file": ""}

    def _play(self) -> None:
        self._run(str(_PLAYBOOK_PROGRAM), "-i", INVENTORY or "", str(_ANSIBLE / "playbooks/site.yml"))

    def command(self, *command: str) -> list[str]:
        return ["nsenter", "--target", self._pid, "--mount", "--pid", "--uts", "--ipc", "--net", "--", *command]

    def sipbridge(self, *arguments: str) -> list[str]:
        return self.command("/usr/local/bin/sipbridge", *arguments)

    def service(self, unit: str) -> list[str]:
        return self.command("journalctl", "--follow", "--output=cat", f"--unit={unit}")

    def path(self, path: str) -> Path:
        return Path(f"/proc/{self._pid}/root{path}")

    @property
    def freeswitch_log(self) -> Path:
        return self.path(f"/var/log/{self.directory.parent.name}/freeswitch.log")


class RoleSwitch(FreeSwitch):
    """The FreeSWITCH of such a server."""

    password = _PASSWORD

    def __init__(self, server: RoleServer) -> None:
        self._server = server
        self._profile_count = 2
        self.directory = server.directory
        self.ip = server.ip
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        self.inside, self.inside_tls, self.providers, self.providers_tls = (
            f"{host}:{server.ports[name]}" for name in _PORTS[:4]
        )
        self.event_socket_port = server.ports["event_socket_port"]
        self.spool = server.path("/run/sipbridge-spool/gateways.xml")
        self.log_file = server.freeswitch_log
        self.start()

    def _command(self, program: str) -> list[str]:
        return self._server.service("freeswitch.service")


class RoleBridge(Bridge):
    """The `sipbridge run` of such a server."""

    def __init__(self, server: RoleServer) -> None:
        self._server = server
        self._control_socket = server.path("/run/sipbridge/control.sock")
        self._output = server.directory / "sipbridge.txt"
        self.settings_file = server.path("/etc/sipbridge/sipbridge.toml")
        self.providers_file = server.path("/etc/sipbridge/providers.json")
        self.http_port = server.http_port
        self.start()

    def _command(self, *arguments: str) -> list[str]:
        return (
            self._server.service("sipbridge.service") if arguments == ("run",) else self._server.sipbridge(*arguments)
        )


def _may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


NEEDS_ROLES = [
    pytest.mark.skipif(not _PLAYBOOK_PROGRAM.exists(), reason="make lint-ansible installs Ansible"),
    pytest.mark.skipif(not _may_mount(), reason="no mount namespaces: needs CAP_SYS_ADMIN"),
]
"""Marks of a test that applies the roles."""
