"""Where what is relative begins, in a project with a folder."""

from typing import Any

import pytest

from support.host import call
from support.tools import FakeTools
from wand_server.orchestrator.workspace import InWorkspace, placed

TAKES = {
    "path": {"type": "string"},
    "directory": {"type": "string", "default": ""},
    "text": {"type": "string"},
}


@pytest.mark.parametrize(
    ("given", "goes"),
    [
        ({"path": "a.txt"}, {"path": "web/a.txt", "directory": "web"}),
        ({"path": "/etc/hosts", "directory": "/"}, {"path": "/etc/hosts", "directory": "/"}),
        ({"path": "wand://jobs/1/stdout"}, {"path": "wand://jobs/1/stdout", "directory": "web"}),
        ({"path": "x", "directory": "below"}, {"path": "web/x", "directory": "web/below"}),
        ({"path": 1, "text": "a"}, {"path": 1, "text": "a", "directory": "web"}),
    ],
)
def test_relative_places_begin_in_the_folder(given: dict[str, Any], goes: dict[str, Any]) -> None:
    assert placed(given, TAKES, "web") == goes


def test_what_a_tool_does_not_take_is_not_added() -> None:
    assert placed({"text": "a"}, {"text": {"type": "string"}}, "web") == {"text": "a"}


async def test_it_lists_what_there_is_and_calls_it() -> None:
    tools = FakeTools()
    inside = InWorkspace(tools, "web")

    assert inside.describe() == tools.describe()
    assert (await inside.call("echo", {"text": "x"}, call())).text == "x"
