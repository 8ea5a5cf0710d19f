"""An operation: an annotated method whose signature is what it takes, and whose docstring is what it does.

`@get("/users/{id}")` and its like send the arguments as a request, so that the method has no body; under
`@operation(…)` the body does it. Schemas are made when somebody asks for them: hundreds of operations cost
nothing at the start.
"""

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import (
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    get_args,
    get_type_hints,
    overload,
)

from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from wand_server import schema
from wand_server.arguments import read
from wand_server.integrations.kit.content import SAVE_AS, Content, Download, SaveAs
from wand_server.integrations.kit.lasting import Until
from wand_server.integrations.kit.multipart import Kind
from wand_server.integrations.kit.paging import NextCursor, Paging
from wand_server.integrations.kit.request import Method, Route

P = ParamSpec("P")
R = TypeVar("R")
Joined = Callable[[list[Any]], Any]
_READING = frozenset({"GET", "HEAD"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What an operation does to the world, for those who permit it."""

    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False  # twice is the same as once


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a decorator says of its method."""

    marks: Marks
    route: Route | None = None  # None: its body does it
    place: str = ""  # where in the answer stands what it gives back
    paging: Paging | None = None
    joined: Joined | None = None  # what a stream of lines or events becomes
    headers: Mapping[str, str] = field(default_factory=dict)  # of the answer, by their name in the result
    until: Until | None = None
    seconds: float | None = None  # for the whole of it, where the usual is too short
    kept: float | None = None  # seconds, for which its answer is
    recorded: tuple[str, ...] = ()  # arguments that stand in the record, after its name


class More(TypedDict, total=False):
    """What can be said of an operation beside its route; what is not said follows from the HTTP method."""

    place: str  # where in the answer stands what it gives back, with dots
    paging: Paging
    read_only: bool
    destructive: bool
    idempotent: bool
    form: bool | Literal["nested"]  # the body is a form; nested: with names as a[b][0]
    multipart: Kind  # the body has parts, and content is one of them
    inside: str  # the member of the body in which it all stands
    media_type: str  # of the body
    joined: Joined  # makes one value of the list that a stream of lines or events is
    headers: Mapping[str, str]  # of the answer, by their name in the result; * at the end for several
    until: Until  # the service goes on with it after its answer
    seconds: float  # for the whole of it, where the usual is too short
    fixed: Mapping[str, Any]  # sent with every call, where arguments are
    query: Mapping[str, str]  # sent with every call, in the query
    kept: float  # seconds for which an answer is kept for whoever got it; 0: asked whether it has changed


class Sender(Protocol):
    """What an instance does for operations that are one request."""

    async def send(self, operation: "Operation[..., Any]", arguments: BaseModel) -> Any:
        """What the operation gives back."""
        ...


class Operation(Generic[P, R]):
    """One operation of an integration's class; on an instance, a method that calls it."""

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], plan: Plan) -> None:
        self._method = method
        self._signature = inspect.signature(method)
        self.plan = plan
        self.name = method.__name__
        self.description = inspect.cleandoc(method.__doc__ or "")

    @overload
    def __get__(self, instance: None, owner: type) -> "Operation[P, R]": ...
    @overload
    def __get__(self, instance: Sender, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: Sender | None, owner: type) -> Any:
        return self if instance is None else partial(self._call, instance)

    async def _call(self, instance: Sender, *values: P.args, **named: P.kwargs) -> R:
        if self.plan.route is None:
            return await self._method(instance, *values, **named)
        bound = self._signature.bind(instance, *values, **named)
        given = dict(list(bound.arguments.items())[1:])
        result: R = await instance.send(self, read(self.arguments, given))
        return result

    async def run(self, instance: Sender, arguments: BaseModel) -> Any:
        """What it gives back for arguments that have been read, on that instance."""
        if self.plan.route is not None:
            return await instance.send(self, arguments)
        given = {name: getattr(arguments, name) for name in type(arguments).model_fields}
        return await self._method(instance, **given)  # type: ignore[call-arg]

    @property
    def summary(self) -> str:
        """The first line of what it does."""
        return self.description.partition("\n")[0]

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The model of what it takes."""
        hints = get_type_hints(self._method, include_extras=True)
        fields: dict[str, Any] = {
            each.name: (hints[each.name], ... if each.default is inspect.Parameter.empty else each.default)
            for each in list(self._signature.parameters.values())[1:]
        }
        if self.plan.paging is not None:
            fields.setdefault("cursor", (NextCursor, None))
        if self.is_download and self.plan.route is not None:
            fields.setdefault(SAVE_AS, (SaveAs, None))
        return create_model(self.name, __config__=ConfigDict(extra="forbid", frozen=True), **fields)

    @cached_property
    def takes_content(self) -> bool:
        """Whether an argument of it may be a file's."""
        hints = get_type_hints(self._method).values()
        return any(Content in (one, *get_args(one)) for one in hints)

    @cached_property
    def answer(self) -> TypeAdapter[Any]:
        """What it gives back."""
        return TypeAdapter(self._answer_type)

    def recorded_as(self, name: str, arguments: BaseModel) -> str:
        """Its full name, with those arguments of it that say what it does."""
        return ".".join((name, *(str(getattr(arguments, one)).lower() for one in self.plan.recorded)))

    @cached_property
    def is_silent(self) -> bool:
        """Whether it gives nothing back, whatever the service says."""
        return self._answer_type is type(None)

    @cached_property
    def is_download(self) -> bool:
        """Whether it gives a file back, as it came."""
        return self._answer_type is Download

    @cached_property
    def is_text(self) -> bool:
        """Whether it gives text back, and so XML as it came."""
        return self._answer_type is str

    @cached_property
    def _answer_type(self) -> Any:
        return get_type_hints(self._method, include_extras=True)["return"]

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of what it takes, lean."""
        return schema.schema_of(self.arguments, "validation")

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of what it gives back, lean."""
        return schema.lean(self.answer.json_schema(mode="serialization"))


