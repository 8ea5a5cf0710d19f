"""One Wand for the tests of this folder, and the clients that `./dev clients` installs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clients import Clients, find_chromium, find_claude, find_fastmcp, find_node
from support.running import Running, embedded


@pytest.fixture(scope="session")
def wand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running Wand whose workspace holds one small file."""
    base = tmp_path_factory.mktemp("wand")
    make_workspace(base / "work")
    with embedded(base / "work", base / "state") as running:
        yield running


def make_workspace(folder: Path) -> None:
    folder.mkdir()
    (folder / "poem.txt").write_text("the quick brown fox\njumps over\nthe lazy dog\n")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder such as the running Wand's, for a Wand that a client starts."""
    make_workspace(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    node = find_node()
    if node is None:
        pytest.skip("the clients are not installed: run ./dev clients (it needs npm)")
    return Clients(node=node, home=tmp_path)


@pytest.fixture
def claude(clients: Clients) -> Path:
    found = find_claude()
    if found is None:
        pytest.skip("npm has no Claude Code for this machine")
    return found


@pytest.fixture
def fastmcp() -> Path:
    found = find_fastmcp()
    if found is None:
        pytest.skip("FastMCP is not installed: run ./dev clients")
    return found


@pytest.fixture
def chromium(clients: Clients) -> str:
    found = find_chromium()
    if found is None:
        pytest.skip("there is no Chromium here")
    return found
