"""The tools that a task may call: its caller's, fewer where the task says so, and never more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Denied, Invalid
from wand_server import arguments, scopes
from wand_server.model import Call, Principal, ToolDescription, ToolResult, refusal
from wand_server.offers import Choice, Tools
from wand_server.orchestrator.work.form import Goal, Steps

HANDS_OUT = frozenset({"create_project", "distribute_task"})  # more work, from within work
_NO_TOOLS = ("",)  # the name of none: an empty choice is a choice of all
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
        listed = (tool for tool in self._tools.describe() if tool.name == name and self._takes(tool))
        return next(listed, None) or self.unlisted(name)

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


def within(above: Steps | Goal, given: Mapping[str, Any], tools: Tools) -> dict[str, Any]:
    """A task that another hands out, with no tools beside those that this one may call.

    Raises:
        Invalid: its tools are no list of names.
        Denied: it asks for more of them.
    """
    work = {**given, "read_only": True} if above.read_only else {**given}
    if above.tools is None:
        return work
    wished = work.get("tools")
    if wished is None:
        return {**work, "tools": list(above.tools)}
    if not isinstance(wished, list | tuple) or not all(isinstance(one, str) for one in wished):
        raise Invalid("must be a list of names", field="tools")
    own = Choice(enabled=above.tools or _NO_TOOLS)
    listed = {tool.name: tool for tool in tools.describe()}
    for at, name in enumerate(wished):
        tool = listed.get(name) or tools.unlisted(name)
        if name not in above.tools and (tool is None or not own.takes(tool)):
            what = f"{name!r:.80} is none of the tools of the task that hands this out"
            raise Denied(what, hint=f"those are: {', '.join(above.tools)}"[:400], field=f"tools[{at}]")
    return work


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
