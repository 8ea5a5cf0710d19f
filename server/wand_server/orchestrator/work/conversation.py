"""What was said between us and a model: each entry is an object of JSON, and nothing else has to be kept.

{"role": "user", "content": [block, …], "because": "goal" | "results" | "length" | "again"}
{"role": "assistant", "content": [block, …], "stop": …, "usage": {…}, "model": …, "why": …}
"""

from collections.abc import Iterable, Sequence
from typing import Any

from wand_server.orchestrator.work.models.port import NOTHING, Answered, Block, Turn, Usage

_KEPT_TURNS = 6  # the last of them are never shortened
_SHORT = 400  # characters of a result, which are kept in any case
_LEFT_OUT = "[left out, for the conversation grew long: call the tool again if you need it]"
_FULL = 0.8  # of what a model can read


def of_user(content: Sequence[Block], because: str) -> dict[str, Any]:
    """An entry of ours."""
    return {"role": "user", "content": list(content), "because": because}


def of_model(answered: Answered, name: str) -> dict[str, Any]:
    """An entry of the model's."""
    return {
        "role": "assistant",
        "content": list(answered.content),
        "stop": answered.stop,
        "usage": answered.usage.as_json(),
        "model": name,
        "why": answered.why,
    }


class Conversation:
    """What was said so far."""

    def __init__(self, context_tokens: int, entries: Iterable[dict[str, Any]] = ()) -> None:
        self._context_tokens = context_tokens
        self._entries: list[dict[str, Any]] = []
        self._shortened = 0  # so many of them, from the beginning
        self.usage = NOTHING
        self.last_usage = NOTHING  # of the last answer
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: dict[str, Any]) -> None:
        """One more entry."""
        self._entries.append(entry)
        if entry["role"] == "assistant":
            usage = self.last_usage = Usage(**entry["usage"])
            self.usage += usage
            if usage.tokens > _FULL * self._context_tokens:
                self._shortened = max(self._shortened, len(self._entries) - _KEPT_TURNS)

    @property
    def last(self) -> dict[str, Any]:
        """What was said last."""
        return self._entries[-1]

    @property
    def turn(self) -> int:
        """The number of the model's last answer, from 1."""
        return sum(entry["role"] == "assistant" for entry in self._entries)

    def wants_answer(self) -> bool:
        """Whether it is the model's turn."""
        return bool(self.last["role"] == "user" or self.last["stop"] == "pause")

    def turns(self) -> tuple[Turn, ...]:
        """What a model is given to read; where there is no room, of old results only the beginning."""
        return tuple(
            Turn(role=entry["role"], content=self._content(at, entry))
            for at, entry in enumerate(self._entries)
            if entry["content"]
        )

    def _content(self, at: int, entry: dict[str, Any]) -> list[Block]:
        content: list[Block] = entry["content"]
        return _shortened(content) if at < self._shortened else content

    def text(self) -> str:
        """What the model said last, with what it had begun before where its answer was cut."""
        parts: list[str] = []
        for entry in reversed(self._entries):
            if entry["role"] == "user" and entry["because"] != "length":
                break
            if entry["role"] == "assistant":
                parts.insert(
                    0, "".join(block["text"] for block in entry["content"] if block["type"] == "text")
                )
        return "".join(parts).strip()


def _shortened(content: Sequence[Block]) -> list[Block]:
    return [
        {**block, "content": f"{block['content'][:_SHORT]}\n{_LEFT_OUT}"}
        if block["type"] == "tool_result" and len(block["content"]) > _SHORT + len(_LEFT_OUT)
        else block
        for block in content
    ]
