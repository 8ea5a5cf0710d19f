"""What the tools promise in their schemas, and whether they keep it."""

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no stubs

from support.host import FILE, FakeHost, call, outcome
from wand_server import ports
from wand_server.model import ToolDescription
from wand_server.schema import schema_of
from wand_server.tools.registry import BUILT_IN, Registry

ANSWER_OF = {tool.name: tool.answer for tool in BUILT_IN}
TOOLS = {tool.name: tool for tool in Registry(FakeHost()).describe()}
FOUND = ports.Found(
    path="/work",
    matches=(ports.Match(path="a", line=1, text="x", before=("w",)), ports.Match(path="b", line=0, text="")),
    truncated=True,
    files_searched=1,
    files_skipped=0,
)
PART = ports.OutputPart(data=b"x", offset=0, total_bytes=9, running=False)
LISTED = ports.FileEntry(path="a", kind="link", bytes=1, modified_unix_seconds=0.0, mode=0, target="b")
ANSWERS: list[tuple[str, dict[str, Any], FakeHost]] = [
    ("execute_command", {"command": "ls"}, FakeHost()),
    (
        "execute_command",
        {"argv": ["ls"]},
        FakeHost(outcome=outcome(b"x", exit_code=None, signal=9, reason="timed_out")),
    ),
    ("execute_command", {"command": "ls", "background": True, "terminal": True}, FakeHost()),
    ("send_input", {"job": "j1", "key": "up", "wait_seconds": 0}, FakeHost(part=replace(PART, running=True))),
    ("send_input", {"job": "j1", "text": "y\n", "columns": 80, "rows": 24}, FakeHost()),
    ("read_file", {"path": "a"}, FakeHost()),
    ("read_file", {"path": "a", "offset": 1}, FakeHost(file=replace(FILE, first_line=0, total_bytes=99))),
    ("read_file", {"path": "wand://jobs/j1/stdout"}, FakeHost()),
    ("write_file", {"path": "a", "content": ""}, FakeHost()),
    ("list_directory", {}, FakeHost(listing=ports.Listing(path="/", entries=(LISTED,), truncated=False))),
    ("search_files", {"pattern": "x"}, FakeHost(found=FOUND)),
    ("get_system_info", {}, FakeHost()),
    ("get_system_status", {}, FakeHost()),
    (
        "check_command_exists",
        {"names": ["su"]},
        FakeHost(commands=(ports.FoundCommand(name="su", path="", permitted=False),)),
    ),
]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: str(tool.name))
def test_every_schema_is_one_of_2020_12_and_bounds_only_what_it_can(tool: ToolDescription) -> None:
    Draft202012Validator.check_schema(tool.input_schema)
    for part in tool.input_schema["properties"].values():
        assert part.get("type") == "string" or not {"maxLength", "minLength"} & set(part)


@pytest.mark.parametrize(("tool", "arguments", "host"), ANSWERS, ids=lambda part: str(part)[:30])
async def test_every_answer_is_as_its_schema_says(
    tool: str, arguments: dict[str, Any], host: FakeHost
) -> None:
    result = await Registry(host).call(tool, arguments, call())

    Draft202012Validator(TOOLS[tool].input_schema).validate(arguments)
    Draft202012Validator(schema_of(ANSWER_OF[tool], "serialization")).validate(result.structured)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: str(tool.name))
def test_each_argument_has_one_type_for_clients_that_know_no_lists_of_them(tool: ToolDescription) -> None:
    assert all(isinstance(part.get("type", ""), str) for part in tool.input_schema["properties"].values())


async def test_of_what_was_found_only_what_there_is_to_tell_is_told() -> None:
    result = await Registry(FakeHost(found=FOUND)).call("search_files", {"pattern": "x"}, call())

    assert result.structured["matches"] == [
        {"path": "a", "line": 1, "text": "x", "before": ["w"]},
        {"path": "b"},
    ]
