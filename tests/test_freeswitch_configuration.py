"""The configuration of FreeSWITCH without a FreeSWITCH: it parses, and its variables are documented as they are."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[1] / "freeswitch"
FILES = [*ROOT.rglob("*.xml"), *ROOT.rglob("*.inc")]
_SET = re.compile(r'<X-PRE-PROCESS cmd="set" data="(sipbridge_\w+)=([^"]*)"/>')
_ROW = re.compile(r"^\| `(sipbridge_\w+)` \| `([^`]*)` \|", re.MULTILINE)

_APPLICATION = re.compile(r'application="(\w+)"|_execute\(channel, "(\w+)"')
_COMMAND = re.compile(
    r"""\bapi\(f?"(\w+)|"api\ (\w+)|--execute=(\w+)|api_on_\w+=(\w+)
    |"((?:fsctl|show|sofia|(?:global|sched|uuid)_\w+))\ """,
    re.VERBOSE,
)
_FOR_PEOPLE = "acl console_complete create_uuid help hupall interface_allowlist_dump uptime uuid_dump uuid_exists"


def names(pattern: re.Pattern[str], *folders: str, suffixes: tuple[str, ...]) -> set[str]:
    """What a pattern finds in the files of some folders; not in the simulator, which speaks for FreeSWITCH."""
    files = [file for folder in folders for file in (ROOT.parent / folder).rglob("*") if file.suffix in suffixes]
    texts = [file.read_text() for file in files if "simulator" not in file.parts]
    return {name for text in texts for found in pattern.finditer(text) for name in found.groups() if name}


def defaults() -> dict[str, str]:
    """Every variable that vars.xml sets, the example in its first comment left out."""
    return dict(_SET.findall((ROOT / "vars.xml").read_text().partition("-->")[2]))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_file_parses(file: Path) -> None:
    assert len(ElementTree.parse(file).getroot()) > 0


def test_readme_has_every_variable_with_its_default() -> None:
    assert dict(_ROW.findall((ROOT / "README.md").read_text())) == defaults()


def test_every_variable_that_is_used_is_set_and_the_other_way_round() -> None:
    used = {
        name
        for file in FILES
        # In vars.xml one variable may stand in the default of another, which is no use of it.
        for line in file.read_text().splitlines()
        if file.name != "vars.xml" or 'data="sipbridge_' not in line
        for name in re.findall(r"\$\$\{(sipbridge_\w+)\}", line)
    }
    assert used == defaults().keys()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_directives_have_a_line_of_their_own(file: Path) -> None:
    """FreeSWITCH silently drops what stands beside one."""
    text = re.sub("<!--.*?-->", "", file.read_text(), flags=re.DOTALL)
    crowded = [
        line
        for line in text.splitlines()
        if "X-PRE-PROCESS" in line and not re.fullmatch(r"\s*<X-PRE-PROCESS [^<>]*/>", line)
    ]
    assert crowded == []


def test_interface_allowlist_is_what_is_used() -> None:
    """FreeSWITCH 1.11 has no other command and application: one that is missing fails only when it is needed."""
    allowed = ElementTree.parse(ROOT / "autoload_configs/switch.conf.xml").iterfind("interface-allowlist/allow")
    sources, suffixes = ("controller/sipbridge", "freeswitch", "ansible/roles"), (".py", ".xml", ".inc", ".yml")
    commands = names(_COMMAND, *sources, suffixes=suffixes) - {"sofia"} | set(_FOR_PEOPLE.split())
    applications = names(_APPLICATION, *sources, suffixes=suffixes)
    assert sorted(each.attrib["name"] for each in allowed) == sorted(
        [
            *(f"mod_commands.{name}.api" for name in commands),
            *(f"mod_dptools.{name}.app" for name in applications),
            "mod_sofia.sofia.api",
        ]
    )


def test_commands_of_the_tests_are_allowed() -> None:
    switch_conf = (ROOT / "autoload_configs/switch.conf.xml").read_text()
    called = re.compile(r'\bevent_socket\.api\(f?"(\w+)')
    used = names(called, "tests/integration", "tests/support", "tests/contracts", suffixes=(".py",)) - {"sofia"}
    assert {name for name in used if f'"mod_commands.{name}.api"' not in switch_conf} == set()
