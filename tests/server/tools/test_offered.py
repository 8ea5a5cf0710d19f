"""Which tools the settings leave, in lists and in calls."""

from typing import cast

import pytest

from support.host import call
from support.tools import FakeTools, described
from wand_proto.errors import Invalid, NotFound
from wand_server.offers import Tools
from wand_server.ports import Host
from wand_server.tools.offered import Choice, Offered
from wand_server.tools.registry import Registry

FILES = ["read_file", "write_file", "list_directory", "search_files"]
HOST = ["get_system_info", "get_system_status", "check_command_exists"]


@pytest.fixture
def built_in() -> Tools:
    return Registry(cast("Host", None))


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (Choice(), ["execute_command", "send_input", *FILES, *HOST]),
        (Choice(disabled=("commands",)), [*FILES, *HOST]),
        (
            Choice(disabled=("write_file", "host", "commands")),
            [name for name in FILES if name != "write_file"],
        ),
        (Choice(enabled=("files",)), FILES),
        (Choice(enabled=("files", "execute_command")), ["execute_command", *FILES]),
        (Choice(enabled=("files",), disabled=("write_file",)), [one for one in FILES if one != "write_file"]),
        (Choice(read_only=True), [one for one in FILES if one != "write_file"] + HOST),
    ],
)
def test_a_choice_leaves(built_in: Tools, choice: Choice, left: list[str]) -> None:
    assert [tool.name for tool in Offered(built_in, choice).describe()] == left


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(disabled=("excute_command",)), r"tools\.disabled: 'excute_command' .*mean execute_command"),
        (Choice(enabled=("shell",)), r"tools\.enabled: 'shell' is no tool and no toolset \(known are: "),
    ],
)
def test_a_name_that_there_is_not_is_refused_and_nothing_changes(
    built_in: Tools, choice: Choice, said: str
) -> None:
    offered = Offered(built_in)
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
