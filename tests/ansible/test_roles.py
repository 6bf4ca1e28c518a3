"""The Ansible roles: cheap consistency checks. On a real Debian: tests/ansible/on-debian."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="make lint-ansible installs Ansible")
pytest.importorskip("ansible", reason="make lint-ansible installs Ansible")

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").iterdir())
UNIT = ANSIBLE / "roles/sipbridge/files/sipbridge.service"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def ansible(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name(program), *arguments]
    return subprocess.run(command, cwd=ANSIBLE, capture_output=True, text=True, check=False)


def rendered(tmp_path: Path, template: str, variables: dict[str, Any], *, of: str = "sipbridge") -> str:
    """What becomes of a template of a role."""
    (tmp_path / "variables.yml").write_text(yaml.safe_dump(variables))
    role = ANSIBLE / "roles" / of
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [*(str(role / part / "main.yml") for part in ("defaults", "vars")), "variables.yml"],
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [
                {
                    "ansible.builtin.template": {
                        "src": str(role / "templates" / template),
                        "dest": str(tmp_path / "out"),
                        "mode": "0600",
                    }
                }
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    run = ansible("ansible-playbook", "-i", "localhost,", str(tmp_path / "play.yml"))
    assert run.returncode == 0, run.stdout + run.stderr
    return (tmp_path / "out").read_text("utf-8")


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_specs(role: str) -> None:
    specs = load(ANSIBLE / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    specified = {name: option for spec in specs.values() for name, option in spec["options"].items()}
    defaults = load(ANSIBLE / f"roles/{role}/defaults/main.yml")

    assert {name: option["default"] for name, option in specified.items() if "default" in option} == defaults
    assert [name for name, option in specified.items() if "default" not in option and not option.get("required")] == []
    assert [name for name in specified if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ANSIBLE / "playbooks").glob("*.yml")))
def test_playbook_parses(playbook: str) -> None:
    run = ansible("ansible-playbook", "--syntax-check", f"playbooks/{playbook}")

    assert run.returncode == 0, run.stdout + run.stderr


def test_settings_become_toml(tmp_path: Path) -> None:
    settings = {
        "calls": {"decline": {"lines_taken": '486 "Busy" Hère'}, "enable_avpf": False},
        "event_socket": {"port": 8022, "backoff_min_s": 0.5},
        "gateways": {"spool_file": "/srv/spool.xml"},
    }

    text = rendered(tmp_path, "sipbridge.toml.j2", {"sipbridge_settings": settings, "sipbridge_redis_password": "any"})

    assert tomllib.loads(text) == {
        "providers_file": "/etc/sipbridge/providers.json",
        "calls": settings["calls"],
        "event_socket": {"port": 8022, "backoff_min_s": 0.5, "password_file": "/etc/sipbridge/event_socket.password"},
        "gateways": settings["gateways"],
        "redis": {"password_file": "/etc/sipbridge/redis.password"},
    }


def test_example_inventory_is_one_that_check_accepts(tmp_path: Path) -> None:
    group = ANSIBLE / "inventories/example/group_vars/sipbridge"
    variables = load(group / "main.yml") | load(group / "vault.yml")
    wanted = ("sipbridge_providers", "sipbridge_settings", "vault_account1_secret")

    (tmp_path / "p.json").write_text(
        rendered(tmp_path, "providers.json.j2", {name: variables[name] for name in wanted})
    )
    (tmp_path / "s.toml").write_text(
        rendered(tmp_path, "sipbridge.toml.j2", {"sipbridge_settings": variables["sipbridge_settings"]})
    )
    run = subprocess.run(
        [sys.executable, "-m", "sipbridge", "check", "--settings", "s.toml", "p.json"],
        cwd=tmp_path,
        env={"SIPBRIDGE_EVENT_SOCKET__PASSWORD": "any"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")


def test_prometheus_gets_every_bridge(tmp_path: Path) -> None:
    text = rendered(tmp_path, "prometheus-targets.yml.j2", {"sipbridge_prometheus_group": "all"})

    assert yaml.safe_load(text) == [{"targets": ["localhost:9461"]}]


def test_example_names_only_variables_that_there_are() -> None:
    group = ANSIBLE / "inventories/example/group_vars/sipbridge"
    known = set(re.findall(r'data="(sipbridge_\w+)=', (ROOT / "freeswitch/vars.xml").read_text("utf-8")))

    assert load(group / "main.yml")["freeswitch_vars"].keys() <= known
    assert "sipbridge_spool" in known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on the PATH")
@pytest.mark.parametrize("unit", ["sipbridge", "freeswitch"])
def test_the_units_expose_little(tmp_path: Path, unit: str) -> None:
    path = UNIT
    if unit == "freeswitch":
        path = tmp_path / "freeswitch.service"
        path.write_text(rendered(tmp_path, "freeswitch.service.j2", {}, of="freeswitch"))

    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert "Overall exposure level" in run.stdout
