"""The generated parts of the documentation are current, and what the README shows is what is printed."""

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


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("freeswitch/*.md")]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))]

    assert links
    assert [(page.name, target) for page, target in links if not (page.parent / target).exists()] == []
