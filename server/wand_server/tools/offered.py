"""The tools that the settings leave: by name and by toolset, for lists and for calls alike."""

import difflib
from collections.abc import Collection, Sequence
from typing import Any

from wand_proto.errors import Invalid, NotFound
from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.offers import Choice, Tools


class Offered:
    """Tools, of which some are switched off; offers `offers.Tools`."""

    def __init__(self, tools: Tools, choice: Choice | None = None) -> None:
        """Raises as `check` does."""
        self._tools = tools
        self._described: tuple[ToolDescription, ...] = ()
        self.choose(choice or Choice())

    def check(self, choice: Choice) -> None:
        """Let a choice pass all of whose names there are.

        Raises:
            Invalid: one there is not; the error names it, and the nearest.
        """
        all_of_them = self._tools.describe()
        known = sorted({one.name for one in all_of_them} | {one.toolset for one in all_of_them} - {""})
        self._need_known("tools.enabled", choice.enabled, known)
        self._need_known("tools.disabled", choice.disabled, known)

    def _need_known(self, field: str, names: Sequence[str], known: Sequence[str]) -> None:
        for name in names:
            if name not in known and self._tools.unlisted(name) is None:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
                hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
                raise Invalid(f"{name!r:.80} is no tool and no toolset", hint=hint, field=field)

    def choose(self, choice: Choice) -> bool:
        """Check a choice and take it; raises as the one, and tells what the other tells."""
        self.check(choice)
        return self.take(choice)

    def take(self, choice: Choice) -> bool:
        """Offer those of a choice that has been checked; calls that run go on. Whether others are listed."""
        before = self._described
        self._choice = choice
        self._described = tuple(filter(choice.takes, self._tools.describe()))
        self._names = frozenset(tool.name for tool in self._described)
        return self._described != before

    def describe(self) -> tuple[ToolDescription, ...]:
        """Every tool that is offered, always in the same order."""
        return self._described

    def unlisted(self, name: str) -> ToolDescription | None:
        """The tool of that name, if it can be called and is offered."""
        tool = self._tools.unlisted(name)
        return tool if tool is not None and self._choice.takes(tool) else None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool.

        Raises:
            NotFound: there is none of that name, or it is switched off.
        """
        if name not in self._names and self.unlisted(name) is None:
            raise NotFound(f"there is no tool {name!r:.80}", hint=_there_are(self._names), field="name")
        return await self._tools.call(name, arguments, call)


def _there_are(names: Collection[str]) -> str:
    return f"there are: {', '.join(sorted(names)) or 'none'}"
