"""The boundary of a tool call: what a client is told, whatever it sent and whatever went wrong."""

import json
import logging
from typing import Any, ClassVar

import pytest

from support.host import FakeHost, call, refusing
from wand_proto.errors import FAMILY, Denied, NotFound, WandError
from wand_server.tools.registry import BUILT_IN, Extensions, Registry

NAMES = [
    "execute_command",
    "send_input",
    "list_jobs",
    "read_file",
    "write_file",
    "manage_file",
    "list_directory",
    "search_files",
    "get_system_info",
    "get_system_status",
    "check_command_exists",
]
LIST_CEILING_BYTES = 12_600  # of JSON: about 3,150 tokens


def test_the_tools_come_always_in_the_same_order() -> None:
    assert [tool.name for tool in Registry(FakeHost()).describe()] == NAMES


def test_the_whole_list_stays_small() -> None:
    parts = [
        (tool.name, tool.title, tool.description, tool.input_schema, tool.output_schema)
        for tool in Registry(FakeHost()).describe()
    ]
    bytes_of_json = len(json.dumps(parts, separators=(",", ":")))

    said = f"the list takes {bytes_of_json} bytes of every client's context: shorten it, or raise the ceiling"
    assert bytes_of_json < LIST_CEILING_BYTES, said


@pytest.mark.parametrize("tool", Registry(FakeHost()).describe(), ids=lambda tool: tool.name)
def test_no_schema_holds_titles_references_or_choices_at_its_top(tool: Any) -> None:
    for schema in filter(None, (tool.input_schema, tool.output_schema)):
        assert schema["type"] == "object"
        assert not {"anyOf", "oneOf", "allOf", "$ref", "$defs", "title"} & set(schema)
        assert "$ref" not in json.dumps(schema)
    assert tool.input_schema["additionalProperties"] is False


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_what_only_reads_is_never_marked_destructive(kind: Any) -> None:
    assert not (kind.read_only and kind.destructive)
    assert kind.read_only == (kind.name not in {"execute_command", "send_input", "write_file", "manage_file"})


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("execute_command", {"comand": "ls"}, "comand: there is no such argument; did you mean command?"),
        ("execute_command", {}, "give exactly one of command (shell text) and argv"),
        ("execute_command", {"command": "ls", "argv": ["ls"]}, "give exactly one of command"),
        ("execute_command", {"argv": [""]}, "the first word of argv must be a program"),
        ("execute_command", {"argv": "ls"}, 'argv: must be a list, not "ls"'),
        ("execute_command", {"command": "a\0b"}, "a NUL character cannot be part"),
        (
            "execute_command",
            {"command": "ls", "timeout_seconds": 0},
            "timeout_seconds: must be above 0, not 0",
        ),
        (
            "execute_command",
            {"command": "ls", "environment": {"A": 1}},
            "environment.A: must be text, not 1",
        ),
        ("execute_command", {"command": "cat", "stdin": "x" * 2**21}, "stdin can be at most 1 MiB"),
        (
            "execute_command",
            {"command": "ls", "timeout_seconds": 1e9},
            "timeout_seconds: must be at most 86400",
        ),
        ("read_file", {}, "path: is missing"),
        ("read_file", {"path": ""}, "path: must not be empty"),
        ("read_file", {"path": "a", "offset": 1, "first_line": 1}, "give either lines"),
        ("read_file", {"path": "wand://jobs/../x"}, "path: wand://jobs/../x is not the output of a job"),
        ("write_file", {"path": "a"}, "give exactly one of content (the text to write) and edits"),
        ("write_file", {"path": "a", "edits": [{"old_text": "x"}]}, "edits[0].new_text: is missing"),
        (
            "write_file",
            {"path": "a", "edits": [{"oldText": "x", "new_text": ""}]},
            "edits[0].oldText: there is no such argument; did you mean old_text?",
        ),
        ("write_file", {"path": "a", "edits": "[1"}, 'edits: must be a list, not "[1"'),
        (
            "write_file",
            {"path": "a", "mode": "append", "edits": [{"old_text": "x", "new_text": ""}]},
            "mode and create_directories go with content",
        ),
        (
            "write_file",
            {"path": "a", "content": "", "mode": "w"},
            "mode: must be 'create', 'replace' or",
        ),
        (
            "write_file",
            {"path": "a", "content": "", "expected_sha256": "x"},
            "expected_sha256: must match ^",
        ),
        ("list_directory", {"depth": 99}, "depth: must be at most 8, not 99"),
        ("search_files", {"context_lines": -1}, "context_lines: must be at least 0"),
        ("get_system_info", {"verbose": True}, "verbose: there is no such argument; the tool takes none"),
        ("check_command_exists", {"name": "git"}, "name: there is no such argument; did you mean names?"),
        ("check_command_exists", {"names": []}, "names: must not be empty"),
        ("check_command_exists", {"names": ["x"] * 65}, "names: must have at most 64 items"),
        ("read_file", {"path": "a", "offset": 10**30}, "offset: must be at most 9007199254740991"),
        ("read_file", {"path": "a", "x" * 9999: 1}, f"{'x' * 80}...: there is no such argument"),
    ],
)
async def test_arguments_that_do_not_fit_are_named_one_by_one(tool: str, arguments: Any, said: str) -> None:
    host = FakeHost()

    result = await Registry(host).call(tool, arguments, call())

    assert result.is_error
    assert result.text.startswith("Invalid: ")
    assert said in result.text
    assert host.asked == []


