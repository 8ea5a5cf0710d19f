"""The port behind which a model stands, and the values that cross it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
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

    def priced(self, prices: "Prices | None") -> "Usage":
        """The same, with what it costs."""
        return self if prices is None else replace(self, cost_usd=prices.of(self))

    def as_json(self) -> dict[str, Any]:
        """By name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


NOTHING = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a million tokens cost, in dollars."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0

    def of(self, usage: Usage) -> float:
        """What that much costs."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mind:
    """Which model it is, and what its settings say of it."""

    name: str
    most_output_tokens: int = 8192  # in one answer
    context_tokens: int = 200_000  # that it can read
    prices: Prices | None = None  # None: unknown, so no budget in dollars can be kept


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
    most_tokens: int  # that it may write


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model said, why it stopped, and what that took."""

    content: Sequence[Block]
    stop: Stop
    usage: Usage
    why: str = ""  # it declines, where it tells


class Model(Protocol):
    """A model that can use tools."""

    @property
    def mind(self) -> Mind:
        """Which it is."""
        ...

    async def answer(self, asked: Asked, told: Told) -> Answered:
        """Ask it; the answer comes when it is whole.

        Raises:
            Busy: it cannot be reached, or has too much to do; later it may answer.
            WandError: it refuses the request.
        """
        ...

    async def close(self) -> None:
        """End its connections."""
        ...
