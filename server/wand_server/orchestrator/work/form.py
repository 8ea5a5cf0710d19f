"""What a task may be made of: steps, or a goal in words; read whole before anything of it is done."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wand_proto.errors import Invalid
from wand_server import arguments

MOST_STEPS = 200
MOST_ITEMS = 1000
MOST_AT_ONCE = 16
_MOST_BYTES = 256 * 1024
_MOST_DEPTH = 32

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Form):
    """One call of a tool, or one for each of some items; the conditions are those of `conditions.py`."""

    id: Id
    tool: Name
    arguments: dict[str, Any] = {}
    when: dict[str, Any] | None = None  # a condition; where it does not hold, the step is skipped
    for_each: Any = None  # a list, or a reference to one
    at_most: Annotated[int, Field(ge=1, le=MOST_ITEMS)] = 100  # items
    at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 1  # of them
    after: tuple[Id, ...] | None = None  # else the steps before it, unless both only read
    expect: dict[str, Any] | None = None  # a condition that its own end must meet: else it has failed
    on_error: Literal["stop", "continue"] = "stop"


class _Work(_Form):
    tools: tuple[Name, ...] | None = None  # no others: names of tools and of toolsets
    read_only: bool = False  # nothing that changes anything


class Steps(_Work):
    """Steps that are written down."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MOST_STEPS)]
    result: Any = None  # what comes of it, made of the steps' results; else the last step's
    at_once: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 4  # steps


class Goal(_Work):
    """A goal in words, which a model works towards."""

    goal: Annotated[str, Field(min_length=1, max_length=32768)]
    context: Annotated[str, Field(max_length=131072)] = ""  # what it should know beside
    turns: Annotated[int, Field(ge=1, le=1000)] | None = None  # answers of the model
    tokens: Annotated[int, Field(ge=1)] | None = None  # read and written, those from the cache too
    cost_usd: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None


FIELDS = (*Steps.model_fields, *Goal.model_fields)


def read(untrusted: Mapping[str, Any]) -> Steps | Goal:
    """A task's JSON as what it is.

    Raises:
        Invalid: names the field, what is wrong with it, and what would be right.
    """
    kinds = [name for name in ("steps", "goal") if untrusted.get(name) is not None]
    if len(kinds) != 1:
        found = "both" if kinds else "neither"
        raise Invalid(f"must have either steps or a goal, and has {found}", field="work")
    _need_small(untrusted)
    if kinds == ["goal"]:
        return arguments.read(Goal, dict(untrusted))
    read = arguments.read(Steps, dict(untrusted))
    for step in read.steps:  # which may have come as a text of JSON
        _need_flat([step.arguments, step.when, step.expect, step.for_each])
    _need_flat(read.result)
    return read


def _need_flat(value: Any) -> None:
    if _depth(value, 0) > _MOST_DEPTH:
        raise Invalid(f"is nested deeper than {_MOST_DEPTH}", field="work")


def _need_small(untrusted: Mapping[str, Any]) -> None:
    _need_flat(untrusted)
    try:
        size = len(json.dumps(untrusted, allow_nan=False))
    except (TypeError, ValueError) as why:
        raise Invalid(f"is no JSON: {why}", field="work") from why
    if size > _MOST_BYTES:
        hint = "keep what is long in a file, and have a step read it"
        raise Invalid(f"has {size} bytes, at most {_MOST_BYTES} are permitted", field="work", hint=hint)


def _depth(value: Any, above: int) -> int:
    if above > _MOST_DEPTH or not isinstance(value, dict | list | tuple):
        return above
    inside = value.values() if isinstance(value, dict) else value
    return max((_depth(each, above + 1) for each in inside), default=above + 1)
