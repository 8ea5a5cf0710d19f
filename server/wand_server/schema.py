"""JSON Schemas as small as they can be: every word of them is paid for in each client's context."""

from typing import Any, Literal, cast

from pydantic import BaseModel

Mode = Literal["validation", "serialization"]


def schema_of(model: type[BaseModel], mode: Mode) -> dict[str, Any]:
    """The model's schema without titles, references, and its docstring, which the tool's description is.

    Of what is sent to us null is not told: it says no more than leaving the argument out, and there are
    clients whose model takes no type that is a list of two.
    """
    schema = lean(model.model_json_schema(mode=mode))
    if mode == "validation":
        named = schema["properties"]
        schema["properties"] = {name: _without_null(each) for name, each in named.items()}
    return schema


def lean(whole: dict[str, Any]) -> dict[str, Any]:
    """The same of a schema that pydantic has made."""
    definitions = whole.pop("$defs", {})
    whole.pop("description", None)
    return cast("dict[str, Any]", _smaller(whole, definitions))


def _without_null(argument: dict[str, Any]) -> dict[str, Any]:
    match argument.get("type"):
        case [kind, "null"]:
            return {**argument, "type": kind}
        case _:
            return argument


def _smaller(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_smaller(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _smaller(_referred(node, definitions), definitions)
    kept = {
        key: _properties(value, definitions) if key == "properties" else _smaller(value, definitions)
        for key, value in node.items()
        if key != "title" and not _says_nothing(key, value)
    }
    return _or_null(kept)


def _properties(named: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Properties are names chosen by us: one of them may well be called `title`."""
    return {name: _smaller(schema, definitions) for name, schema in named.items()}


def _referred(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    target = definitions[node["$ref"].rpartition("/")[2]]
    without_docstring = {key: value for key, value in target.items() if key != "description"}
    return {**without_docstring, **{key: value for key, value in node.items() if key != "$ref"}}


def _says_nothing(key: str, value: Any) -> bool:
    if (key == "additionalProperties" and value is True) or (key == "items" and value == {}):
        return True
    return key == "default" and (value is None or value in ("", 0, False, [], {}))


def _or_null(node: dict[str, Any]) -> dict[str, Any]:
    """`anyOf` of one plain type and null as one node with two types."""
    choices = node.get("anyOf")
    if not choices or len(choices) != 2 or choices[1] != {"type": "null"} or "type" not in choices[0]:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**choices[0], "type": [choices[0]["type"], "null"], **rest}
