"""The tool of docs/how-to/add-a-tool.md, as a reader would add it."""

import asyncio
import re
import sys
import textwrap
from types import ModuleType

import pytest

from support.host import FakeHost, call, outcome
from support.tree import ROOT
from wand_server.tools import registry

PAGE = ROOT / "docs" / "how-to" / "add-a-tool.md"
_BLOCK = re.compile(r"^   ```python\n(.*?)^   ```$", re.MULTILINE | re.DOTALL)  # those of the steps


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the page, its tool in the list, and the test of the page as a module."""
    tool, test = (textwrap.dedent(text) for text in _BLOCK.findall(PAGE.read_text()))
    changes, its_test = ModuleType("changes"), ModuleType("test_changes")
    monkeypatch.setitem(sys.modules, "changes", changes)
    exec(tool, vars(changes))
    monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, vars(changes)["RecentChanges"]))
    exec(test, vars(its_test))
    return its_test


def test_the_test_of_the_page_passes(written: ModuleType) -> None:
    asyncio.run(written.test_commits_are_told_a_line_each())


async def test_what_the_program_says_of_its_failure_is_told(written: ModuleType) -> None:
    host = FakeHost(outcome=outcome(b"", b"fatal: not a git repository\n", exit_code=128))

    result = await registry.Registry(host).call("recent_changes", {"directory": "/srv"}, call())

    assert result.is_error
    assert result.text == "NotFound: directory: fatal: not a git repository"
