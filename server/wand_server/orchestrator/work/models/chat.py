"""Models that are asked by OpenAI's chat completions, as many servers offer them beside OpenAI's own."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from wand_proto.errors import Unavailable
from wand_server.orchestrator.work.models import lines
from wand_server.orchestrator.work.models.port import Answered, Asked, Block, Mind, Stop, Told, Turn, Usage
from wand_server.orchestrator.work.models.trouble import Trouble
from wand_server.orchestrator.work.models.wire import Wire

_STOPS: Mapping[str, Stop] = {
    "stop": "end", "length": "length", "tool_calls": "tools", "function_call": "tools",
    "content_filter": "refusal",
}  # fmt: skip
_BYTES_OF_A_TOKEN = 3  # at least, about; where a server does not count, it is taken for that


class Chat:
    """A model behind chat completions; offers `port.Model`."""

    def __init__(self, mind: Mind, wire: Wire, *, length_as: str = "max_completion_tokens") -> None:
        """`length_as`: how the most that it may write is called there."""
        self.mind = mind
        self._wire = wire
        self._length_as = length_as

    async def answer(self, asked: Asked, told: Told) -> Answered:
        """Ask it."""
        body = {
            "model": self.mind.name,
            "messages": [{"role": "system", "content": asked.system}, *_messages(asked.turns)],
            self._length_as: asked.most_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if asked.tools:
            body["tools"] = functions(asked)

        async def read(pieces: AsyncIterator[bytes]) -> Answered:
            return await _Reading(told).whole(pieces, self.mind, len(json.dumps(body)))

        return await self._wire.ask("/chat/completions", body, read)

    async def close(self) -> None:
        """End its connections."""
        await self._wire.close()


def functions(asked: Asked) -> list[dict[str, Any]]:
    """The tools in the form that these servers share."""
    return [
        {
            "type": "function",
            "function": {"name": one.name, "description": one.description, "parameters": one.input_schema},
        }
        for one in asked.tools
    ]


def text_of(content: Sequence[Block]) -> str:
    """All that is text."""
    return "\n".join(block["text"] for block in content if block["type"] == "text")


def result_text(block: Block) -> str:
    """What a tool gave back; these servers have no mark for failures."""
    return f"The call failed.\n{block['content']}" if block.get("is_error") else str(block["content"])


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    for turn in turns:
        if turn.role == "assistant":
            yield _said(turn.content)
            continue
        for block in turn.content:
            if block["type"] == "tool_result":
                yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": result_text(block)}
        if text := text_of(turn.content):
            yield {"role": "user", "content": text}


def _said(content: Sequence[Block]) -> dict[str, Any]:
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in content
        if block["type"] == "tool_use"
    ]
    said = {"role": "assistant", "content": text_of(content)}
    return {**said, "tool_calls": calls} if calls else said


class _Reading:
    """An answer on its way."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._text: list[str] = []
        self._calls: dict[Any, dict[str, str]] = {}
        self._usage: dict[str, Any] = {}
        self._stop = ""
        self._is_refused = False

    async def whole(self, pieces: AsyncIterator[bytes], mind: Mind, asked_bytes: int) -> Answered:
        """The answer.

        Raises:
            Trouble: it broke off.
        """
        async for text in lines.events(pieces):
            if text.strip() == "[DONE]":
                break
            try:
                await self._take(lines.parsed(text))
            except (KeyError, TypeError, AttributeError, IndexError) as why:
                raise Trouble("answers with a strange chunk") from why
        if not self._stop:
            raise Trouble("the answer broke off")
        content = self._content()
        usage = self._used(asked_bytes, len(json.dumps(content)))
        return Answered(content=content, stop=self._stopped(content), usage=usage.priced(mind.prices))

    async def _take(self, chunk: dict[str, Any]) -> None:
        if error := chunk.get("error"):
            said = error.get("message", "") if isinstance(error, dict) else error
            raise Trouble(Unavailable(f"breaks off: {said}"[:500]))
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self._is_refused = self._is_refused or bool(delta.get("refusal"))
            for text in filter(None, (delta.get("content"), delta.get("refusal"))):
                self._text.append(text)
                await self._told(text)
            for call in delta.get("tool_calls") or ():
                self._add(call)
            self._stop = choice.get("finish_reason") or self._stop

    def _add(self, part: dict[str, Any]) -> None:
        """A piece of a call; some servers leave the number out, and send each call whole."""
        number = part.get("index")
        key = number if number is not None else (part.get("id") or len(self._calls))
        call = self._calls.setdefault(key, {"id": "", "name": "", "arguments": ""})
        about = part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["name"] = about.get("name") or call["name"]
        call["arguments"] += about.get("arguments") or ""

    def _content(self) -> list[Block]:
        text = "".join(self._text)
        said: list[Block] = [{"type": "text", "text": text}] if text.strip() else []
        return [
            *said,
            *(called(call["id"], call["name"], call["arguments"]) for call in self._calls.values()),
        ]

    def _stopped(self, content: Sequence[Block]) -> Stop:
        if self._is_refused:
            return "refusal"
        stop = _STOPS.get(self._stop, "end")
        return "tools" if stop == "end" and any(block["type"] == "tool_use" for block in content) else stop

    def _used(self, asked_bytes: int, said_bytes: int) -> Usage:
        counted = self._usage
        if not counted:  # a budget has to hold there too
            return Usage(
                turns=1,
                input_tokens=asked_bytes // _BYTES_OF_A_TOKEN,
                output_tokens=said_bytes // _BYTES_OF_A_TOKEN,
            )
        kept = int((counted.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
        return Usage(
            turns=1,
            input_tokens=int(counted.get("prompt_tokens") or 0) - kept,
            output_tokens=int(counted.get("completion_tokens") or 0),
            cache_read_tokens=kept,
        )


def called(identity: str, name: str, written: str) -> Block:
    """A call that a model asks for."""
    read = lines.arguments(written)
    block: Block = {"type": "tool_use", "id": identity, "name": name, "input": {} if read is None else read}
    return block if read is not None else {**block, "unread": written}
