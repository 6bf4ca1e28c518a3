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
