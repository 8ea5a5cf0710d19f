"""Results that are kept: of tools that say so, for whoever asked, until they change something."""

from dataclasses import replace
from typing import Any

import pytest

from support.host import FakeHost, call
from wand_proto.errors import Denied
from wand_server.memory.cache import InMemoryCache
from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.ports import Host
from wand_server.tools.kept import KeptResults
from wand_server.tools.registry import Around, Registry

READS = ToolDescription(
    name="count", title="", description="", input_schema={}, output_schema={},
    read_only=True, destructive=False, idempotent=True, open_world=False, kept_seconds=60,
)  # fmt: skip


class Counts:
    """Tells how often it was called."""

    def __init__(self, description: ToolDescription) -> None:
        self.description = description
        self.times = 0

    def has_subject(self) -> bool:
        return True

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:
        self.times += 1
        if "refuse" in untrusted:
            raise Denied("no")
        return ToolResult(text=f"{self.times}", structured={"n": self.times}, is_error="fail" in untrusted)


BOB = call()._replace(principal=replace(call().principal, name="bob"))


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ([("count", {}, call()), ("count", {}, call())], ["1", "1"]),
        ([("count", {}, call()), ("count", {}, BOB)], ["1", "2"]),
        ([("count", {}, call()), ("count", {"a": 1}, call())], ["1", "2"]),
        ([("count", {"fail": 1}, call()), ("count", {"fail": 1}, call())], ["1", "2"]),
        ([("now", {}, call()), ("now", {}, call())], ["1", "2"]),
        ([("count", {}, call()), ("change", {}, call()), ("count", {}, call())], ["1", "1", "2"]),
        ([("count", {}, call()), ("change", {"refuse": 1}, call()), ("count", {}, call())], ["1", "", "2"]),
        ([("count", {}, call()), ("change", {}, BOB), ("count", {}, call())], ["1", "1", "1"]),
    ],
)
async def test_a_result_is_kept_for_whoever_asked(
    asked: list[tuple[str, dict[str, Any], Call]], got: list[str]
) -> None:
    tools = [
        Counts(READS),
        Counts(replace(READS, name="now", kept_seconds=0)),
        Counts(replace(READS, name="change", read_only=False)),
    ]
    registry = Registry(FakeHost(), tools, around=Around(kept=KeptResults(InMemoryCache(1024 * 1024))))
    results = [await registry.call(name, arguments, who) for name, arguments, who in asked]
    assert [(one.structured and one.text) or "" for one in results] == got
