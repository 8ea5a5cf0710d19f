"""What a client is asked in return: on the stream of its call, answered by a POST of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError

from wand_server.protocol import asking
from wand_server.protocol.asking import Asking
from wand_server.protocol.failures import BUSY, CANCELLED
from wand_server.protocol.messages import Response


class Client:
    """Remembers what it was sent."""

    def __init__(self) -> None:
        self.asking = Asking()
        self.heard: list[dict[str, Any]] = []
        self.news = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        self.news.set()

    def answer(self, **body: Any) -> None:
        number = self.heard[0]["id"]
        self.asking.answered(Response(id=number, body={"jsonrpc": "2.0", "id": number, **body}))


@asynccontextmanager
async def asked(
    client: Client, options: CallOptions | None = None
) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """A question that has arrived."""
    question = asyncio.create_task(client.asking.ask(client.send, "roots/list", {"a": 1}, options))
    await asyncio.wait_for(client.news.wait(), 20)
    yield question


async def test_a_question_goes_out_under_an_id_and_its_answer_comes_back() -> None:
    client = Client()
    async with asked(client) as question:
        client.answer(result={"roots": []})
        assert await question == {"roots": []}
    assert client.heard == [{"jsonrpc": "2.0", "id": "wand-1", "method": "roots/list", "params": {"a": 1}}]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": -1, "message": "no"}}, -1, "no"),
        ({"error": {"code": "x"}}, -32600, ""),
        ({"error": None}, -32600, ""),
        ({"result": [1]}, -32600, "the client's result is no object"),
    ],
)
async def test_a_client_may_say_no_or_nonsense(body: dict[str, Any], code: int, message: str) -> None:
    client = Client()
    async with asked(client) as question:
        client.answer(**body)
        with pytest.raises(MCPError) as why:
            await question
    assert (why.value.code, why.value.message) == (code, message)


async def test_a_question_that_nobody_answers_is_taken_back() -> None:
    client = Client()
    async with asked(client, {"timeout": 0.01}) as question:
        with pytest.raises(MCPError) as why:
            await question
    assert why.value.code == CANCELLED
    assert client.heard[1]["params"]["requestId"] == client.heard[0]["id"]


async def test_a_call_that_is_cancelled_takes_its_question_back() -> None:
    client = Client()
    async with asked(client) as question:
        question.cancel()
        await asyncio.wait([question])
    assert [message["method"] for message in client.heard] == ["roots/list", "notifications/cancelled"]


async def test_what_nobody_asked_is_dropped() -> None:
    client = Client()
    client.asking.answered(Response(id="wand-1", body={"result": {}}))
    async with asked(client) as question:
        client.asking.answered(Response(id=1, body={"result": {}}))
        client.answer(result={"n": 1})
        client.answer(result={"n": 2})
        assert await question == {"n": 1}


async def test_a_client_that_leaves_answers_nothing_more() -> None:
    client = Client()
    async with asked(client) as question:
        client.asking.close()
        with pytest.raises(MCPError, match="has left"):
            await question


async def test_a_client_is_not_asked_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "UNANSWERED_CEILING", 1)
    client = Client()
    async with asked(client) as question:
        with pytest.raises(MCPError) as why:
            await client.asking.ask(client.send, "roots/list", None, None)
        client.answer(result={})
        await question
    assert (why.value.code, len(client.heard)) == (BUSY, 1)