class Decorator(Protocol):
    """Makes an operation of a method."""

    def __call__(
        self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]], /
    ) -> Operation[P, R]: ...


def operation(
    *,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    recorded: tuple[str, ...] = (),
) -> Decorator:
    """An operation that its method does by itself.

    `recorded` are arguments that say which of many things it does: policy and ledger have it with them.
    """
    marks = Marks(read_only=read_only, destructive=destructive, idempotent=idempotent or read_only)
    return partial(Operation, plan=Plan(marks=marks, recorded=recorded))


def get(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a GET; arguments that the path does not take go into the query."""
    return partial(Operation, plan=_routed("GET", path, more))


def head(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a HEAD, for what its headers tell; arguments as with `get`."""
    return partial(Operation, plan=_routed("HEAD", path, more))


def post(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a POST; arguments that the path does not take go into the body."""
    return partial(Operation, plan=_routed("POST", path, more))


def put(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a PUT; arguments as with `post`."""
    return partial(Operation, plan=_routed("PUT", path, more))


def patch(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a PATCH; arguments as with `post`."""
    return partial(Operation, plan=_routed("PATCH", path, more))


def delete(path: str, **more: Unpack[More]) -> Decorator:
    """An operation that is a DELETE; arguments as with `get`."""
    return partial(Operation, plan=_routed("DELETE", path, more))


def _routed(method: Method, path: str, more: More) -> Plan:
    reads = more.get("read_only", method in _READING)
    marks = Marks(
        read_only=reads,
        destructive=more.get("destructive", method == "DELETE"),
        idempotent=more.get("idempotent", reads or method in _IDEMPOTENT),
    )
    route = Route(
        method=method,
        path=path,
        form=more.get("form", False),
        multipart=more.get("multipart"),
        inside=more.get("inside", ""),
        media_type=more.get("media_type", ""),
        fixed=more.get("fixed", {}),
        query=more.get("query", {}),
    )
    return Plan(
        marks=marks,
        route=route,
        place=more.get("place", ""),
        paging=more.get("paging"),
        joined=more.get("joined"),
        headers=more.get("headers", {}),
        until=more.get("until"),
        seconds=more.get("seconds"),
        kept=more.get("kept"),
    )
