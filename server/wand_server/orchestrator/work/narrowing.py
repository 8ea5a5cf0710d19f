"""The tools that a task may call: its caller's, fewer where the task says so, and never more."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Invalid
from wand_server import arguments, scopes
from wand_server.model import Call, Principal, ToolDescription, ToolResult, refusal
from wand_server.offers import Choice, Tools

HANDS_OUT = frozenset({"create_project", "distribute_task", "retry_task"})  # more work, from within work
_FEWER = "the task, or its depth, permits fewer tools than its caller has"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a task may call of what its caller may."""

    principal: Principal
    choice: Choice
    withheld: Collection[str] = ()


class Narrowed:
    """Tools within bounds; offers `offers.Tools`. A call beyond them is refused in the result."""

    def __init__(self, tools: Tools, bounds: Bounds) -> None:
        self._tools = tools
        self._bounds = bounds

    def _takes(self, tool: ToolDescription) -> bool:
        bounds = self._bounds
        names = {tool.name, tool.stands_for}
        return (
            bounds.choice.takes(tool)
            and names.isdisjoint(bounds.withheld)
            and scopes.may_call(bounds.principal.scopes, tool)
        )

    def describe(self) -> tuple[ToolDescription, ...]:
        """Every tool that the task may call and that is listed, always in the same order."""
        return tuple(filter(self._takes, self._tools.describe()))

    def unlisted(self, name: str) -> ToolDescription | None:
        """The tool of that name, if it may be called."""
        tool = self._tools.unlisted(name)
        return tool if tool is not None and self._takes(tool) else None

    def one(self, name: str) -> ToolDescription | None:
        """The tool of that name, listed or not, if it may be called."""
        return next((tool for tool in self.describe() if tool.name == name), None) or self.unlisted(name)

    def missing(self, name: str) -> Invalid:
        """Why there is no such tool here."""
        known = [tool.name for tool in self.describe()]
        return Invalid(
            arguments.unknown_tool(name, known) if known else f"{name!r:.80}: {_FEWER}", field="tool"
        )

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool; one beyond the bounds is not run, and the result says so."""
        if self.one(name) is None:
            return refusal(self.missing(name))
        return await self._tools.call(name, arguments, call)


def check_names(names: Collection[str], tools: Tools) -> None:
    """Let names pass that are tools or toolsets of the caller.

    Raises:
        Invalid: one is neither.
    """
    described = tools.describe()
    known = sorted({tool.name for tool in described} | {tool.toolset for tool in described} - {""})
    for at, name in enumerate(names):
        if name not in known and tools.unlisted(name) is None:
            near = arguments.nearest(name, known) or f"there are: {', '.join(known)}"
            raise Invalid(
                f"{name!r:.80} is no tool and no toolset that you may call; {near}", field=f"tools[{at}]"
            )
