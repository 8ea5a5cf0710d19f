"""Vendors' descriptions of their APIs, as Prism can answer by them."""

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support import samples
from wand_server.integrations.kit.operation import Operation

_OF_A_SCHEMA = ("$ref", "properties", "items", "allOf", "anyOf", "oneOf")
_BLANK = re.compile(r"\{[^}]*\}")
_EXAMPLES = {
    "application/octet-stream": "abc",
    "application/x-jsonl": '{"custom_id":"a"}\n{"custom_id":"b"}\n',
}
_GRANT = {"type": "object", "required": ["grant_type"], "properties": {"grant_type": {"type": "string"}}}
_TOKEN = {"access_token": "token-of-a-test", "token_type": "Bearer", "expires_in": 3600}
TOKENS = {
    "post": {
        "security": [],
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": _GRANT}},
        },
        "responses": {"200": {"description": "", "content": {"application/json": {"example": _TOKEN}}}},
    }
}
"""A token endpoint (RFC 6749), for a document that knows none."""


def read(folder: Path, name: str) -> dict[str, Any]:
    """A description, which may be stored packed."""
    text = (folder / name).read_bytes()
    return dict(json.loads(gzip.decompress(text) if name.endswith(".gz") else text))


def mended(part: Any) -> Any:
    """The same without examples that are none: Prism would answer with them, whatever the schema says.

    HubSpot's are null, and Prism makes up what is left out; Jira's are JSON as a text, and read here.
    """
    if isinstance(part, list):
        return [mended(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: mended(one) for name, one in part.items() if not (name == "example" and one is None)}
    if "schema" in kept and isinstance(example := kept.get("example"), str):
        kept["example"] = _opened(example)
    if kept.get("type") == "string" and (kept.get("format") == "byte" or "base64" in _said(kept)):
        kept.setdefault("example", "YWJj")
    if isinstance(value := kept.get("value"), dict) and set(value) == {"$ref"}:
        return value  # where examples are kept, instead of one that holds its address
    return kept


def typed(document: dict[str, Any]) -> dict[str, Any]:
    """The same, with types of bodies where it names none that can be: Prism lets no such body through.

    Opsgenie's says nothing of them. Jenkins' says JSON of what it calls XML. What is no JSON in an answer
    gets an example, as Prism can make none.
    """
    if document.get("swagger") == "2.0":
        document.setdefault("consumes", ["application/json"])
    for item in document.get("paths", {}).values():
        for operation in filter(lambda one: isinstance(one, dict), item.values()):
            body = operation.get("requestBody", {})
            if "config.xml" in _said(body):
                body["content"] = {"application/xml": body["content"]["application/json"]}
            for answer in operation.get("responses", {}).values():
                for kind, told in answer.get("content", {}).items():
                    if kind in _EXAMPLES:
                        answer.pop("headers", None)
                        told["schema"] = {"type": "string", "example": _EXAMPLES[kind]}
    return document


def answered(document: dict[str, Any], operations: Iterable[Operation[..., Any]]) -> dict[str, Any]:
    """The same, with answers where it says nothing of them: samples of what those operations read."""
    paths = {_BLANK.sub("{}", path): item for path, item in document["paths"].items()}
    for one in operations:
        route = one.plan.route
        if route is None or one.is_silent:
            continue
        responses = paths[_BLANK.sub("{}", route.path)][route.method.lower()]["responses"]
        for status, answer in responses.items():
            if status.startswith("2") and not any(
                _tells(told) for told in answer.get("content", {}).values()
            ):
                answer["content"] = {"application/json": {"example": _sample(one)}}
    return document


def _tells(answer: dict[str, Any]) -> bool:
    """Whether it says what such an answer holds."""
    examples = [answer.get("example"), *(one.get("value") for one in answer.get("examples", {}).values())]
    schema = answer.get("schema", {})
    return any(
        schema.get(name) for name in ("$ref", "properties", "items", "allOf", "anyOf", "oneOf")
    ) or any(isinstance(one, dict | list) and one for one in examples)


def _sample(operation: Operation[..., Any]) -> Any:
    """An answer that the operation reads."""
    value, place = samples.sample(operation.output_schema), operation.plan.place
    if operation.plan.paging is not None:
        value, place = value["items"], getattr(operation.plan.paging, "items", "")
    for name in reversed(place.split(".") if place else ()):
        value = {name: value}
    return value


def _said(part: dict[str, Any]) -> str:
    return str(part.get("description", ""))


def lenient(document: dict[str, Any]) -> dict[str, Any]:
    """The same, demanding no members of objects in forms: Prism makes one of each that is left out."""
    for item in document.get("paths", {}).values():
        for operation in item.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            form = body.get("content", {}).get("application/x-www-form-urlencoded", {}).get("schema", {})
            for name, inner in form.get("properties", {}).items():
                form["properties"][name] = _undemanding(inner)
    return document


def any_that_fits(document: dict[str, Any]) -> dict[str, Any]:
    """The same, where just one of schemas that demand nothing has to fit: of Confluence's all do."""
    schemas = document.get("components", {}).get("schemas", {})

    def read(part: Any) -> Any:
        if isinstance(part, list):
            return [read(one) for one in part]
        if not isinstance(part, dict):
            return part
        if part.keys() == {"oneOf"}:
            names = [str(one.get("$ref", "")).rpartition("/")[2] for one in part["oneOf"]]
            if all(_demands_nothing(schemas.get(one, {})) for one in names):
                return {"anyOf": part["oneOf"]}
        return {name: read(one) for name, one in part.items()}

    return dict(read(document))


def _demands_nothing(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and "required" not in schema


def _undemanding(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_undemanding(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _undemanding(one) for name, one in schema.items() if name != "required" or isinstance(one, dict)
    }


def _opened(example: str) -> Any:
    try:
        read = json.loads(example)
    except ValueError:
        return example
    return read if isinstance(read, dict | list) else example
