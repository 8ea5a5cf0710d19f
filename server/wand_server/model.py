"""The values that walk through the server: who calls, what a call may know, and what comes back."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from wand_proto.errors import NeedsApproval, WandError

Means = Literal["api_key", "token", "certificate", "unix_peer", "anonymous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who signed in, by which means, and what they may call."""

    name: str
    means: Means
    scopes: frozenset[str] = frozenset()  # that this sign-in grants: see `scopes.py`
    groups: tuple[str, ...] = ()  # that the means of signing in tells; a policy may speak of them
    on_behalf_of: str = ""  # the person for whom an agent or a service acts, where that is told
    credential: str = ""  # which of the name's keys, tokens or certificates it was: an id, no secret
    expires: float | None = None  # in seconds of the Unix clock; None where it does not

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two sign-ins of the same party share, whichever key or token they bring."""
        return self.means, self.name, self.on_behalf_of

    @property
    def owner(self) -> str:
        """The same as one text, under which something of theirs is kept."""
        return _as_text(self.identity)


@lru_cache(maxsize=1024)  # each call of a tool asks twice
def _as_text(identity: tuple[str, str, str]) -> str:
    return json.dumps(identity, ensure_ascii=False, separators=(",", ":"))


Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Tell the client how far a call is: progress (only ever rising), the total where known, a message."""


class Call(NamedTuple):
    """What one tools/call knows beside its arguments; a tuple with names, for it is made each time."""

    principal: Principal
    request_id: str
    client: str = ""  # the client's own name and version; a claim
    agent: str = ""  # the agent behind the client, and its model, where it tells; claims as well
    model: str = ""
    traceparent: str = ""
    progress: Progress | None = None  # None where the client did not ask
    task: str = ""  # the task that is carried out with it, where it is one; no client can say that
    may_last: bool = False  # it was answered by a task: nobody waits for this to end


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDescription:
    """A tool as a client sees it; the schemas are JSON Schema 2020-12."""

    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]  # empty: the list does not say
    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool
    toolset: str = ""  # what it belongs to, "files" or "commands" for example: scopes speak of it
    view: str = ""  # the URI of a page that shows its results, in clients that can
    may_last: bool = False  # for minutes and more, so that a call may become a task
    kept_seconds: float = 0  # for which a result may be given again to whoever got it
    stands_for: str = ""  # the tool whose call it is under another name: who may not call that, may not this


def tool_name(operation: str) -> str:
    """An operation's name as every client takes it: `github:work.get_issue` is `github-work-get_issue`."""
    return operation.replace(":", "-").replace(".", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLink:
    """A resource that an answer points at."""

    uri: str
    name: str
    mime_type: str
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All of a result, where the answer holds only its beginning."""

    data: bytes
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image, or a document, as a client can show it."""

    uri: str
    mime_type: str
    data: bytes


_NO_OBJECT: dict[str, Any] = {}  # shared, and never edited


class ToolResult(NamedTuple):
    """What a tool answers: text for a model, the same as an object, and whether it failed."""

    text: str
    structured: dict[str, Any] = _NO_OBJECT
    is_error: bool = False
    pictures: tuple["Picture", ...] = ()  # what a client can show
    waits: str = ""  # for a person's approval: what they can be told of it
    kind: str = ""  # of an error of the family: its class
    links: tuple[ResourceLink, ...] = ()
    whole: Whole | None = None  # to be kept, and named by a link


def refusal(error: WandError) -> ToolResult:
    """An error of the family as a result: its kind, what happened, and its hint.

    It carries no object: clients check objects against the output schema even in errors.
    """
    where = f"{error.field}: " if error.field and not error.message.startswith(error.field) else ""
    hint = f"\nHint: {error.hint}" if error.hint else ""
    waits = _waits(error) if isinstance(error, NeedsApproval) else ""
    return ToolResult(
        text=f"{type(error).__name__}: {where}{error.message}{hint}",
        is_error=True,
        waits=waits,
        kind=type(error).__name__,
    )


def _waits(error: NeedsApproval) -> str:
    """What a person is told whose agent waits for approval."""
    command = error.hint.partition(": ")[2] or error.hint
    where = f"Approval is given on the host, and nowhere else: {command}"
    return f"What your agent wants to do {error.message}.\n\n{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTold:
    """How far a task is that outlives the request, and the server; `result` once it has ended."""

    status: Literal["working", "completed", "cancelled"]
    message: str
    created: float  # in seconds of the Unix clock
    updated: float
    result: ToolResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDescription:
    """Something that a client can read: one thing under a URI, or many under a URI template (RFC 6570)."""

    uri: str
    name: str
    title: str
    description: str
    mime_type: str
    is_template: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceContent:
    """What was read; `next_uri` reads on where there is more, and `meta` is for the client alone."""

    uri: str
    mime_type: str
    data: bytes
    next_uri: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceState:
    """What can be compared to see whether a resource has changed; one that is `final` changes no more."""

    mark: str
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillDescription:
    """What an agent can learn: the URI of its SKILL.md, the two fields of its head, and all of its files."""

    uri: str
    name: str
    description: str
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptArgument:
    """One blank of a prompt, and what it may well be filled with."""

    name: str
    description: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDescription:
    """A prompt as a client offers it to a person."""

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...] = ()
