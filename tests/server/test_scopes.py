"""Which scope opens which tool, as a table."""

import pytest

from support.host import FakeHost
from support.tools import described
from wand_proto.errors import Invalid
from wand_server import scopes
from wand_server.scopes import EVERYDAY, InsufficientScope
from wand_server.tools.registry import Registry

CHANGING = {"write_file", "manage_file"}
LOOKING = {
    "read_file", "list_directory", "search_files", "list_jobs",
    "get_system_info", "get_system_status", "check_command_exists",
}  # fmt: skip


def opened_by(*granted: str) -> list[str]:
    tools = Registry(FakeHost()).describe()
    return [tool.name for tool in tools if scopes.may_call(frozenset(granted), tool)]


@pytest.mark.parametrize(
    ("granted", "opens"),
    [
        (["wand:read"], LOOKING),
        (["wand:write"], CHANGING),
        (["wand:execute"], {"execute_command", "send_input"}),
        (["wand:admin"], set()),
        (["wand:tool:write_file"], {"write_file"}),
        (["wand:tool:write_file", "wand:tool:send_input"], {"write_file", "send_input"}),
        (["wand:tool:"], set()),
        (["read", "WAND:READ", "wand:read ", "wand:*"], set()),
        ([], set()),
        (EVERYDAY, LOOKING | CHANGING | {"execute_command", "send_input"}),
    ],
)
def test_scopes_open_these_tools_and_no_others(granted: list[str], opens: set[str]) -> None:
    assert set(opened_by(*granted)) == opens


def test_what_is_opened_stands_in_the_order_of_all_tools() -> None:
    everything = opened_by(*EVERYDAY)

    assert opened_by("wand:read") == [name for name in everything if name in LOOKING]


def test_a_tool_that_changes_something_unknown_needs_the_strongest() -> None:
    assert scopes.needed_by(described("odd", read_only=False)) == scopes.EXECUTE


def test_a_refusal_names_what_is_needed_and_what_there_is() -> None:
    with pytest.raises(InsufficientScope, match=r"x needs the scope wand:read \(.*: wand:write\)"):
        raise InsufficientScope("x", scopes.READ, {"wand:write"})


def test_of_a_token_s_words_only_ours_count() -> None:
    said = ["openid", "wand:read", "wand:root", "wand:tool:x", "wand:tool:x\r\nSet-Cookie: a", "wand:tool:é"]

    assert scopes.known(said) == {"wand:read", "wand:tool:x"}


def test_a_scope_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match=r"'wand:root' is no scope \(there are wand:read, "):
        scopes.read(["wand:read", "wand:root"])
