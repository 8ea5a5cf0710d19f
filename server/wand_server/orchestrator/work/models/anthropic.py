"""Claude, by Anthropic's Messages API: answers come as server-sent events, prompts are kept in its cache."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from wand_proto.errors import Denied, Exhausted, Invalid, NotFound, Unavailable, WandError
from wand_server.orchestrator.work.models import lines
from wand_server.orchestrator.work.models.port import Answered, Asked, Block, Mind, Stop, Told, Turn, Usage
from wand_server.orchestrator.work.models.trouble import Trouble
from wand_server.orchestrator.work.models.wire import Wire

HEADERS = {"anthropic-version": "2026-10-21"}
_CACHED = {"cache_control": {"type": "ephemeral"}}
_STOPS: Mapping[str, Stop] = {
    "end_turn": "end", "stop_sequence": "end", "tool_use": "tools", "max_tokens": "length",
    "pause_turn": "pause", "refusal": "refusal", "model_context_window_exceeded": "context",
}  # fmt: skip
_KINDS: Mapping[str, type[WandError]] = {
    "rate_limit_error": Exhausted, "invalid_request_error": Invalid, "authentication_error": Denied,
    "permission_error": Denied, "billing_error": Denied, "not_found_error": NotFound,
}  # fmt: skip


class Anthropic:
    """A model of Anthropic's; offers `port.Model`."""

    def __init__(self, mind: Mind, wire: Wire) -> None:
        self.mind = mind
        self._wire = wire

    async def answer(self, asked: Asked, told: Told) -> Answered:
        """Ask it."""

        async def read(pieces: AsyncIterator[bytes]) -> Answered:
            return await _Reading(self.mind, told).whole(pieces)

        return await self._wire.ask("/v1/messages", _body(self.mind, asked), read)

    async def close(self) -> None:
        """End its connections."""
        await self._wire.close()


def _body(mind: Mind, asked: Asked) -> dict[str, Any]:
    """The request. What stays the same comes first and is marked, so that the provider reads it once."""
    tools = [
        {"name": one.name, "description": one.description, "input_schema": one.input_schema}
        for one in asked.tools
    ]
    body = {
        "model": mind.name,
        "max_tokens": asked.most_tokens,
        "stream": True,
        "system": [{"type": "text", "text": asked.system, **_CACHED}],
        "messages": _messages(asked.turns),
    }
    return {**body, "tools": tools} if tools else body


def _messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """The turns, the last two of ours marked: the one finds what was kept before, the other keeps more."""
    ours = [at for at, turn in enumerate(turns) if turn.role == "user"][-2:]
    return [
        {"role": turn.role, "content": [*_blocks(turn.content, is_marked=at in ours)]}
        for at, turn in enumerate(turns)
    ]


def _blocks(content: Sequence[Block], *, is_marked: bool) -> list[Block]:
    blocks = [{name: value for name, value in block.items() if name != "unread"} for block in content]
    if is_marked and blocks:
        blocks[-1] = {**blocks[-1], **_CACHED}
    return blocks


class _Reading:
    """An answer on its way."""

    def __init__(self, mind: Mind, told: Told) -> None:
        self._mind = mind
        self._told = told
        self._blocks: dict[int, Block] = {}
        self._inputs: dict[int, list[str]] = {}
        self._usage: dict[str, Any] = {}
        self._stop = ""
        self._why = ""
        self._is_whole = False
        self._on: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "message_start": self._begins,
            "content_block_start": self._block_begins,
            "content_block_stop": self._block_ends,
            "message_delta": self._nears_its_end,
            "message_stop": self._ends,
            "error": _fails,
        }

    async def whole(self, pieces: AsyncIterator[bytes]) -> Answered:
        """The answer.

        Raises:
            Trouble: it broke off.
        """
        async for text in lines.events(pieces):
            event = lines.parsed(text)
            try:
                await self._take(event)
            except (KeyError, TypeError, AttributeError) as why:
                raise Trouble(f"answers with a strange {str(event.get('type'))[:40]!r}") from why
            if self._is_whole:
                break
        if not self._is_whole:
            raise Trouble("the answer broke off")
        content = [block for _, block in sorted(self._blocks.items()) if not _is_empty(block)]
        return Answered(
            content=content, stop=_STOPS.get(self._stop, "end"), usage=self._used(), why=self._why
        )

    async def _take(self, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind == "content_block_delta":
            await self._grows(self._blocks[event["index"]], event["index"], event["delta"])
        elif kind in self._on:
            self._on[kind](event)

    def _begins(self, event: dict[str, Any]) -> None:
        self._usage |= event["message"].get("usage") or {}

    def _block_begins(self, event: dict[str, Any]) -> None:
        self._blocks[event["index"]] = dict(event["content_block"])
        self._inputs[event["index"]] = []

    async def _grows(self, block: Block, index: int, delta: dict[str, Any]) -> None:
        match delta["type"]:
            case "text_delta":
                block["text"] = block.get("text", "") + delta["text"]
                await self._told(delta["text"])
            case "input_json_delta":
                self._inputs[index].append(delta["partial_json"])
            case "thinking_delta":
                block["thinking"] = block.get("thinking", "") + delta["thinking"]
            case "signature_delta":
                block["signature"] = delta["signature"]

    def _block_ends(self, event: dict[str, Any]) -> None:
        block, written = self._blocks[event["index"]], "".join(self._inputs[event["index"]])
        if block["type"] != "tool_use":
            return
        read = lines.arguments(written) if written else block.get("input") or {}
        block["input"] = {} if read is None else read
        if read is None:
            block["unread"] = written

    def _nears_its_end(self, event: dict[str, Any]) -> None:
        delta = event["delta"]
        self._stop = delta.get("stop_reason") or self._stop
        details = delta.get("stop_details") or {}
        self._why = ": ".join(filter(None, (details.get("category"), details.get("explanation"))))
        self._usage |= {
            name: value for name, value in (event.get("usage") or {}).items() if value is not None
        }

    def _ends(self, _event: dict[str, Any]) -> None:
        self._is_whole = True

    def _used(self) -> Usage:
        def count(name: str) -> int:
            return int(self._usage.get(name) or 0)

        usage = Usage(
            turns=1,
            input_tokens=count("input_tokens"),
            output_tokens=count("output_tokens"),
            cache_read_tokens=count("cache_read_input_tokens"),
            cache_write_tokens=count("cache_creation_input_tokens"),
        )
        return usage.priced(self._mind.prices)


def _is_empty(block: Block) -> bool:
    """A text without a letter is not taken back."""
    return block["type"] == "text" and not block.get("text", "").strip()


def _fails(event: dict[str, Any]) -> None:
    error = event["error"]
    kind = _KINDS.get(error.get("type"), Unavailable)
    said = f"breaks off with {error.get('type')}: {error.get('message', '')}"[:500]
    raise Trouble(kind(said), may_pass=kind in (Exhausted, Unavailable))
