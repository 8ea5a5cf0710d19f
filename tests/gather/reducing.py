"""A description cut down to some of its operations, and to what those speak of."""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Wanted = tuple[str, str]  # a method, and a path
_KEPT = ("openapi", "swagger", "info", "servers", "host", "basePath", "schemes", "consumes", "produces",
         "security", "securityDefinitions")  # fmt: skip
_BLANK = re.compile(r"\{[^}]*\}")
_ANYTHING = {"type": "object", "additionalProperties": True}


def shape(path: str) -> str:
    """A path whose blanks have no names."""
    return _BLANK.sub("{}", path.partition("?")[0]).rstrip("/") or "/"


def reduced(document: Mapping[str, Any], wanted: Sequence[Wanted], deepest: int) -> dict[str, Any]:
    """The same with those operations alone, and schemas so many references deep.

    No schema refers to one that is not deeper: a server that makes up answers follows references without end.
    """
    made: dict[str, Any] = {name: copy.deepcopy(document[name]) for name in _KEPT if name in document}
    made["paths"] = _paths(document, {(method.lower(), shape(path)) for method, path in wanted})
    schemes = document.get("components", {}).get("securitySchemes")
    made["components"] = {"securitySchemes": schemes} if schemes else {}
    levels, level = dict[str, int](), 0
    found = set(_references(made["paths"]))
    while found and level <= deepest:
        levels |= dict.fromkeys(found - levels.keys(), level)
        read = {one: copy.deepcopy(_at(document, one)) for one in found if levels[one] == level}
        for reference, value in read.items():
            _put(made, reference, value)
        found, level = (
            {one for value in read.values() for one in _references(value)} - levels.keys(),
            level + 1,
        )
    for reference, at in levels.items():
        _put(made, reference, _cut(_at(made, reference), levels, at))
    return made


def missing(made: Mapping[str, Any], wanted: Sequence[Wanted]) -> list[str]:
    """Those that the description does not know."""
    known = {(method, shape(path)) for path, item in made["paths"].items() for method in item}
    return [f"{method} {path}" for method, path in wanted if (method.lower(), shape(path)) not in known]


def _paths(document: Mapping[str, Any], wanted: set[Wanted]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, item in document.get("paths", {}).items():
        kept = {name: one for name, one in item.items() if (name, shape(path)) in wanted}
        if kept:
            shared = {"parameters": item["parameters"]} if "parameters" in item else {}
            made[path] = copy.deepcopy({**shared, **kept})
    return made


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _references(one)


def _cut(node: Any, levels: Mapping[str, int], at: int) -> Any:
    if isinstance(node, list):
        return [_cut(one, levels, at) for one in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str) and levels.get(reference, -1) <= at:
        return dict(_ANYTHING)
    return {name: _cut(one, levels, at) for name, one in node.items() if name != "discriminator"}


def _parts(reference: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in reference.removeprefix("#/").split("/")]


def _at(document: Any, reference: str) -> Any:
    for part in _parts(reference):
        document = document.get(part, {}) if isinstance(document, dict) else {}
    return document


def _put(document: dict[str, Any], reference: str, value: Any) -> None:
    *way, last = _parts(reference)
    for part in way:
        document = document.setdefault(part, {})
    document[last] = value