async def test_null_stands_for_an_argument_that_is_left_out() -> None:
    arguments = {"command": "ls", "argv": None, "timeout_seconds": None, "stdin": None}

    assert not (await Registry(FakeHost()).call("execute_command", arguments, call())).is_error


@pytest.mark.parametrize(
    ("tool", "arguments", "as_it_is_meant"),
    [
        ("execute_command", {"argv": '["ls", "-l"]'}, {"argv": ["ls", "-l"]}),
        (
            "execute_command",
            {"command": "ls", "environment": '{"A": "b"}'},
            {"command": "ls", "environment": {"A": "b"}},
        ),
        (
            "write_file",
            {"path": "a", "edits": '[{"old_text": "x", "new_text": "[1]"}]'},
            {"path": "a", "edits": [{"old_text": "x", "new_text": "[1]"}]},
        ),
        ("write_file", {"path": "a", "content": "[1]"}, {"path": "a", "content": "[1]"}),  # text stays text
        (
            "write_file",
            {
                "path": "a",
                "mode": "create",
                "edits": [{"old_text": "x", "new_text": ""}],
            },  # the default, said
            {"path": "a", "edits": [{"old_text": "x", "new_text": ""}]},
        ),
    ],
)
async def test_what_models_write_another_way_is_read_as_it_is_meant(
    tool: str, arguments: Any, as_it_is_meant: Any
) -> None:
    said, meant = FakeHost(), FakeHost()

    result = await Registry(said).call(tool, arguments, call())
    await Registry(meant).call(tool, as_it_is_meant, call())

    assert not result.is_error
    assert said.asked == meant.asked != []


async def test_an_unknown_tool_is_not_found_and_the_nearest_is_named() -> None:
    with pytest.raises(NotFound, match="did you mean execute_command"):
        await Registry(FakeHost()).call("execute_comand", {}, call())


async def test_a_refusal_says_what_is_permitted_and_carries_no_object() -> None:
    host = refusing(Denied("rm is denied", hint="git is permitted"))

    result = await Registry(host).call("execute_command", {"command": "rm x"}, call())

    assert result.text == "Denied: rm is denied\nHint: git is permitted"
    assert (result.is_error, result.structured) == (True, {})


@pytest.mark.parametrize("kind", FAMILY.values())
@pytest.mark.parametrize(("tool", "arguments"), [("read_file", {"path": "a"}), ("get_system_status", {})])
async def test_every_error_of_the_family_is_a_result(
    kind: type[WandError], tool: str, arguments: dict[str, Any]
) -> None:
    result = await Registry(refusing(kind("no"))).call(tool, arguments, call())

    assert (result.is_error, result.text) == (True, f"{kind.__name__}: no")


async def test_a_defect_is_logged_whole_and_told_without_its_insides(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = FakeHost(error=ZeroDivisionError("secret"))

    with caplog.at_level(logging.ERROR):
        result = await Registry(host).call("get_system_info", {}, call())

    assert result.is_error
    assert "r1" in result.text
    assert "secret" not in result.text
    assert "ZeroDivisionError: secret" in caplog.text


class Doubler:
    """Twice a number."""

    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"number": {"type": "integer"}},
        "required": ["number"],
    }

    def get_schema(self) -> dict[str, Any]:
        return self.schema

    async def execute(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"result": 2 * params["number"]}


async def test_a_class_of_the_plain_form_becomes_a_tool() -> None:
    tool_registry = Extensions()
    assert tool_registry.register("double")(Doubler) is Doubler
    registry = Registry(FakeHost(), tool_registry.entries())

    result = await registry.call("double", {"number": 21}, call())

    assert (result.structured, result.text) == ({"result": 42}, '{"result": 42}')
    assert [tool.name for tool in registry.describe()] == [*NAMES, "double"]
    assert registry.describe()[-1].description == "Twice a number."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Invalid: number: is missing"),
        ({"number": "1"}, 'Invalid: number: must be of type integer, not "1"'),
        ({"number": True}, "Invalid: number: must be of type integer, not true"),
        ({"number": 1, "numbr": 2}, "Invalid: numbr: there is no such argument; did you mean number?"),
    ],
)
async def test_the_parameters_of_a_plain_tool_are_checked(arguments: dict[str, Any], said: str) -> None:
    tool_registry = Extensions()
    tool_registry.register("double")(Doubler)

    result = await Registry(FakeHost(), tool_registry.entries()).call("double", arguments, call())

    assert (result.is_error, result.text) == (True, said)


@pytest.mark.parametrize("name", ["", "a b", "execute_command", "x" * 65, "double"])
def test_a_name_that_is_taken_or_odd_cannot_be_registered(name: str) -> None:
    tool_registry = Extensions()
    tool_registry.register("double")(Doubler)

    with pytest.raises(ValueError, match="tool"):
        tool_registry.register(name)


def test_a_class_without_the_two_methods_is_no_tool() -> None:
    with pytest.raises(ValueError, match="needs the methods execute and get_schema"):
        Extensions().register("nothing")(object)
