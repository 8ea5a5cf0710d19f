"""What stands around one task: what it may use, what is kept of it, what it came to."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from wand_proto.errors import WandError, named
from wand_server.model import Call, ToolResult
from wand_server.offers import Tools
from wand_server.orchestrator.work import sizes
from wand_server.orchestrator.work.models.port import NOTHING, Model, Usage

_SHOWN = 2000
Json = dict[str, Any]
State = Literal["done", "failed", "ambiguous", "waits"]
"""`ambiguous`: what was done cannot be known. `waits`: for a person's approval; carry it out again, later."""


class Journal(Protocol):
    """Keeps what must outlive a crash; each call returns when it is kept."""

    async def begins(self, act: str, *, may_repeat: bool) -> None:
        """An act is about to begin, and has no end until it ends, whatever end it had before.

        One that began and never ended is ambiguous, unless it may be repeated.
        """
        ...

    async def ended(self, act: str, end: Json) -> None:
        """An act has ended so."""
        ...

    async def note(self, entry: Json) -> None:
        """One more entry of the transcript: what was said to the model, and what it said."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a journal kept of an attempt that did not come to its end; of a first attempt, nothing."""

    ended: Mapping[str, Json] = field(default_factory=dict)
    begun: Mapping[str, bool] = field(default_factory=dict)  # whether it may be repeated
    transcript: Sequence[Json] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that a goal may use, whatever it says itself; what stands at None is not bounded."""

    turns: int | None = 50
    tokens: int | None = None
    cost_usd: float | None = None


Allowance = Callable[[], Awaitable[float | None]]
"""The dollars that all who share them may still spend; asked before each answer of a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """All that a task is given."""

    tools: Tools  # its caller's
    call: Call  # who calls, under which request
    journal: Journal
    past: Past = Past()
    deadline: float | None = None  # on the clock of time.monotonic
    budget: Budget = Budget()
    allowance: Allowance | None = None
    model: Model | None = None  # for goals
    withheld: Collection[str] = ()  # tools that it may not call: see `narrowing.HANDS_OUT`


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one act ended; its JSON is what a journal keeps."""

    text: str
    result: Any = None
    is_error: bool = False
    kind: str = ""  # the class of its error, in the family
    waits: str = ""  # for approval: what a person can be told. It was not done

    @classmethod
    def of(cls, answer: ToolResult) -> "End":
        """What a tool's answer comes to, as much of it as is kept."""
        result = None if answer.is_error and not answer.structured else answer.structured
        return cls(
            text=sizes.clipped(answer.text),
            result=sizes.fitted(result),
            is_error=answer.is_error,
            kind=answer.kind,
            waits=answer.waits,
        )

    @classmethod
    def read(cls, kept: Json) -> "End":
        """The end that a journal kept."""
        return cls(**kept)

    def as_json(self) -> Json:
        """What a journal keeps."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What carrying a task out came to."""

    state: State
    result: Any = None  # JSON
    text: str = ""
    error: WandError | None = None
    steps: Mapping[str, str] = field(default_factory=dict)  # the state of each; empty for a goal
    unknown: tuple[str, ...] = ()  # acts of which nobody can say whether they were done
    may_pass: bool = False  # of a failure: later it may be done
    after_seconds: float | None = None  # and not before
    usage: Usage = NOTHING


def error_of(end: End, place: str) -> WandError:
    """An act's failure, with the place at which it stands as its field."""
    message = end.text.removeprefix(f"{end.kind}: ") if end.kind else end.text
    message, _, hint = message.partition("\nHint: ")
    if not end.kind:  # what was asked failed, such as a command that took too long
        return WandError(message[:_SHOWN], field=place)
    return named(end.kind, message[:_SHOWN], hint=hint[:_SHOWN], field=place)
