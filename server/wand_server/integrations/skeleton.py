"""The first draft of an integration, from a description of its API (OpenAPI 2 or 3): names, types, no words.

What it writes is to be read and cut down by a person: which parameters matter, what an answer has to show,
and every docstring. It takes facts from the description, and none of its texts.
"""

import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wand_proto.errors import Invalid

_MOST_OPTIONAL = 8
_MOST_FIELDS = 8
_MOST_CHOICES = 8
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_BLANK = re.compile(r"\{([^}]+)\}")
_FILE = "Content"  # the kit's
_OF_THE_KIT = frozenset({"Page", "Content", "Resource", "Integration"})  # no class of a service is called so
_PAGES = frozenset({"page", "cursor", "offset", "after", "starting_after", "page_token", "pageToken", "skip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One operation to draft."""

    name: str
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One argument of an operation."""

    name: str
    type: str
    required: bool
    sent_as: str = ""
    where: str = ""  # empty: as usual for the method

    def line(self) -> str:
        marks = [f'"{self.sent_as}"'] if self.sent_as else []
        marks += [f'where="{self.where}"'] if self.where else []
        kind = self.type if self.required else f"{self.type} | None"
        kind = f"Annotated[{kind}, Sent({', '.join(marks)})]" if marks else kind
        return f"{self.name}: {kind}{'' if self.required else ' = None'}"


@dataclass(slots=True, kw_only=True)
class Draft:
    """What has been drafted so far: the resources by name, and the methods."""

    resources: dict[str, list[str]] = field(default_factory=dict)
    methods: list[str] = field(default_factory=list)


def draft(document: Mapping[str, Any], service: str, wanted: Sequence[Wanted]) -> str:
    """The module of an integration, as text.

    Raises:
        Invalid: the description does not know an operation; the message names it.
    """
    reading = Description(document)
    made = Draft()
    for one in wanted:
        made.methods.append(reading.method(one, made))
    name = "".join(part.capitalize() for part in service.split("_"))
    resources = "\n\n".join(
        f"class {kind}(Resource):\n" + "\n".join(lines) for kind, lines in made.resources.items()
    )
    methods = "\n\n".join(made.methods)
    address = reading.base_url()
    is_known = address.startswith("https://") and "{" not in address
    at_class = f'    base_url = "{address}"\n' if is_known else ""
    at_config = "" if is_known else f'        base_url: str = Field(description="such as {address}")\n'
    return f'''"""{name}'s API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Content, Page, Resource, Sent, at, delete, get, patch, post, put

{resources}


class {name}(kit.Integration):
    """{name}."""

    class Config(kit.Integration.Config):
        """Who signs in."""

{at_config}        token: SecretStr

{at_class}    sign_in = kit.Bearer("token")

    async def health_check(self) -> None:
        raise NotImplementedError

{methods}
'''


class Description:
    """A description of an API, its references followed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def base_url(self) -> str:
        """Where the service is."""
        for server in self._document.get("servers", ()):
            return str(server.get("url", "")).rstrip("/")
        return f"https://{self._document.get('host', '')}{self._document.get('basePath', '')}".rstrip("/")

    def method(self, wanted: Wanted, made: Draft) -> str:
        """The method of an operation, as text."""
        path, operation, shared = self._find(wanted)
        parameters = list(self._parameters(operation, shared, wanted.method))
        parameters = list({one.name: one for one in reversed(parameters)}.values())[::-1]  # each once
        told = {one.name for one in parameters}
        blanks = (_named(blank) for blank in _BLANK.findall(path))
        parameters += [Parameter(name=one, type="str", required=True) for one in blanks if one not in told]
        lines = [one.line() for one in sorted(parameters, key=lambda one: not one.required)]
        answer, more = self._answer(wanted, operation, made)
        if self._is_form(operation):
            has_file = any(one.type == _FILE for one in parameters)
            more += ', multipart="form-data"' if has_file else ", form=True"
        elif inside := self._opened(self._body(operation))[0]:
            more += f', inside="{inside}"'
        path = _BLANK.sub(lambda blank: f"{{{_named(blank[1])}}}", path)
        words = wanted.name.replace("_", " ").capitalize()
        arguments = ", ".join(["self", *lines])
        return (
            f'    @{wanted.method.lower()}("{path}"{more})\n'
            f"    async def {wanted.name}({arguments}) -> {answer}:\n"
            f'        """{words}."""'
        )

    def _find(self, wanted: Wanted) -> tuple[str, Mapping[str, Any], Sequence[Any]]:
        shape = _shape(wanted.path)
        for path, item in self._document.get("paths", {}).items():
            if _shape(path) == shape and wanted.method.lower() in item:
                return path, item[wanted.method.lower()], item.get("parameters", ())
        raise Invalid(f"{wanted.method} {wanted.path} is not described", field=wanted.name)

    def _parameters(
        self, operation: Mapping[str, Any], shared: Sequence[Any], method: str
    ) -> Iterator[Parameter]:
        optional = 0
        for given in (*shared, *operation.get("parameters", ())):
            one = self._followed(given)
            if one.get("in") == "body":
                yield from self._fields(self._followed(one.get("schema", {})))
            elif one.get("in") in {"path", "query", "formData"} and one["name"] not in _PAGES:
                required = bool(one.get("required"))
                optional += not required
                if required or optional <= _MOST_OPTIONAL:
                    usual = "query" if method in {"GET", "DELETE"} else "body"
                    where = "query" if one["in"] == "query" and usual != "query" else ""
                    yield self._parameter(one["name"], one.get("schema", one), required=required, where=where)
        yield from self._fields(self._opened(self._body(operation))[1])

    def _fields(self, schema: Mapping[str, Any]) -> Iterator[Parameter]:
        required = set(schema.get("required", ()))
        optional = 0
        for name, inner in self._properties(schema).items():
            optional += name not in required
            if name in required or optional <= _MOST_OPTIONAL:
                yield self._parameter(name, inner, required=name in required)

    def _parameter(self, name: str, schema: Any, *, required: bool, where: str = "") -> Parameter:
        ours = _named(name)
        return Parameter(
            name=ours,
            type=self._type(schema),
            required=required,
            sent_as=name if ours != name else "",
            where=where,
        )

    def _content(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        content: Mapping[str, Any] = self._followed(operation.get("requestBody", {})).get("content", {})
        return content

    def _is_form(self, operation: Mapping[str, Any]) -> bool:
        content = self._content(operation)
        is_old_form = any(
            self._followed(one).get("in") == "formData" for one in operation.get("parameters", ())
        )
        return is_old_form or (bool(content) and not any("json" in kind for kind in content))

    def _body(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        for kind, about in self._content(operation).items():
            if "json" in kind or "form" in kind:
                return self._followed(about.get("schema", {}))
        return {}

    def _opened(self, schema: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """What holds one object and nothing else: that object, and the name under which it does."""
        inner = list(self._properties(schema).items())
        if len(inner) == 1 and self._properties(inner[0][1]):
            return inner[0][0], self._followed(inner[0][1])
        return "", schema

    def _properties(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        schema = self._followed(schema)
        found = dict(schema.get("properties", {}))
        for part in (*schema.get("allOf", ()), *schema.get("oneOf", ())[:1], *schema.get("anyOf", ())[:1]):
            found |= self._properties(part)
        return found

    def _answer(self, wanted: Wanted, operation: Mapping[str, Any], made: Draft) -> tuple[str, str]:
        """The type that an operation gives back, and where in the answer it stands."""
        schema = self._answered(operation)
        if not schema:
            return "None", ""
        noun = "".join(part.capitalize() for part in wanted.name.split("_")[1:]) or "Thing"
        noun = f"One{noun}" if _singular(noun) in _OF_THE_KIT else noun
        if schema.get("type") == "array":
            return f"list[{self._resource(_singular(noun), schema.get('items', {}), made)}]", ""
        lists = [
            (name, inner)
            for name, inner in self._properties(schema).items()
            if self._followed(inner).get("type") == "array"
        ]
        if wanted.name.startswith(("list_", "search_", "query_")) and lists:
            name, inner = lists[0]
            items = self._followed(inner).get("items", {})
            return f"list[{self._resource(_singular(noun), items, made)}]", f', place="{name}"'
        place, schema = self._opened(schema)
        return self._resource(noun, schema, made), f', place="{place}"' if place else ""

    def _answered(self, operation: Mapping[str, Any]) -> Mapping[str, Any]:
        for status, answer in sorted(operation.get("responses", {}).items()):
            if str(status).startswith("2"):
                read = self._followed(answer)
                if "schema" in read:
                    return self._followed(read["schema"])
                for kind, about in read.get("content", {}).items():
                    if "json" in kind:
                        return self._followed(about.get("schema", {}))
        return {}

    def _resource(self, name: str, schema: Any, made: Draft) -> str:
        properties = self._properties(schema)
        if not properties:
            return self._type(schema)
        members = [(key, self._type(inner)) for key, inner in properties.items() if "." not in key]
        lines = [f"    {_member(key, kind)} = None" for key, kind in members[:_MOST_FIELDS]]
        made.resources.setdefault(name, lines or ["    pass"])
        return name

    def _type(self, schema: Any) -> str:
        read = self._followed(schema)
        if _is_file(read):
            return _FILE
        choices = read.get("enum", ())
        if choices and all(isinstance(one, str) for one in choices) and len(choices) <= _MOST_CHOICES:
            return "Literal[" + ", ".join(f'"{one}"' for one in choices) + "]"
        kind = read.get("type")
        kind = next((one for one in kind if one != "null"), None) if isinstance(kind, list) else kind
        if kind == "array":
            return f"list[{self._type(read.get('items', {}))}]"
        return _PLAIN.get(
            str(kind), "dict[str, Any]" if kind == "object" or self._properties(read) else "Any"
        )

    def _followed(self, given: Any) -> Mapping[str, Any]:
        for _ in range(10):
            if not isinstance(given, dict) or "$ref" not in given:
                break
            given = self._at(str(given["$ref"]))
        return given if isinstance(given, dict) else {}

    def _at(self, reference: str) -> Any:
        found: Any = self._document
        for part in reference.removeprefix("#/").split("/"):
            found = (
                found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
            )
        return found


def _member(name: str, kind: str) -> str:
    """A member of an answer, by a name of Python."""
    ours = _named(name)
    return f"{name}: {kind} | None" if ours == name else f'{ours}: Annotated[{kind} | None, at("{name}")]'


def _is_file(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "file" or schema.get("format") == "binary"


def _shape(path: str) -> str:
    return _BLANK.sub("{}", path).rstrip("/")


def _named(name: str) -> str:
    """A name of Python for what a service calls so."""
    words = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name)
    clean = re.sub(r"[^a-z0-9_]+", "_", words.lower()).strip("_") or "value"
    return f"{clean}_" if keyword.iskeyword(clean) or clean[0].isdigit() else clean


def _singular(noun: str) -> str:
    return noun.removesuffix("s") if not noun.endswith("ss") else noun
