"""A service on loopback that answers as it is told, and remembers what it was asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """One answer."""

    status: int = 200
    body: Any = None
    text: str | None = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False  # after it has read the request


class Service:
    """Answers in turn with what is in `answers`, the last again and again."""

    def __init__(self, answers: list[Says]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(
            Asked(
                method=request.method,
                path=request.raw_path.partition("?")[0],
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.text(),
            )
        )
        says = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if says.hangs_up and request.transport is not None:
            request.transport.abort()
        if says.raw is not None:
            return web.Response(status=says.status, body=says.raw, headers=says.headers)
        if says.text is not None:
            return web.Response(status=says.status, text=says.text, headers=says.headers)
        if says.body is None:
            return web.Response(status=says.status, headers=says.headers)
        return web.json_response(says.body, status=says.status, headers=says.headers)


@asynccontextmanager
async def serving(*answers: Says) -> AsyncIterator[Service]:
    """A service that listens while entered."""
    service = Service(list(answers) or [Says(body={})])
    async with listening(service.answer) as url:
        service.url = url
        yield service


@asynccontextmanager
async def listening(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """The base URL of something that answers every request."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
