"""Operations as tools of their own: listed where there are few and their schemas fit, callable always."""

import json
import re
from collections.abc import Iterable
from typing import Any

from wand_proto.errors import WandError
from wand_server.model import Call, ToolDescription, ToolResult, tool_name
from wand_server.ports import Host, Integrations, OperationDetail
from wand_server.tools.operations import (
    CallOperation,
    CallOperationWrite,
    DescribeOperation,
    FindOperations,
    told,
)
from wand_server.tools.registry import result_of

MOST_TOKENS = 4000  # of the whole list of tools
_PIECE = re.compile(r"[a-z]{1,9}|[A-Z][a-z]{0,8}|\d{1,3}|[^\sA-Za-z\d]{1,4}")  # of JSON: about a token
_ANNOTATIONS = 10  # pieces, of those that a tool may have
_TOOLSET = CallOperation.toolset


class OperationAsTool:
    """One operation, as a tool."""

    def __init__(self, detail: OperationDetail, integrations: Integrations) -> None:
        found = detail.found
        self._integrations = integrations
        self._operation = found.name
        self._may_change = not found.read_only
        self.description = ToolDescription(
            name=tool_name(found.name),
            title=found.summary.rstrip("."),
            description=detail.description,
            input_schema=dict(detail.input_schema),
            output_schema={},
            read_only=found.read_only,
            destructive=found.destructive,
            idempotent=found.read_only,
            open_world=True,
            toolset=_TOOLSET,
            stands_for=CallOperation.name if found.read_only else CallOperationWrite.name,
        )

    def has_subject(self) -> bool:
        """It is configured."""
        return True

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:  # noqa: ARG002
        """Do it, as `call_operation` would."""
        result = await self._integrations.run(call, self._operation, untrusted, may_change=self._may_change)
        return result_of(told(self._operation, result))


class Operations:
    """All that are configured; offers `registry.Family`."""

    replaces = frozenset(
        one.name for one in (FindOperations, DescribeOperation, CallOperation, CallOperationWrite)
    )

    def __init__(self, integrations: Integrations, most: int) -> None:
        """At most so many are listed, or else none."""
        self._integrations = integrations
        self._most = most

    def listed(self, beside: Iterable[ToolDescription]) -> tuple[OperationAsTool, ...]:
        """Those that are listed, with those tools beside them: all, or none."""
        found = self._integrations.offered("", self._most + 1)
        if not found or len(found) > self._most:
            return ()
        try:
            tools = tuple(self._tool(one.name) for one in found)
        except (WandError, ImportError):  # one cannot be loaded; whoever calls it is told why
            return ()
        others = [one for one in beside if one.name not in self.replaces]
        needed = sum(tokens(one) for one in (*others, *(tool.description for tool in tools)))
        return tools if needed < MOST_TOKENS else ()

    def one(self, name: str) -> OperationAsTool | None:
        """The operation of that name, as find_operations says it or as a tool's name."""
        try:
            return self._tool(name)
        except WandError:
            return None

    def _tool(self, name: str) -> OperationAsTool:
        return OperationAsTool(self._integrations.describe(name), self._integrations)


def tokens(tool: ToolDescription) -> int:
    """How many tokens a tool has in the list, about: of many together rather too many than too few."""
    said = {"name": tool.name, "title": tool.title, "description": tool.description}
    schemas = {"inputSchema": tool.input_schema, "outputSchema": tool.output_schema}
    annotations = {"readOnlyHint": tool.read_only}
    whole = {**said, **{name: one for name, one in schemas.items() if one}, "annotations": annotations}
    return len(_PIECE.findall(json.dumps(whole, separators=(",", ":"), ensure_ascii=False))) + _ANNOTATIONS
