"""Tools as the tasks of a project see them: what is relative begins in the project's folder."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.offers import Tools

_PLACES = ("directory", "path", "to")  # arguments that name a place on the host
_NONE_IS_NONE = "to"  # where nothing is said, nothing is meant
_OF_THE_HOST = frozenset({"files", "commands"})  # toolsets; at a service a path is something else
_GIT = "git_operation"


@dataclass(frozen=True, slots=True)
class InWorkspace:
    """Tools whose relative places begin in a folder; offers `offers.Tools`."""

    tools: Tools
    folder: str

    def describe(self) -> tuple[ToolDescription, ...]:
        """The same as without it."""
        return self.tools.describe()

    def unlisted(self, name: str) -> ToolDescription | None:
        """The same as without it."""
        return self.tools.unlisted(name)

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        """Run a tool there."""
        found = next((one for one in self.describe() if one.name == name), None) or self.unlisted(name)
        is_here = found is not None and (found.toolset in _OF_THE_HOST or found.name == _GIT)
        takes = found.input_schema.get("properties", {}) if found and is_here else {}
        return await self.tools.call(name, placed(arguments, takes, self.folder), call)


def placed(arguments: Mapping[str, Any], takes: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The arguments, their places taken from the folder; absolute ones, and URIs, stay as they are."""
    found = dict(arguments)
    for name in _PLACES:
        given = found.get(name, "")
        if takes.get(name, {}).get("type") != "string" or not isinstance(given, str) or "://" in given:
            continue
        if given or name != _NONE_IS_NONE:
            found[name] = posixpath.join(folder, given) if given else folder
    return found
