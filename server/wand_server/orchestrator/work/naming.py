"""Tools under names that every model takes: letters, digits, `_` and `-`, at most 64."""

import re
from collections.abc import Iterable, Mapping

from wand_server.model import ToolDescription
from wand_server.orchestrator.work.models.port import ToolShown

GIVE_UP = ToolShown(
    name="give_up",
    description="End the task because its goal cannot be reached. Say why, and what has been done.",
    input_schema={"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]},
)
_MOST = 64
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9_-]")


def shown(tools: Iterable[ToolDescription]) -> tuple[tuple[ToolShown, ...], Mapping[str, str]]:
    """The tools as a model is told of them, and what each of those names stands for."""
    names: dict[str, str] = {}
    found = []
    for tool in tools:
        name = _free(tool.name, {*names, GIVE_UP.name})
        names[name] = tool.name
        found.append(ToolShown(name=name, description=tool.description, input_schema=tool.input_schema))
    return (*found, GIVE_UP), names


def _free(name: str, taken: Iterable[str]) -> str:
    plain = _NOT_TAKEN.sub("_", name)[:_MOST]
    number = 1
    free = plain
    while free in taken:
        number += 1
        free = f"{plain[: _MOST - 4]}_{number}"
    return free
