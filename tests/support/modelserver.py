"""A server that speaks as those of models do (Anthropic, chat completions, Ollama) and plays what it has.

It takes no request that the real ones would refuse, as far as their references say what they refuse.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Play = "Said | Refused | Broken"
USED = {"input_tokens": 100, "output_tokens": 10}


@dataclass(frozen=True)
class Said:
    """An answer: its blocks, and why it ended."""

    blocks: Sequence[dict[str, Any]]
    stop: str = "end_turn"
    usage: dict[str, int] = field(default_factory=lambda: dict(USED))
    why: dict[str, Any] | None = None  # it declines
    piece_bytes: int = 0  # sent in pieces of that size; 0: an event at a time


@dataclass(frozen=True)
class Refused:
    """No answer: a status instead."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """An answer that breaks off after so many events, with an error or without."""

    said: Said
    events: int
    error: Any = None


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def use(name: str, /, *, identity: str = "", raw: str | None = None, **given: Any) -> dict[str, Any]:
    """A call; `raw` are its arguments as they are written."""
    written = json.dumps(given) if raw is None else raw
    return {
        "type": "tool_use",
        "id": identity or f"toolu_{name}_{len(written)}",
        "name": name,
        "written": written,
    }


def says(said: str) -> Said:
    return Said([text(said)])


def calls(*some: dict[str, Any], usage: dict[str, int] | None = None) -> Said:
    return Said(some, "tool_use", usage or dict(USED))


@dataclass
class ModelServer:
    """Plays what stands in `plays`, one for each request; what was asked stands in `asked`."""

    form: str = "anthropic"
    plays: list[Any] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None  # no answer ends before it is set
    began: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if wrong := _WRONG[self.form](body, self.headers[-1]):
            return web.json_response(_refusal(self.form, wrong), status=400)
        play = self.plays.pop(0) if self.plays else Refused(500, "nothing left to play")
        if isinstance(play, Refused):
            return web.json_response(play.body, status=play.status, headers=play.headers)
        return await self._play(request, play)

    async def _play(self, request: web.Request, play: Any) -> web.StreamResponse:
        kind = "application/x-ndjson" if self.form == "ollama" else "text/event-stream"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        said = play.said if isinstance(play, Broken) else play
        pieces = list(_FORMS[self.form](said))
        if isinstance(play, Broken):
            pieces = pieces[: play.events]
            if play.error is not None:
                pieces.append(_broken(self.form, play.error))
        self.began.set()
        if self.hold is not None:
            await self.hold.wait()
        for piece in _cut("".join(pieces), said.piece_bytes) if said.piece_bytes else map(str.encode, pieces):
            await response.write(piece)
        if isinstance(play, Broken) and play.error is None and request.transport is not None:
            request.transport.close()
        return response

    def last_content(self) -> list[dict[str, Any]]:
        """The blocks of the last message of the last request."""
        content: list[dict[str, Any]] = self.asked[-1]["messages"][-1]["content"]
        return content


@contextlib.asynccontextmanager
async def serving(form: str, *plays: Any) -> AsyncIterator[ModelServer]:
    """The server, on loopback."""
    server = ModelServer(form, list(plays))
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post(_PATHS[form], server.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


_PATHS = {"anthropic": "/v1/messages", "chat": "/chat/completions", "ollama": "/api/chat"}


def _cut(whole: str, size: int) -> Iterator[bytes]:
    raw = whole.encode()
    return (raw[at : at + size] for at in range(0, len(raw), size))


# -- how answers are written ---------------------------------------------------------------------------------


def _event(kind: str, **members: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members}, ensure_ascii=False)}\n\n"


def _anthropic(said: Said) -> Iterator[str]:
    counted = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, **said.usage}
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m",
        "stop_reason": None, "stop_sequence": None, "usage": {**counted, "output_tokens": 1},
    }  # fmt: skip
    yield _event("message_start", message=message)
    yield _event("ping")
    for index, block in enumerate(said.blocks):
        begun, deltas = _deltas(block)
        yield _event("content_block_start", index=index, content_block=begun)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    delta = {"stop_reason": said.stop, "stop_sequence": None, "stop_details": said.why}
    yield _event("message_delta", delta=delta, usage={"output_tokens": said.usage.get("output_tokens", 1)})
    yield _event("message_stop")


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [
                {"type": "text_delta", "text": part} for part in _parts(block["text"])
            ]
        case "tool_use":
            begun = {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}
            parts = ["", *_parts(block["written"])]
            return begun, [{"type": "input_json_delta", "partial_json": part} for part in parts]
        case "thinking":
            thought = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [thought, signed]
    return block, []


def _parts(whole: str) -> list[str]:
    """A text in two, where that is more than one letter."""
    half = len(whole) // 2
    return [part for part in (whole[:half], whole[half:]) if part]


_ENDS = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}


def _chat(said: Said) -> Iterator[str]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        whole = {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }
        return f"data: {json.dumps(whole, ensure_ascii=False)}\n\n"

    yield chunk({"role": "assistant", "content": ""})
    number = 0
    for block in said.blocks:
        if block["type"] == "text":
            yield from (chunk({"content": part}) for part in _parts(block["text"]))
            continue
        function = {"name": block["name"], "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": number, "id": block["id"], "type": "function", "function": function}]}
        )
        for part in _parts(block["written"]):
            yield chunk({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
        number += 1
    yield chunk({}, _ENDS[said.stop])
    if said.usage:
        used = {
            "prompt_tokens": said.usage["input_tokens"],
            "completion_tokens": said.usage["output_tokens"],
            "total_tokens": said.usage["input_tokens"] + said.usage["output_tokens"],
            "prompt_tokens_details": {"cached_tokens": said.usage.get("cache_read_input_tokens", 0)},
        }
        yield f"data: {json.dumps({'id': 'c1', 'choices': [], 'usage': used})}\n\n"
    yield "data: [DONE]\n\n"


def _ollama(said: Said) -> Iterator[str]:
    def line(message: dict[str, Any], **more: Any) -> str:
        whole = {
            "model": "m",
            "created_at": "2026-01-01T00:00:00Z",
            "message": message,
            "done": False,
            **more,
        }
        return json.dumps(whole, ensure_ascii=False) + "\n"

    for block in said.blocks:
        if block["type"] == "text":
            yield from (line({"role": "assistant", "content": part}) for part in _parts(block["text"]))
        else:
            function = {"name": block["name"], "arguments": json.loads(block["written"])}
            yield line({"role": "assistant", "content": "", "tool_calls": [{"function": function}]})
    counts = {"prompt_eval_count": said.usage["input_tokens"], "eval_count": said.usage["output_tokens"]}
    reason = "length" if said.stop == "max_tokens" else "stop"
    yield line({"role": "assistant", "content": ""}, done=True, done_reason=reason, **counts)


_FORMS: dict[str, Callable[[Said], Iterator[str]]] = {
    "anthropic": _anthropic,
    "chat": _chat,
    "ollama": _ollama,
}


def _broken(form: str, error: Any) -> str:
    match form:
        case "anthropic":
            return _event("error", error=error)
        case "chat":
            return f"data: {json.dumps({'error': error})}\n\n"
    return json.dumps({"error": error}) + "\n"


def _refusal(form: str, why: str) -> dict[str, Any]:
    if form == "anthropic":
        return {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": why},
            "request_id": "r",
        }
    return {"error": {"message": why}} if form == "chat" else {"error": why}


# -- what the real ones refuse -------------------------------------------------------------------------------


def _wrong_for_anthropic(body: dict[str, Any], headers: dict[str, str]) -> str:
    known = {"model", "max_tokens", "stream", "system", "messages", "tools"}
    names = [tool["name"] for tool in body.get("tools", ())]
    marks = json.dumps(body).count('"cache_control"')
    checks = {
        "x-api-key header is required": not (headers.get("x-api-key") or headers.get("authorization")),
        "anthropic-version: header is required": headers.get("anthropic-version") != "2026-10-21",
        "extra inputs are not permitted": not body.keys() <= known,
        "max_tokens: must be at least 1": body["max_tokens"] < 1,
        "a maximum of 4 blocks with cache_control may be provided": marks > 4,
        "tools: names must be unique": len(set(names)) < len(names),
        "tools.name: string should match pattern": not all(
            re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", n) for n in names
        ),
        "tools.input_schema.type: must be object": any(
            tool["input_schema"].get("type") != "object"
            or {"anyOf", "oneOf", "allOf"} & tool["input_schema"].keys()
            for tool in body.get("tools", ())
        ),
    }
    return next((why for why, is_so in checks.items() if is_so), "") or _wrong_turns(body["messages"])


_MEMBERS = {
    "text": {"type", "text", "cache_control"},
    "tool_use": {"type", "id", "name", "input", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "server_tool_use": {"type", "id", "name", "input"},
}


def _wrong_turns(messages: list[dict[str, Any]]) -> str:
    if not messages or messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    waiting: set[str] = set()
    for message in messages:
        blocks = message["content"]
        if not blocks:
            return "messages: content must be non-empty"
        for block in blocks:
            if why := _wrong_block(block, message["role"]):
                return f"messages: {why}"
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if waiting != answered:
            return f"messages: tool_use ids {sorted(waiting)} and tool_result ids {sorted(answered)} differ"
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(uses)) < len(uses):
            return "messages: tool_use ids must be unique"
        waiting = set(uses)
    return "messages: tool_use without tool_result" if waiting else ""


def _wrong_block(block: dict[str, Any], role: str) -> str:
    if not block.keys() <= _MEMBERS[block["type"]]:
        return f"{block['type']}: extra inputs are not permitted"
    if block["type"] == "text" and not block["text"].strip():
        return "text content blocks must contain non-whitespace text"
    if block["type"] == "tool_use" and not (role == "assistant" and isinstance(block["input"], dict)):
        return "tool_use: input must be an object"
    return "tool_result: must be the user's" if block["type"] == "tool_result" and role != "user" else ""


def _wrong_for_chat(body: dict[str, Any], headers: dict[str, str]) -> str:
    known = {"model", "messages", "max_completion_tokens", "max_tokens", "stream", "stream_options", "tools"}
    if not body.keys() <= known:
        return "unrecognized request argument"
    if not headers.get("authorization", "").startswith("Bearer "):
        return "you did not provide an API key"
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return "an assistant message with 'tool_calls' must be followed by tool messages"
        waiting += [call["id"] for call in message.get("tool_calls", ())]
        for call in message.get("tool_calls", ()):
            json.loads(call["function"]["arguments"])
    return "tool_calls without tool messages" if waiting else ""


def _wrong_for_ollama(body: dict[str, Any], headers: dict[str, str]) -> str:
    for message in body["messages"]:
        for call in message.get("tool_calls", ()):
            if not isinstance(call["function"]["arguments"], dict):
                return "json: cannot unmarshal string into Go struct field"
    return "" if body.keys() <= {"model", "messages", "stream", "options", "tools"} else "unknown field"


_WRONG: dict[str, Callable[[dict[str, Any], dict[str, str]], str]] = {
    "anthropic": _wrong_for_anthropic,
    "chat": _wrong_for_chat,
    "ollama": _wrong_for_ollama,
}
