"""Vendors' descriptions of their APIs, as Prism can answer by them."""

import gzip
import json
from pathlib import Path
from typing import Any

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
    return kept


def lenient(document: dict[str, Any]) -> dict[str, Any]:
    """The same, demanding no members of objects in forms: Prism makes one of each that is left out."""
    for item in document.get("paths", {}).values():
        for operation in item.values():
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            form = body.get("content", {}).get("application/x-www-form-urlencoded", {}).get("schema", {})
            for name, inner in form.get("properties", {}).items():
                form["properties"][name] = _undemanding(inner)
    return document


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
