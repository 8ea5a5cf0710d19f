"""Three distributions, one version; every dependency in the lock, and no address in it."""

import re
import tomllib
from typing import Any

import pytest

import wand_hostagent
from support import tree

MEMBERS = ("proto", "hostagent", "server")
SIBLINGS = {"wand-proto", "wand-hostagent", "wand-server"}
LOCKS = sorted((tree.ROOT / "packaging" / "locks").glob("*.txt"))


def project(member: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((tree.ROOT / member / "pyproject.toml").read_text())["project"]
    return found


def canonical(requirement: str) -> str:
    """The name alone, as an index spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;@]", requirement, maxsplit=1)[0]).lower()


def pins(lock: str) -> set[str]:
    text = (tree.ROOT / "packaging" / "locks" / lock).read_text()
    return {canonical(found) for found in re.findall(r"^([A-Za-z0-9][\w.\[\]-]*)==", text, re.MULTILINE)}


def test_the_three_distributions_have_one_version() -> None:
    assert len({project(member)["version"] for member in (*MEMBERS, ".")}) == 1


def test_the_version_that_the_host_agent_says_is_that_of_its_distribution() -> None:
    assert project("hostagent")["version"] == wand_hostagent.VERSION


@pytest.mark.parametrize("member", MEMBERS)
def test_a_sibling_is_pinned_to_this_very_version(member: str) -> None:
    about = project(member)
    siblings = [need for need in about.get("dependencies", []) if canonical(need) in SIBLINGS]
    assert siblings == [f"{canonical(need)}=={about['version']}" for need in siblings]


@pytest.mark.parametrize(
    ("lock", "members"),
    [("dev.txt", MEMBERS), ("hostagent.txt", ("proto", "hostagent")), ("server.txt", ("proto", "server"))],
)
def test_a_lock_pins_everything_that_its_projects_name(lock: str, members: tuple[str, ...]) -> None:
    named = {canonical(need) for member in members for need in project(member)["dependencies"]} - SIBLINGS
    assert named <= pins(lock), f"run ./dev lock: {lock} lacks {named - pins(lock)}"


def test_the_lock_of_the_workshop_pins_every_tool() -> None:
    groups = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert {canonical(need) for need in groups["dev"]} <= pins("dev.txt")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.name))
def test_a_lock_holds_no_address(lock: Any) -> None:
    assert not [line for line in lock.read_text().splitlines() if "://" in line or "file:" in line]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.name))
def test_every_pin_in_a_lock_has_a_hash(lock: Any) -> None:
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    assert not [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]


def test_the_launchers_half_of_the_house_needs_no_web_framework() -> None:
    assert not pins("hostagent.txt") & {"aiohttp", "mcp", "pydantic", "uvicorn", "starlette"}
