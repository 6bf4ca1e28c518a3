"""The lock file matches pyproject.toml, and contains nothing specific to the machine that made it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
LOCK = ROOT.joinpath("requirements.lock").read_text()
_ENTRY = re.compile(r"^([a-z0-9-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def locked() -> Mapping[str, str]:
    """Versions by name."""
    return {canonicalize_name(name): version for name, version, _hashes in _ENTRY.findall(LOCK)}


@pytest.mark.parametrize("dependency", PROJECT["dependencies"])
def test_every_dependency_is_locked_in_a_version_that_will_do(locked: Mapping[str, str], dependency: str) -> None:
    wanted = Requirement(dependency)
    assert locked[canonicalize_name(wanted.name)] in wanted.specifier


def needs(name: str) -> list[Requirement]:
    """What a dependency asks for; nothing of one that is not installed, because another 3.11 than this wants it."""
    try:
        return [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize("python", ["3.11.2", "3.11.13"], ids=["Debian 12", "newer"])
def test_so_is_what_they_depend_on_themselves(locked: Mapping[str, str], python: str) -> None:
    environment = {"extra": "", "python_version": "3.11", "python_full_version": python}
    missing = {
        canonicalize_name(wanted.name)
        for name in locked
        for wanted in needs(name)
        if wanted.marker is None or wanted.marker.evaluate(environment)
    } - locked.keys()
    assert missing == set()


def test_nothing_is_there_but_versions_and_hashes(locked: Mapping[str, str]) -> None:
    left = _ENTRY.sub("", LOCK)
    assert [line for line in left.splitlines() if line and not line.lstrip().startswith("#")] == []
    assert "://" not in LOCK
    assert len(locked) >= len(PROJECT["dependencies"])
