"""Values of AWS and of JSON: what botocore takes and gives, and what an agent says and reads."""

import base64
import binascii
import datetime as dt
import html
import re
from collections.abc import Mapping
from typing import Any

from wand_proto.errors import Exhausted, Invalid

_MOST_BYTES = 8 * 1024 * 1024
_MOST_EVENTS = 1000
_DEEPEST = 5
_TYPES = {
    "string": "string", "character": "string", "blob": "string", "timestamp": "string", "boolean": "boolean",
    "integer": "integer", "long": "integer", "float": "number", "double": "number", "bigdecimal": "number",
}  # fmt: skip
_BLOB = "text, or {base64: …}"
_TAG = re.compile(r"<[^>]+>")


def taken(shape: Any, value: Any, place: str = "parameters") -> Any:
    """A value as botocore takes it: bytes where it wants them, all else as it is.

    Raises:
        Invalid: it is no base64.
    """
    if shape is None:
        return value
    match shape.type_name:
        case "structure" if isinstance(value, dict):
            return {key: taken(shape.members.get(key), one, f"{place}.{key}") for key, one in value.items()}
        case "list" if isinstance(value, list):
            return [taken(shape.member, one, f"{place}.{number}") for number, one in enumerate(value)]
        case "map" if isinstance(value, dict):
            return {key: taken(shape.value, one, f"{place}.{key}") for key, one in value.items()}
        case "blob":
            return _bytes(value, place)
    return value


def _bytes(value: Any, place: str) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and set(value) == {"base64"} and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except (binascii.Error, ValueError) as why:
            raise Invalid("is no base64", field=f"{place}.base64") from why
    return value


async def given(value: Any) -> Any:
    """What botocore gave, as JSON; streams are read.

    Raises:
        Exhausted: there is more than is read at once.
    """
    if isinstance(value, dict):
        return {key: await given(one) for key, one in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [await given(one) for one in value]
    if hasattr(value, "iter_chunks"):
        return _text(await _whole(value))
    return await _events(value) if hasattr(value, "__aiter__") else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return _text(bytes(value))
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


async def _whole(stream: Any) -> bytes:
    raw = bytearray()
    async with stream:
        async for piece in stream.iter_chunks(65536):
            raw += piece
            if len(raw) > _MOST_BYTES:
                most = f"{_MOST_BYTES // 1024 // 1024} MiB"
                raise Exhausted(f"answers with more than {most}", hint="ask for a part of it")
    return bytes(raw)


async def _events(stream: Any) -> list[Any]:
    events: list[Any] = []
    async for event in stream:
        events.append(await given(event))
        if len(events) >= _MOST_EVENTS:
            break
    stream.close()
    return events


def _text(raw: bytes) -> Any:
    """Text where it can be nothing else."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
    return text if "\0" not in text else {"base64": base64.b64encode(raw).decode()}


def schema(shape: Any, depth: int = 0) -> dict[str, Any]:
    """What a shape takes, as JSON Schema; what lies deep is only named."""
    if shape is None:
        return {"type": "object"}
    if shape.type_name in _TYPES:
        enum = {"enum": list(shape.enum)} if getattr(shape, "enum", None) else {}
        told = {"description": _BLOB} if shape.type_name == "blob" else {}
        return {"type": _TYPES[shape.type_name], **told, **enum}
    if depth >= _DEEPEST:
        return {"type": "array" if shape.type_name == "list" else "object"}
    if shape.type_name == "list":
        return {"type": "array", "items": schema(shape.member, depth + 1)}
    if shape.type_name == "map":
        return {"type": "object", "additionalProperties": schema(shape.value, depth + 1)}
    return _structure(shape, depth)


def _structure(shape: Any, depth: int) -> dict[str, Any]:
    members = {name: _described(one, depth) for name, one in shape.members.items()}
    required = {"required": list(shape.required_members)} if shape.required_members else {}
    return {"type": "object", "properties": members, **required}


def _described(shape: Any, depth: int) -> dict[str, Any]:
    told = words(shape.documentation, 200) if depth == 0 else ""
    return {**schema(shape, depth + 1), **({"description": told} if told else {})}


def words(documentation: str, most: int) -> str:
    """The beginning of what AWS writes of something, without its HTML."""
    text = " ".join(html.unescape(_TAG.sub(" ", documentation)).split()).replace(" .", ".")
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def members(value: Any) -> Mapping[str, Any]:
    """An object, or none."""
    return value if isinstance(value, dict) else {}
