"""Lock files hold what pyproject.toml asks for, with digests for users, and name no place to get it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "locks").is_dir(), reason="not in a checkout")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"] if (ROOT / "pyproject.toml").is_file() else {}
INSTALLS = {"light": [], "video": ["video"], "serve": ["serve"], "web": ["web"], "dev": ["dev"]}
HASHED = ("build", "tools", "light", "video", "serve", "web")


def wanted(extras: list[str]) -> list[Requirement]:
    """What an install asks for; extras of extras are followed."""
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    todo = list(extras)
    while todo:
        for text in PROJECT["optional-dependencies"][todo.pop()]:
            requirement = Requirement(text)
            if requirement.name == PROJECT["name"]:
                todo += requirement.extras
            else:
                found.append(requirement)
    return found


def locked(name: str) -> list[tuple[Requirement, str]]:
    """Each package of a lock file, with the text that follows it."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    entries = re.split(r"^(?=[A-Za-z])", re.sub(r"^#.*\n", "", text, flags=re.M), flags=re.M)
    return [(Requirement(entry.split("\\")[0].strip()), entry) for entry in entries if entry.strip()]


@pytest.mark.parametrize("name", INSTALLS)
def test_a_lock_holds_what_its_install_asks_for(name: str) -> None:
    """After a change of pyproject.toml `make lock` mends this."""
    versions: dict[str, list[str]] = {}
    for requirement, _ in locked(name):
        (pin,) = requirement.specifier
        assert pin.operator == "==", requirement
        versions.setdefault(canonicalize_name(requirement.name), []).append(pin.version)
    for requirement in wanted(INSTALLS[name]):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found and all(requirement.specifier.contains(version) for version in found), (
            f"locks/{name}.txt has {requirement.name} {found}, pyproject.toml asks for {requirement}; run make lock"
        )


@pytest.mark.parametrize("name", HASHED)
def test_users_locks_have_digests(name: str) -> None:
    for requirement, entry in locked(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), requirement


def test_the_developers_lock_has_torch_of_any_build() -> None:
    versions = {requirement.name: str(requirement.specifier) for requirement, _ in locked("dev")}
    assert f"torch{versions['torch']}" in (ROOT / "constraints-cpu.txt").read_text() and "+" not in "".join(
        versions.values()
    )
    assert "--hash" not in (ROOT / "locks" / "dev.txt").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "locks").glob("*")), ids=lambda path: path.name)
def test_no_lock_names_an_index(path: Path) -> None:
    assert not re.search(r"https?:|file:|--(extra-)?index|--find-links|\bgit\+", path.read_text())
