"""Which tools the settings leave, in lists and in calls."""

import pytest

from support.host import call
from support.tools import FakeTools, described
from wand_proto.errors import Invalid, NotFound
from wand_server.offers import Choice, Tools
from wand_server.tools.offered import Offered

TOOLS = (
    described("run", read_only=False, toolset="commands"),
    described("read", toolset="files"),
    described("write", read_only=False, toolset="files"),
    described("look"),
)


@pytest.fixture
def tools() -> Tools:
    return FakeTools(tools=TOOLS)


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (Choice(), "run read write look"),
        (Choice(disabled=("commands",)), "read write look"),
        (Choice(disabled=("write", "commands")), "read look"),
        (Choice(enabled=("files",)), "read write"),
        (Choice(enabled=("files", "run")), "run read write"),
        (Choice(enabled=("files",), disabled=("write",)), "read"),
        (Choice(read_only=True), "read look"),
    ],
)
def test_a_choice_leaves(tools: Tools, choice: Choice, left: str) -> None:
    assert " ".join(tool.name for tool in Offered(tools, choice).describe()) == left


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(disabled=("reed",)), r"tools\.disabled: 'reed' .*mean read"),
        (Choice(enabled=("shell",)), r"tools\.enabled: 'shell' is no tool and no toolset \(known are: "),
    ],
)
def test_a_name_that_there_is_not_is_refused_and_nothing_changes(
    tools: Tools, choice: Choice, said: str
) -> None:
    offered = Offered(tools)
    before = offered.describe()

    with pytest.raises(Invalid, match=said):
        offered.choose(choice)

    assert offered.describe() is before


async def test_a_tool_that_is_switched_off_cannot_be_called() -> None:
    tools = FakeTools()
    offered = Offered(tools, Choice(enabled=("echo",)))

    with pytest.raises(NotFound, match=r"no tool 'slow' \(there are: echo\)"):
        await offered.call("slow", {}, call())

    assert (tools.calls, offered.choose(Choice()), offered.choose(Choice())) == ([], True, False)


def test_a_tool_without_a_toolset_is_none_of_a_toolset() -> None:
    assert Choice(disabled=("files",)).takes(described("echo"))
