"""Google's own form of a description (discovery) as OpenAPI 3."""

from collections.abc import Iterator, Mapping
from typing import Any

_SAME = ("type", "format", "enum", "description", "default", "pattern", "minimum", "maximum", "readOnly")
_OF_ALL = frozenset({
    "alt", "callback", "prettyPrint", "$.xgafv", "upload_protocol", "uploadType", "access_token",
    "oauth_token", "quotaUser", "key", "userIp", "fields",
})  # fmt: skip


def openapi(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same description."""
    paths: dict[str, Any] = {}
    for method in _methods(document):
        path = "/" + (method.get("flatPath") or method["path"]).replace("{+", "{").lstrip("/")
        paths.setdefault(path, {})[method["httpMethod"].lower()] = _operation(document, method, path)
    return {
        "openapi": "3.0.3",
        "info": {"title": document["title"], "version": document["version"]},
        "servers": [{"url": f"{document['rootUrl']}{document['servicePath']}".rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": {name: _schema(one) for name, one in document.get("schemas", {}).items()},
            "securitySchemes": {"oauth2": {"type": "http", "scheme": "bearer"}},
        },
    }


def _methods(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _methods(inner)


def _operation(document: Mapping[str, Any], method: Mapping[str, Any], path: str) -> dict[str, Any]:
    given = {**document.get("parameters", {}), **method.get("parameters", {})}
    answer: dict[str, Any] = {"description": ""}
    if "response" in method:
        answer["content"] = {"application/json": {"schema": _schema(method["response"])}}
    body = (
        {"content": {"application/json": {"schema": _schema(method["request"])}}}
        if "request" in method
        else None
    )
    return {
        "operationId": method["id"],
        "security": [{"oauth2": []}],
        "parameters": [_parameter(name, one, path) for name, one in given.items() if name not in _OF_ALL],
        "responses": {"200": answer},
        **({"requestBody": body} if body else {}),
    }


def _parameter(name: str, about: Mapping[str, Any], path: str) -> dict[str, Any]:
    in_path = f"{{{name}}}" in path
    schema = _schema({key: value for key, value in about.items() if key != "required"})
    several = {"type": "array", "items": schema} if about.get("repeated") else schema
    required = in_path or bool(about.get("required"))
    return {"name": name, "in": "path" if in_path else "query", "required": required, "schema": several}


def _schema(about: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in about:
        return {"$ref": f"#/components/schemas/{about['$ref']}"}
    made = {name: about[name] for name in _SAME if name in about and about[name] != "any"}
    for name in ("minimum", "maximum", "default"):
        if name in made:
            made[name] = _value(made.get("type"), made[name])
    if "properties" in about:
        made["properties"] = {name: _schema(one) for name, one in about["properties"].items()}
    for name in ("items", "additionalProperties"):
        if name in about:
            made[name] = _schema(about[name])
    return made


def _value(kind: Any, text: Any) -> Any:
    """A default or a bound, which stands there as text."""
    if kind == "boolean":
        return text in ("true", True)
    return float(text) if kind in ("integer", "number") and isinstance(text, str) else text
