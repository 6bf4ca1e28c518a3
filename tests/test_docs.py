"""The generated parts of the documentation are current, and the README shows real output."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_references_are_current() -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc on the PATH")
def test_the_man_pages_are_well_formed() -> None:
    pages = sorted(ROOT.glob("docs/man/*"))
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True, check=False)
    # A date would have to change with every release, and says less than the version.
    assert [line for line in run.stdout.splitlines() if "missing date" not in line] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_screens_show_nothing_of_the_machine_that_they_were_made_on() -> None:
    screens = (ROOT / "docs/screens.md").read_text("utf-8")

    assert "$ sipbridge status --watch" in screens
    assert [word for word in ("/tmp", "/root", "/home", "\x1b") if word in screens] == []


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    folders = ("", "docs/", "freeswitch/", "freeswitch/edge/", "ansible/")
    pages = [page for folder in folders for page in ROOT.glob(f"{folder}*.md")]
    links = [
        (page, page.parent / target if target else page, anchor)
        for page in pages
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text("utf-8"))
    ]

    assert links
    assert [(page.name, target) for page, target, _ in links if not target.exists()] == []
    wrong = [(page.name, anchor) for page, target, anchor in links if anchor and anchor not in headings(target)]
    assert wrong == []
