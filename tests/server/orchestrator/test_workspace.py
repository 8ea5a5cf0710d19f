"""Where what is relative begins, in a project with a folder."""

from dataclasses import replace
from typing import Any

import pytest

from support.host import call
from support.tools import FakeTools, described
from wand_server.model import Call, ToolResult
from wand_server.orchestrator.workspace import InWorkspace, placed

TAKES = {
    "path": {"type": "string"},
    "directory": {"type": "string", "default": ""},
    "text": {"type": "string"},
    "to": {"type": "string"},
}


@pytest.mark.parametrize(
    ("given", "goes"),
    [
        ({"path": "a.txt"}, {"path": "web/a.txt", "directory": "web"}),
        ({"path": "/etc/hosts", "directory": "/"}, {"path": "/etc/hosts", "directory": "/"}),
        ({"path": "wand://jobs/1/stdout"}, {"path": "wand://jobs/1/stdout", "directory": "web"}),
        ({"path": "x", "directory": "below"}, {"path": "web/x", "directory": "web/below"}),
        ({"path": "x", "to": "y"}, {"path": "web/x", "to": "web/y", "directory": "web"}),
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


class Asked(FakeTools):
    """Answer with what they are asked."""

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        return ToolResult(text=name, structured=arguments)


@pytest.mark.parametrize(
    ("toolset", "name", "goes"),
    [("files", "read_file", "web/a"), ("integrations", "git_operation", "web/a"), ("integrations", "x", "a")],
)
async def test_what_a_service_calls_a_path_is_none_of_the_host(toolset: str, name: str, goes: str) -> None:
    tool = described(name, toolset=toolset)
    tools = Asked(tools=(replace(tool, input_schema={"type": "object", "properties": TAKES}),))
    told = await InWorkspace(tools, "web").call(name, {"path": "a"}, call())
    assert told.structured["path"] == goes
