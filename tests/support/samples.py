"""Values that fit a JSON Schema: the plainest there are."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TEXTS = (
    "abc", "abc-def", "1503435956.000247", "2026-01-02", "2026-01-02T03:04:05Z", "a@b.example", "1", "https://a.example/b",
    "123e4567-e89b-12d3-a456-426614174000",
)  # fmt: skip
_OURS = ("cursor", "save_as")  # which answers are for, and the workspace
_FORMATS = {"email": "@", "uri": "://", "date-time": "T", "date": "-", "uuid": "123e"}


def arguments(schema: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """An object that fits: with what must be in it, or with as much as can be."""
    properties, required = schema.get("properties", {}), schema.get("required", ())
    wanted = [name for name in properties if name not in _OURS] if whole else []
    return {name: sample(properties[name]) for name in dict.fromkeys((*required, *wanted))}


def sample(schema: Mapping[str, Any]) -> Any:
    """A value that fits."""
    if schema.get("default") is not None:
        return schema["default"]
    for given in ("examples", "enum"):
        if schema.get(given):
            return schema[given][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    kind = schema.get("type", "string")
    return _MAKE[kind[0] if isinstance(kind, list) else kind](schema)


def _number(schema: Mapping[str, Any]) -> Any:
    return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)


def _list(schema: Mapping[str, Any]) -> Any:
    return [sample(schema.get("items", {}))] * max(1, schema.get("minItems", 1))


def _object(schema: Mapping[str, Any]) -> Any:
    if "properties" in schema:
        return arguments(schema, whole=True)
    each = schema.get("additionalProperties")
    return {"a": sample(each) if isinstance(each, dict) and each else "b"}


def _text(schema: Mapping[str, Any]) -> str:
    for text in _TEXTS:
        fits = re.search(schema.get("pattern", ""), text) and len(text) >= schema.get("minLength", 0)
        if fits and _FORMATS.get(schema.get("format", ""), "") in text:
            return text
    raise AssertionError(f"no sample fits {json.dumps(schema)}")


_MAKE: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "integer": _number, "number": _number, "boolean": lambda _: True, "array": _list, "object": _object,
    "string": _text,
}  # fmt: skip
