"""Tools under names that every model takes: letters, digits, `_` and `-`, at most 64."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

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
        schema = _of_object(tool.input_schema)
        found.append(ToolShown(name=name, description=tool.description, input_schema=schema))
    return (*found, GIVE_UP), names


def _of_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as every provider takes it: of an object, and without choices at its top."""
    kept = {word: value for word, value in schema.items() if word not in {"anyOf", "oneOf", "allOf", "not"}}
    return {"properties": {}, **kept, "type": "object"}


def _free(name: str, taken: Iterable[str]) -> str:
    plain = _NOT_TAKEN.sub("_", name)[:_MOST]
    number = 1
    free = plain
    while free in taken:
        number += 1
        free = f"{plain[: _MOST - 4]}_{number}"
    return free
