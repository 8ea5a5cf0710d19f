"""The other waist: what the protocol may ask for. `tools` offers it; `app` alone brings the two together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wand_server.model import (
    Call,
    Principal,
    PromptDescription,
    ResourceContent,
    ResourceDescription,
    ResourceState,
    SkillDescription,
    TaskTold,
    ToolDescription,
    ToolResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which tools are offered: names of tools, and of toolsets."""

    enabled: tuple[str, ...] = ()  # none: all
    disabled: tuple[str, ...] = ()  # wins
    read_only: bool = False

    def takes(self, tool: ToolDescription) -> bool:
        """Whether a tool is offered."""
        names = {tool.name, tool.toolset, tool.stands_for} - {""}
        if self.read_only and not tool.read_only:
            return False
        return names.isdisjoint(self.disabled) and (not self.enabled or not names.isdisjoint(self.enabled))


class Tools(Protocol):
    """The tools, as the protocol sees them; `tools.registry` offers it."""

    def describe(self) -> tuple[ToolDescription, ...]:
        """Every tool, always in the same order."""
        ...

    def unlisted(self, name: str) -> ToolDescription | None:
        """The tool of that name, where there is one that can be called and is not in the list."""
        ...

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool. Arguments that do not fit, and failures of the family, come back as `is_error` results.

        Raises:
            NotFound: there is no such tool.
        """
        ...


class HandedOut(Protocol):
    """Tasks that agents carry out, as the protocol sees them; `orchestrator` offers it."""

    async def told(self, principal: Principal, task: str) -> TaskTold:
        """How far it is.

        Raises:
            NotFound: the principal has no such task.
        """
        ...

    async def end(self, principal: Principal, task: str) -> None:
        """Cancel it; one that has ended stays as it is.

        Raises:
            NotFound: the principal has no such task.
        """
        ...


class Resources(Protocol):
    """What can be read by URI, as the protocol sees it; `tools.resources` offers it."""

    def describe(self) -> tuple[ResourceDescription, ...]:
        """Every resource and every template, always in the same order."""
        ...

    async def read(self, uri: str, call: Call) -> ResourceContent:
        """Read one.

        Raises:
            NotFound: no resource has that URI.
            WandError: it cannot be read.
        """
        ...

    async def state(self, uri: str, call: Call) -> ResourceState:
        """How one is now, to be compared with how it was.

        Raises:
            NotFound: no resource has that URI, or none that can be watched.
            WandError: it cannot be read.
        """
        ...

    async def complete(self, template: str, variable: str, begun: str, call: Call) -> tuple[str, ...]:
        """What the variable of a template may go on with.

        Raises:
            NotFound: there is no such template.
            WandError: nobody can say.
        """
        ...


class Prompts(Protocol):
    """The prompts, as the protocol sees them; `tools.prompts` offers it."""

    def describe(self) -> tuple[PromptDescription, ...]:
        """Every prompt, always in the same order."""
        ...

    def get(self, name: str, arguments: Mapping[str, str]) -> str:
        """The text of a prompt, its blanks filled.

        Raises:
            NotFound: there is no such prompt.
            Invalid: an argument is missing or unknown.
        """
        ...


class Skills(Protocol):
    """The skills, as the protocol sees them; `tools.skills` offers it."""

    def describe(self) -> tuple[SkillDescription, ...]:
        """Every skill, always in the same order."""
        ...
