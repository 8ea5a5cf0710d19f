"""A call's arguments laid out as an HTTP request: into the path, the query, the headers or the body."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wand_proto.errors import Invalid

Where = Literal["query", "header", "body", "whole_body"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

_BLANK = re.compile(r"\{(\+?)(\w+)\}")  # {name} takes a segment, {+name} as many as there are (RFC 6570)
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})


@dataclass(frozen=True, slots=True)
class Sent:
    """Beside a parameter's type: under which name it is sent, and where, if not as usual."""

    name: str = ""
    where: Where | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A method, and a path with blanks such as `/repos/{owner}`."""

    method: Method
    path: str
    form: bool = False  # the body is a form, not JSON
    fixed: Mapping[str, Any] = field(default_factory=dict)  # sent with every call, where arguments are


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
    body: bytes | None = None

    def copy(self) -> "Request":
        """The same, to be changed."""
        form = dict(self.form) if self.form is not None else None
        return replace(self, query=dict(self.query), headers=dict(self.headers), form=form)

    @property
    def url(self) -> str:
        """Where it goes, without the query."""
        return self.path if "://" in self.path else self.base_url.rstrip("/") + self.path

    def encode(self) -> bytes | None:
        """The body as it is sent; its type is among the headers then."""
        if self.form is not None:
            self.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return urlencode(self.form).encode()
        if self.json is not None:
            self.headers.setdefault("Content-Type", "application/json")
            return json.dumps(self.json, separators=(",", ":"), ensure_ascii=False).encode()
        return self.body


def lay_out(route: Route, arguments: BaseModel, without: Collection[str] = ()) -> Request:
    """The request that carries those arguments; what was left out, or is null, is not sent."""
    given = arguments.model_dump(mode="json", exclude_none=True, exclude=set(without))
    path = _BLANK.sub(lambda blank: _segments(blank[2], given.pop(blank[2]), many=bool(blank[1])), route.path)
    request = Request(method=route.method, path=path)
    body: dict[str, Any] = {}
    for name, where, value in (*_placed(route, arguments, given), *_fixed(route)):
        match where:
            case "query":
                request.query[name] = as_text(value)
            case "header":
                request.headers[name] = as_text(value)
            case "whole_body":
                request.json = value
            case "body":
                body[name] = value
    if body:
        request.json, request.form = (None, _as_form(body)) if route.form else (body, None)
    return request


def _segments(name: str, value: Any, *, many: bool) -> str:
    """A value as a part of a path that it cannot lead out of.

    Raises:
        Invalid: it would be no segment of its own.
    """
    parts = str(value).strip("/").split("/") if many else [str(value)]
    if any(part in {"", ".", ".."} for part in parts):
        raise Invalid(f"{str(value)!r:.80} cannot be a part of a path", field=name)
    return "/".join(quote(part, safe="") for part in parts)


def _placed(route: Route, arguments: BaseModel, given: Mapping[str, Any]) -> Iterator[tuple[str, Where, Any]]:
    for name, value in given.items():
        sent = sent_as(type(arguments).model_fields[name])
        yield sent.name or name, sent.where or _usual(route), value


def _fixed(route: Route) -> Iterator[tuple[str, Where, Any]]:
    for name, value in route.fixed.items():
        yield name, _usual(route), value


def _usual(route: Route) -> Where:
    return "query" if route.method in _WITHOUT_BODY else "body"


def sent_as(parameter: FieldInfo) -> Sent:
    """How a parameter wants to be sent."""
    return next((each for each in parameter.metadata if isinstance(each, Sent)), Sent())


def _as_form(body: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in body.items()}


def as_text(value: Any) -> str:
    """A value in a query, a form or a header: booleans in lower case, lists with commas, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ",".join(map(as_text, value))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
