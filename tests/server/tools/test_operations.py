"""The four tools that open every service: what a model reads of them, and what they cost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from support.foreign import Says, serving
from support.host import FakeHost, call
from support.services import FakeCatalog, FakeLedger
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.tools import operations
from wand_server.tools.registry import Registry

NOTES = Says(body={"notes": [{"id": 1, "text": "a\U000e0041"}], "id": 2})


@asynccontextmanager
async def tools(*answers: Says) -> AsyncIterator[Registry]:
    async with serving(*(answers or (NOTES,))) as service:
        instances = Instances(FakeCatalog(), FakeLedger(), lambda: "a1", Sources({"NOTES": "s3cr3t-x"}))
        instances.configure({"notes": {"token": "env:NOTES", "base_url": service.url}})
        try:
            yield Registry(FakeHost(), operations.entries(instances))
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
        assert result.text.startswith("It is too long, so this is the beginning; ask for less.")
        assert len(json.dumps(result.structured)) < 60_000


def test_without_a_service_they_are_not_listed() -> None:
    instances = Instances(FakeCatalog(), FakeLedger(), lambda: "a1")
    listed = {one.name for one in Registry(FakeHost(), operations.entries(instances)).describe()}
    assert not listed & {"find_operations", "describe_operation", "call_operation", "call_operation_write"}
