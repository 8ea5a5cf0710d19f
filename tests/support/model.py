"""A stand-in for a language model behind the Messages API: it asks for one tool, then says what came back."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def model(tool: str, arguments: Mapping[str, Any]) -> AsyncIterator[str]:
    """Serve the model on a free port of the loopback; what is given is its address."""

    async def messages(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        answer = _answer(asked, tool, arguments)
        return await _stream(request, answer) if asked.get("stream") else web.json_response(answer)

    async def other(_: web.Request) -> web.Response:
        return web.json_response({"input_tokens": 1})

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/messages", messages)
    app.router.add_route("*", "/{rest:.*}", other)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _answer(asked: Mapping[str, Any], tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    results = list(_results(asked))
    offered = [one.get("name") for one in asked.get("tools", [])]
    if tool in offered and not results:
        content = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": dict(arguments)}
    else:
        content = {"type": "text", "text": json.dumps(results) if results else f"no {tool} in {offered}"}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model", ""),
        "content": [content],
        "stop_reason": "tool_use" if content["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _results(asked: Mapping[str, Any]) -> Iterator[Any]:
    for message in asked["messages"]:
        if isinstance(message["content"], list):
            yield from (part for part in message["content"] if part.get("type") == "tool_result")


async def _stream(request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for kind, event in _events(answer):
        await response.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **event})}\n\n".encode())
    await response.write_eof()
    return response


def _events(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "message_start", {"message": {**answer, "content": [], "stop_reason": None}}
    (block,) = answer["content"]
    empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
    delta = (
        {"type": "text_delta", "text": block["text"]}
        if block["type"] == "text"
        else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    )
    yield "content_block_start", {"index": 0, "content_block": empty}
    yield "content_block_delta", {"index": 0, "delta": delta}
    yield "content_block_stop", {"index": 0}
    yield "message_delta", {"delta": {"stop_reason": answer["stop_reason"]}, "usage": {"output_tokens": 1}}
    yield "message_stop", {}
