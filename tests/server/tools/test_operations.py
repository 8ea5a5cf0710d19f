"""The four tools that open every service: what a model reads of them, and what they cost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from support.foreign import Says, serving
from support.host import FakeHost, call
from support.services import FakeCatalog, FakeLedger
from wand_proto.errors import NotFound
from wand_server import scopes
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.offers import Choice
from wand_server.tools import direct, operations
from wand_server.tools.direct import Operations
from wand_server.tools.offered import Offered
from wand_server.tools.registry import Registry

NOTES = Says(body={"notes": [{"id": 1, "text": "a\U000e0041"}], "id": 2})


@asynccontextmanager
async def tools(*answers: Says) -> AsyncIterator[Registry]:
    async with registered(0, *answers) as registry:
        yield registry


@asynccontextmanager
async def registered(most: int, *answers: Says, **table: object) -> AsyncIterator[Registry]:
    """All the tools, of which at most so many operations are."""
    async with serving(*(answers or (NOTES,))) as service:
        instances = Instances(FakeCatalog(), FakeLedger(), lambda: "a1", Sources({"NOTES": "s3cr3t-x"}))
        instances.configure({"notes": {"token": "env:NOTES", "base_url": service.url, **table}})
        try:
            family = Operations(instances, most)
            yield Registry(FakeHost(), operations.entries(instances), family)
        finally:
            await instances.close()


async def said(registry: Registry, name: str, **given: object) -> str:
    return (await registry.call(name, given, call())).text


async def test_an_operation_is_found_described_and_called() -> None:
    async with tools() as registry:
        found = await said(registry, "find_operations", query="write something down as a note")
        assert found.splitlines()[0] == "notes.write_note [changes]: Write a note."
        described = await said(registry, "describe_operation", operation="notes.write_note")
        assert described.startswith("notes.write_note: Write a note.\nCall it with call_operation_write.")
        assert '"required": ["text"]' in described
        result = await registry.call(
            "call_operation_write", {"operation": "notes.write_note", "arguments": {"text": "x"}}, call()
        )
        assert (json.loads(result.text), result.structured["result"]) == ({"id": 2, "text": ""},) * 2


async def test_what_is_left_out_of_a_list_of_operations_is_said_to_be() -> None:
    async with tools() as registry:
        some = await said(registry, "find_operations", limit=1)
        every = await said(registry, "find_operations", limit=100)
    more = "There are more: say what for, name a service, or raise limit. Configured are: notes"
    assert some.splitlines() == [every.splitlines()[0], more]
    assert "There are more" not in every


async def test_what_changes_nothing_is_called_by_another_tool() -> None:
    async with tools() as registry:
        assert await said(registry, "call_operation", operation="notes.write_note") == (
            "Denied: operation: notes.write_note changes something\nHint: call it with call_operation_write"
        )
        assert '"text": "a\\\\u{e0041}"' in await said(
            registry, "call_operation", operation="notes.list_notes"
        )
        marks = {one.name: (one.read_only, one.destructive) for one in registry.describe()}
        assert marks["call_operation"] == (True, False)
        assert marks["call_operation_write"] == (False, True)


async def test_a_result_that_is_too_long_is_cut_and_says_so() -> None:
    long = Says(body={"notes": [{"id": 1, "text": "x" * 100_000}]})
    async with tools(long) as registry:
        result = await registry.call("call_operation", {"operation": "notes.list_notes"}, call())
        assert result.text.startswith("It is too long, so this is the beginning.")
        assert len(json.dumps(result.structured)) < 60_000


DIRECT = ["notes-list_notes", "notes-write_note", "notes-delete_note"]
GENERAL = ["find_operations", "describe_operation", "call_operation", "call_operation_write"]


@pytest.mark.parametrize(
    ("most", "table", "listed"),
    [
        (3, {}, DIRECT),
        (40, {"read_only": True}, ["notes-list_notes"]),
        (2, {}, GENERAL),
        (0, {}, GENERAL),
    ],
)
async def test_few_operations_are_tools_of_their_own(
    most: int, table: dict[str, object], listed: list[str]
) -> None:
    async with registered(most, **table) as registry:
        described = [one for one in registry.describe() if one.toolset == "integrations"]
        assert [one.name for one in described] == listed


async def test_operations_that_would_make_the_list_too_long_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MOST_TOKENS", 1500)
    async with registered(3) as registry:
        assert [one.name for one in registry.describe()][-4:] == GENERAL


@pytest.mark.parametrize("name", ["notes.list_notes", "notes-list_notes"])
@pytest.mark.parametrize("most", [0, 3])
async def test_every_operation_can_be_called_by_its_name(name: str, most: int) -> None:
    async with registered(most) as registry:
        offered = Offered(registry)
        result = await offered.call(name, {}, call())
        assert result.structured["result"] == [{"id": 1, "text": "a\\u{e0041}"}]
        tool = offered.unlisted(name)
        assert tool is not None
        assert (tool.name, tool.read_only, scopes.needed_by(tool)) == ("notes-list_notes", True, scopes.READ)
        assert (await said(registry, "find_operations")).startswith("notes.")


@pytest.mark.parametrize(
    ("choice", "refused"),
    [
        (Choice(disabled=("call_operation_write",)), "notes.write_note"),
        (Choice(disabled=("integrations",)), "notes.list_notes"),
        (Choice(disabled=("notes-list_notes",)), "notes.list_notes"),
        (Choice(enabled=("call_operation",)), "notes.write_note"),
        (Choice(read_only=True), "notes-write_note"),
        (Choice(), "notes.none"),
        (Choice(), "other.list_notes"),
    ],
)
async def test_what_may_not_be_called_by_a_general_tool_may_not_by_its_name(
    choice: Choice, refused: str
) -> None:
    async with registered(0) as registry:
        with pytest.raises(NotFound):
            await Offered(registry, choice).call(refused, {}, call())


def test_without_a_service_they_are_not_listed() -> None:
    instances = Instances(FakeCatalog(), FakeLedger(), lambda: "a1")
    listed = {one.name for one in Registry(FakeHost(), operations.entries(instances)).describe()}
    assert not listed & {"find_operations", "describe_operation", "call_operation", "call_operation_write"}
