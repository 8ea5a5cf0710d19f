"""Which folders a project may have, as the host tells by the tools."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from support.host import call
from support.tools import FakeTools, described
from wand_proto.errors import Denied, WandError, named
from wand_server.model import Call, ToolResult, refusal
from wand_server.orchestrator import folders


@dataclass
class Listing(FakeTools):
    """list_directory fails as it is told to, by path."""

    says: dict[str, WandError] = field(default_factory=dict)

    async def _list_directory(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        error = self.says.get(arguments.get("path", ""))
        return refusal(error) if error else ToolResult(text="")


def tools(**says: WandError) -> Listing:
    return Listing(tools=(described("list_directory"),), says=says)


@pytest.mark.parametrize("kind", ["NotFound", "Unavailable", "NeedsApproval", "BrokenPolicy", "TimedOut"])
async def test_what_is_no_word_against_the_folder_lets_it_be(kind: str) -> None:
    is_there = await folders.need(tools(web=named(kind, "list of web")), call(), "web")
    assert is_there is (kind != "NotFound")


@pytest.mark.parametrize("kind", ["Denied", "Invalid", "Conflict"])
async def test_a_folder_that_is_none_is_refused_in_the_words_of_the_host(kind: str) -> None:
    said = named(kind, "no rule permits list of /etc", hint="permitted: everything in /srv", field="path")
    with pytest.raises(WandError) as refused:
        await folders.need(tools(web=said), call(), "web")

    found = refused.value
    assert (type(found).__name__, found.field, found.message) == (kind, "workspace", said.message)
    assert found.hint == "permitted: everything in /srv"


async def test_whoever_has_no_file_tools_may_name_a_folder_for_commands() -> None:
    no = Denied("no rule permits it", hint="the policy permits you no file tool")
    asked = tools(web=no)
    asked.says[""] = no
    await folders.need(asked, call(), "web")
    await folders.need(FakeTools(), call(), "web")
