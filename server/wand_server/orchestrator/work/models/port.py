"""The port behind which a model stands, and the values that cross it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol

Stop = Literal["end", "tools", "length", "pause", "refusal", "context"]
"""Why a model stopped: it is done; it wants tools; its answer is as long as permitted; it wants to go on;
it declines; the conversation is longer than it can read."""

Block = dict[str, Any]
"""A part of a turn, as JSON:

- {"type": "text", "text"}
- {"type": "tool_use", "id", "name", "input"}, and "unread", where what came for an input was no JSON object
- {"type": "tool_result", "tool_use_id", "content", "is_error"}
- others, which only the model knows that wrote them, and gets back as they are
"""

Told = Callable[[str], Awaitable[None]]
"""Hears the text of an answer while it comes, piece by piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used; tokens that came from the provider's cache count apart."""

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


NOTHING = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolShown:
    """A tool, as a model is told of it."""

    name: str
    description: str
    input_schema: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one of the two said."""

    role: Literal["user", "assistant"]
    content: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request to a model: who it is, what was said so far, what it may call."""

    system: str
    turns: Sequence[Turn]
    tools: Sequence[ToolShown]
    most_tokens: int | None = None  # that it may write, below what its settings say
    seconds: float | None = None  # for the whole answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model said, why it stopped, and what that took."""

    content: Sequence[Block]
    stop: Stop
    usage: Usage


class Model(Protocol):
    """A model that can use tools."""

    @property
    def name(self) -> str:
        """Which it is, for people."""
        ...

    async def answer(self, asked: Asked, told: Told) -> Answered:
        """Ask it; the answer comes when it is whole.

        Raises:
            WandError: it cannot be reached, refuses the request, or is too busy all the time there is.
        """
        ...
