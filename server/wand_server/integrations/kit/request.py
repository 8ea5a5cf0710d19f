"""A call's arguments laid out as an HTTP request: into the path, the query, the headers or the body."""

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wand_proto.errors import Invalid
from wand_server.integrations.kit.multipart import Kind, Multipart, Part

Where = Literal["query", "header", "body", "whole_body"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_BLANK = re.compile(r"\{(\+?)(\w+)\}")  # {name} takes a segment, {+name} as many as there are (RFC 6570)
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_ASCII_JSON = json.JSONEncoder(separators=(",", ":"))
WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})


@dataclass(frozen=True, slots=True)
class Sent:
    """Beside a parameter's type: under which name it is sent, and where, if not as usual.

    In a body dots lead into objects: `filters.name` is `{"filters": {"name": …}}`.
    """

    name: str = ""
    where: Where | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method, and a path with blanks such as `/repos/{owner}`."""

    method: Method
    path: str
    form: bool | Literal["nested"] = False  # the body is a form, not JSON; nested: with names as a[b][0]
    multipart: Kind | None = None  # the body has parts: a form's with files, or a description and a file
    media_type: str = (
        ""  # of the body, where it is not the usual one; a whole body that is text goes as it is
    )
    inside: str = ""  # the member of the body in which it all stands
    fixed: Mapping[str, Any] = field(default_factory=dict)  # sent with every call, where arguments are
    query: Mapping[str, str] = field(default_factory=dict)  # sent with every call, in the query


@dataclass(slots=True, kw_only=True)
class Request:
    """One request on its way; sign-in adds to it, and each try begins with a copy."""

    method: Method
    path: str  # below the base URL, or a whole URL
    base_url: str = ""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    form: dict[str, str] | None = None
    multipart: Multipart | None = None
    body: bytes | None = None
    follows: bool = False  # a redirect, to where the service keeps its files

    def copy(self) -> "Request":
        """The same, to be changed."""
        return Request(
            method=self.method,
            path=self.path,
            base_url=self.base_url,
            query=dict(self.query),
            headers=dict(self.headers),
            json=self.json,
            form=dict(self.form) if self.form is not None else None,
            multipart=self.multipart,
            body=self.body,
            follows=self.follows,
        )

    @property
    def url(self) -> str:
        """Where it goes, without the query."""
        return self.path if "://" in self.path else self.base_url.rstrip("/") + self.path

    def encode(self) -> bytes | None:
        """The body as it is sent; its type is among the headers then."""
        if self.multipart is not None:
            self.headers.setdefault("Content-Type", self.multipart.media_type)
            return self.multipart.encode()
        if self.form is not None:
            self.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return urlencode(self.form).encode()
        if self.json is not None:
            self.headers.setdefault("Content-Type", "application/json")
            return _JSON.encode(self.json).encode()
        return self.body


def lay_out(
    route: Route,
    arguments: BaseModel,
    without: Collection[str] = (),
    parts: Mapping[str, Part] = MappingProxyType({}),
) -> Request:
    """The request that carries those arguments; what was left out, or is null, is not sent.

    In `parts` are those that are content, read.
    """
    given = {**arguments.model_dump(mode="json", exclude_none=True, exclude=set(without) or None), **parts}
    path = _BLANK.sub(lambda blank: segments(blank[2], given.pop(blank[2]), many=bool(blank[1])), route.path)
    request = Request(method=route.method, path=path, query=dict(route.query))
    if route.media_type:
        request.headers["Content-Type"] = route.media_type
    body: dict[str, Any] = {}
    for name, where, value in _placed(route, arguments, given):
        match where:
            case "query":
                request.query[name] = as_text(value)
            case "header":
                request.headers[name] = as_text(value, ascii_only=True)
            case "whole_body":
                _put_whole(request, value)
            case "body":
                put_in(body, name, value)
    if body:
        _put_body(request, route, {route.inside: body} if route.inside else body)
    return request


def put_in(body: dict[str, Any], name: str, value: Any) -> None:
    """A value under its name; that of OData's `@…` has dots of its own."""
    *outer, last = [name] if "@" in name else name.split(".")
    for one in outer:
        body[one] = dict(body.get(one, {}))  # which may be what is fixed for all calls
        body = body[one]
    body[last] = value


def _put_whole(request: Request, value: Any) -> None:
    if isinstance(value, Part):
        request.body = value.data
        request.headers.setdefault("Content-Type", value.media_type)
    elif isinstance(value, str) and request.headers.get("Content-Type"):
        request.body = value.encode("utf-8", "surrogatepass")
    else:
        request.json = value


def _put_body(request: Request, route: Route, body: Mapping[str, Any]) -> None:
    if route.multipart is not None:
        request.multipart = _in_parts(route.multipart, body)
    elif route.form:
        request.form = dict(_nested("", _plain(body))) if route.form == "nested" else _as_form(_plain(body))
    else:
        request.json = _plain(body)


def _in_parts(kind: Kind, body: Mapping[str, Any]) -> Multipart:
    files = {name: value for name, value in body.items() if isinstance(value, Part)}
    rest = {name: value for name, value in body.items() if name not in files}
    if kind == "related":
        return Multipart(kind=kind, values=files, about=rest)
    return Multipart(kind=kind, values={**_as_form(rest), **files})


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """Content as base64, where a body has no other place for it."""
    return {
        name: base64.b64encode(value.data).decode() if isinstance(value, Part) else value
        for name, value in body.items()
    }


def _nested(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Values under names such as `items[0][price]`; an empty object or list is sent as an empty text."""
    if isinstance(value, dict | list) and value:
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in inner:
            yield from _nested(f"{name}[{key}]" if name else str(key), each)
    elif value is not None:
        yield name, "" if value in ({}, []) else as_text(value)


def segments(name: str, value: Any, *, many: bool) -> str:
    """A value as a part of a path that it cannot lead out of.

    Raises:
        Invalid: it would be no segment of its own.
    """
    parts = str(value).strip("/").split("/") if many else [str(value)]
    if any(part in {"", ".", ".."} for part in parts):
        raise Invalid(f"{str(value)!r:.80} cannot be a part of a path", field=name)
    return "/".join(quote(part, safe="") for part in parts)


def _placed(route: Route, arguments: BaseModel, given: Mapping[str, Any]) -> Iterator[tuple[str, Where, Any]]:
    usual: Where = "query" if route.method in WITHOUT_BODY else "body"
    wanted = _wanted(type(arguments))
    for name, value in given.items():
        sent = wanted[name]
        yield sent.name or name, sent.where or usual, value
    for name, value in route.fixed.items():
        yield name, usual, value


@lru_cache(maxsize=4096)  # operations, each of which has a model of its own
def _wanted(model: type[BaseModel]) -> Mapping[str, Sent]:
    return {name: sent_as(parameter) for name, parameter in model.model_fields.items()}


def sent_as(parameter: FieldInfo) -> Sent:
    """How a parameter wants to be sent."""
    return next((each for each in parameter.metadata if isinstance(each, Sent)), Sent())


def _as_form(body: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in body.items()}


def as_text(value: Any, *, ascii_only: bool = False) -> str:
    """A value in a query, a form or a header: booleans in lower case, lists with commas, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ",".join(map(as_text, value))
    return (_ASCII_JSON if ascii_only else _JSON).encode(value)
