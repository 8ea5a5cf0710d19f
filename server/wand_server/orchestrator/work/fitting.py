"""Whether arguments fit a tool's JSON Schema, as far as they are known before the start.

It knows the words that schemas of tools use, and lets others pass: the tool itself looks again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wand_server import arguments
from wand_server.orchestrator.work.references import Hole

Misfit = tuple[str, str]
"""Where, and what would be right."""

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
    "null": type(None),
}  # fmt: skip
_BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("must be at least {}", lambda value, bound: value >= bound),
    "maximum": ("must be at most {}", lambda value, bound: value <= bound),
    "exclusiveMinimum": ("must be above {}", lambda value, bound: value > bound),
    "exclusiveMaximum": ("must be below {}", lambda value, bound: value < bound),
    "minLength": ("must have at least {} characters", lambda value, bound: len(value) >= bound),
    "maxLength": ("must have at most {} characters", lambda value, bound: len(value) <= bound),
    "minItems": ("must have at least {} items", lambda value, bound: len(value) >= bound),
    "maxItems": ("must have at most {} items", lambda value, bound: len(value) <= bound),
}
_OF_KIND: Mapping[type, tuple[str, ...]] = {
    int: ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    float: ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    str: ("minLength", "maxLength"),
    list: ("minItems", "maxItems"),
}


def misfits(schema: Any, value: Any, place: str) -> Iterator[Misfit]:
    """What does not fit, each with its place."""
    if not isinstance(schema, Mapping) or (isinstance(value, Hole) and not value.is_text):
        return
    kinds = _kinds(schema)
    if isinstance(value, Hole):
        if kinds and "string" not in kinds:
            yield place, f"must be {_listed(kinds)}, not a text"
        return
    if kinds and not any(_is_of(kind, value) for kind in kinds):
        yield place, f"must be {_listed(kinds)}, not {_shown(value)}"
        return
    yield from _choices(schema, value, place)
    yield from _bounds(schema, value, place)
    if isinstance(value, dict):
        yield from _members(schema, value, place)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from misfits(schema.get("items"), each, f"{place}[{at}]")


def _kinds(schema: Mapping[str, Any]) -> Sequence[str]:
    said = schema.get("type", ())
    return [said] if isinstance(said, str) else [each for each in said if isinstance(each, str)]


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return kind not in _TYPES or isinstance(value, _TYPES[kind])


def _listed(kinds: Sequence[str]) -> str:
    return f"of type {' or '.join(kinds)}"


def _shown(value: Any) -> str:
    return json.dumps(value, default=lambda _: "…", ensure_ascii=False)[:80]


def _choices(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Misfit]:
    if _has_hole(value):
        return
    if "enum" in schema and value not in schema["enum"]:
        yield place, f"must be one of {_shown(schema['enum'])}, not {_shown(value)}"
    if "const" in schema and value != schema["const"]:
        yield place, f"must be {_shown(schema['const'])}, not {_shown(value)}"
    for word in ("anyOf", "oneOf"):
        choices = schema.get(word)
        if isinstance(choices, list) and all(list(misfits(each, value, place)) for each in choices):
            yield place, f"fits none of what it may be: {_shown(choices)}"
    for each in schema.get("allOf", ()):
        yield from misfits(each, value, place)


def _has_hole(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_hole, value.values()))
    return any(map(_has_hole, value)) if isinstance(value, list) else isinstance(value, Hole)


def _bounds(schema: Mapping[str, Any], value: Any, place: str) -> Iterator[Misfit]:
    for word in _OF_KIND.get(type(value), ()):
        says, fits = _BOUNDS[word]
        if word in schema and not fits(value, schema[word]):
            yield place, f"{says.format(schema[word])}, not {_shown(value)}"
    if isinstance(value, str) and "pattern" in schema and not _matches(schema["pattern"], value):
        yield place, f"must match {schema['pattern']}, not {_shown(value)}"


def _matches(pattern: str, value: str) -> bool:
    """A pattern that Python cannot read is left to the tool."""
    try:
        return re.search(pattern, value[:4096]) is not None
    except re.error:
        return True


def _members(schema: Mapping[str, Any], value: dict[str, Any], place: str) -> Iterator[Misfit]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if value.get(name) is None:
            yield f"{place}.{name}", "is missing"
    others = schema.get("additionalProperties", True)
    for name, inside in value.items():
        if name in known:
            if inside is not None:  # null stands for what is left out
                yield from misfits(known[name], inside, f"{place}.{name}")
        elif others is False:
            near = arguments.nearest(name, known) or f"there are: {', '.join(known) or 'none'}"
            yield f"{place}.{name}", f"there is no such argument; {near}"
        else:
            yield from misfits(others, inside, f"{place}.{name}")
