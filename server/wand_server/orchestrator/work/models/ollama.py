"""Models on a machine of one's own, by Ollama's API: each line of an answer is an object of JSON."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from wand_proto.errors import Unavailable
from wand_server.orchestrator.work.models import lines
from wand_server.orchestrator.work.models.chat import called, functions, result_text, text_of
from wand_server.orchestrator.work.models.port import Answered, Asked, Block, Mind, Stop, Told, Turn, Usage
from wand_server.orchestrator.work.models.trouble import Trouble
from wand_server.orchestrator.work.models.wire import Wire


class Ollama:
    """A model of Ollama's; offers `port.Model`."""

    def __init__(self, mind: Mind, wire: Wire) -> None:
        self.mind = mind
        self._wire = wire

    async def answer(self, asked: Asked, told: Told) -> Answered:
        """Ask it. How much it can read is said each time: what is longer, it would leave out unsaid."""
        body = {
            "model": self.mind.name,
            "messages": [{"role": "system", "content": asked.system}, *_messages(asked.turns)],
            "stream": True,
            "options": {"num_ctx": self.mind.context_tokens, "num_predict": asked.most_tokens},
        }
        if asked.tools:
            body["tools"] = functions(asked)

        async def read(pieces: AsyncIterator[bytes]) -> Answered:
            return await _whole(pieces, self.mind, told)

        return await self._wire.ask("/api/chat", body, read)

    async def close(self) -> None:
        """End its connections."""
        await self._wire.close()


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    names: dict[str, str] = {}  # of calls: results are told by the tool's name here
    for turn in turns:
        if turn.role == "assistant":
            calls = [block for block in turn.content if block["type"] == "tool_use"]
            names |= {block["id"]: block["name"] for block in calls}
            yield _said(turn.content, calls)
            continue
        for block in turn.content:
            if block["type"] == "tool_result":
                name = names.get(block["tool_use_id"], "")
                yield {"role": "tool", "tool_name": name, "content": result_text(block)}
        if text := text_of(turn.content):
            yield {"role": "user", "content": text}


def _said(content: Sequence[Block], calls: Sequence[Block]) -> dict[str, Any]:
    asked = [{"function": {"name": block["name"], "arguments": block["input"]}} for block in calls]
    said = {"role": "assistant", "content": text_of(content)}
    return {**said, "tool_calls": asked} if asked else said


async def _whole(pieces: AsyncIterator[bytes], mind: Mind, told: Told) -> Answered:
    """The answer.

    Raises:
        Trouble: it broke off.
    """
    parts: list[str] = []
    calls: list[Block] = []
    async for line in lines.lines(pieces):
        if not line.strip():
            continue
        chunk = lines.parsed(line)
        if error := chunk.get("error"):
            raise Trouble(Unavailable(f"breaks off: {error}"[:500]))
        try:
            text = _taken(chunk, calls)
        except (KeyError, TypeError, AttributeError) as why:
            raise Trouble("answers with a strange line") from why
        if text:
            parts.append(text)
            await told(text)
        if chunk.get("done"):
            return _answered("".join(parts), calls, chunk, mind)
    raise Trouble("the answer broke off")


def _taken(chunk: dict[str, Any], calls: list[Block]) -> str:
    """The text in a line; the calls in it go to the others."""
    message = chunk.get("message") or {}
    for one in message.get("tool_calls") or ():
        about = one["function"]
        calls.append(called("", str(about["name"]), json.dumps(about.get("arguments") or {})))
    return str(message.get("content") or "")


def _answered(text: str, calls: list[Block], last: dict[str, Any], mind: Mind) -> Answered:
    said: list[Block] = [{"type": "text", "text": text}] if text.strip() else []
    is_cut = last.get("done_reason") == "length"
    stop: Stop = "length" if is_cut else "tools" if calls else "end"
    usage = Usage(
        turns=1,
        input_tokens=int(last.get("prompt_eval_count") or 0),
        output_tokens=int(last.get("eval_count") or 0),
    )
    return Answered(content=[*said, *calls], stop=stop, usage=usage.priced(mind.prices))
