"""The plain form of a tool, a class with `get_schema` and `execute`, brought into the shape of the others."""

import json
from typing import Any

from wand_proto.errors import Invalid
from wand_server import arguments
from wand_server.model import Call, ToolDescription, ToolResult, Whole
from wand_server.ports import Host
from wand_server.tools import render
from wand_server.tools.base import ToolInterface

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


class PlainEntry:
    """A tool of the plain form; nothing is known of what it does, so its marks say the worst."""

    def __init__(self, name: str, tool: ToolInterface) -> None:
        self._tool = tool
        schema = tool.get_schema()
        title = str(schema.get("title", name))
        self.description = ToolDescription(
            name=name,
            title=title,
            description=str(schema.get("description") or type(tool).__doc__ or title).strip(),
            input_schema={key: value for key, value in schema.items() if key not in {"title", "description"}},
            output_schema={"type": "object"},
            read_only=False,
            destructive=True,
            idempotent=False,
            open_world=True,
        )

    def has_subject(self) -> bool:
        """Nothing is known of it."""
        return True

    async def call(self, untrusted: dict[str, Any], host: Host, call: Call) -> ToolResult:  # noqa: ARG002 - the shape of every entry; the plain form knows no host
        """Check the parameters' names and types, and run the tool."""
        answer = await self._tool.execute(checked(self.description.input_schema, untrusted))
        text = json.dumps(answer, ensure_ascii=False, default=str)
        if (shown := render.clipped(text)) is text:
            return ToolResult(text=text, structured=json.loads(text))
        whole = Whole(data=text.encode(errors="backslashreplace"), mime_type="application/json")
        return ToolResult(text=shown, whole=whole)


def checked(schema: dict[str, Any], untrusted: dict[str, Any]) -> dict[str, Any]:
    """The parameters, where their names and outermost types are those of the schema.

    Raises:
        Invalid: names the parameter that does not fit.
    """
    known: dict[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in untrusted:
            raise Invalid("is missing", field=name)
    for name, value in untrusted.items():
        if name in known:
            _check_type(name, known[name].get("type"), value)
        elif schema.get("additionalProperties") is not True:
            near = arguments.nearest(name, known) or f"there are: {', '.join(known) or 'none'}"
            raise Invalid(f"there is no such argument; {near}", field=name)
    return untrusted


def _check_type(name: str, wanted: object, value: object) -> None:
    expected = _TYPES.get(wanted) if isinstance(wanted, str) else None
    is_misread_boolean = isinstance(value, bool) and wanted in {"integer", "number"}
    if expected is not None and (not isinstance(value, expected) or is_misread_boolean):
        raise Invalid(f"must be of type {wanted}, not {json.dumps(value, default=str)[:80]}", field=name)
