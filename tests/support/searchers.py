"""SearXNG, Brave and Tavily as their makers document them, in memory; what does not fit is refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from support.foreign import listening

KEY = "key-of-a-test"
PAGES = [
    (f"Page {n}", f"https://site-{n}.example/a?b=c&d", f"about <strong>{n}</strong> &amp; more")
    for n in range(30)
]
_SEARXNG = {"q", "format", "categories", "pageno", "time_range", "language"}
_BRAVE = {"q", "count", "offset", "freshness", "search_lang"}
_TAVILY = {"query", "max_results", "topic", "time_range"}


def refused(status: int, why: str) -> web.Response:
    return web.json_response({"error": {"detail": why}, "detail": {"error": why}}, status=status)


@dataclass
class SearXNG:
    """https://docs.searxng.org/dev/search_api.html: twenty results a page, whatever is asked."""

    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if request.path == "/autocompleter":
            return web.json_response([query["q"], [f"{query['q']} cup", f"{query['q']} hat"]])
        if request.path != "/search" or not set(query) <= _SEARXNG:
            return refused(404, "not found")
        if query.get("format") != "json" or query.get("time_range", "day") not in {"day", "month", "year"}:
            return refused(400, "invalid value")
        begin = (int(query.get("pageno", 1)) - 1) * 20
        rows = [
            {
                "title": title,
                "url": url,
                "content": text,
                "engine": "e",
                "publishedDate": "2026-01-02T00:00:00",
            }
            for title, url, text in PAGES[begin : begin + 20]
        ]
        found = {"query": query["q"], "number_of_results": len(rows), "results": rows, "answers": []}
        return web.json_response({**found, "suggestions": [], "infoboxes": []})


@dataclass
class Brave:
    """https://api-dashboard.search.brave.com/app/documentation: at most twenty, ten pages."""

    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if request.headers.get("X-Subscription-Token") != KEY:
            return refused(422, "the subscription token is invalid")
        if request.path == "/res/v1/suggest/search":
            rows = [{"query": f"{query['q']} cup"}, {"query": f"{query['q']} hat"}]
            return web.json_response({"type": "suggest", "results": rows})
        count, offset = int(query.get("count", 20)), int(query.get("offset", 0))
        fresh = query.get("freshness", "pd") in {"pd", "pw", "pm", "py"}
        if not set(query) <= _BRAVE or not 1 <= count <= 20 or not 0 <= offset <= 9 or not fresh:
            return refused(422, "unable to validate request parameters")
        there = PAGES[offset * count : (offset + 1) * count]
        results = [
            {"title": title, "url": url, "description": text, "page_age": "2026-01-02T00:00:00"}
            for title, url, text in there
        ]
        if request.path == "/res/v1/news/search":
            return web.json_response({"type": "news", "results": results})
        if request.path != "/res/v1/web/search":
            return refused(404, "not found")
        return web.json_response({"type": "search", "web": {"type": "search", "results": results}})


@dataclass
class Tavily:
    """https://docs.tavily.com/documentation/api-reference/endpoint/search: at most twenty, one page."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return refused(401, "Unauthorized: missing or invalid API key.")
        if (request.method, request.path) != (
            "POST",
            "/search",
        ) or request.content_type != "application/json":
            return refused(404, "not found")
        body = json.loads(await request.text())
        self.asked.append(body)
        fits = body.get("topic", "general") in {"general", "news", "finance"}
        since = body.get("time_range", "day") in {"day", "week", "month", "year", "d", "w", "m", "y"}
        if not set(body) <= _TAVILY or not fits or not since or not 0 <= body.get("max_results", 5) <= 20:
            return refused(400, "invalid request")
        rows = [
            {"title": title, "url": url, "content": text, "score": 0.9}
            | ({"published_date": "2026-01-02"} if body.get("topic") == "news" else {})
            for title, url, text in PAGES[: body.get("max_results", 5)]
        ]
        return web.json_response(
            {"query": body["query"], "results": rows, "response_time": 0.1, "images": []}
        )


@asynccontextmanager
async def running(service: SearXNG | Brave | Tavily) -> AsyncIterator[str]:
    """The address of one of them, while entered."""
    async with listening(service.answer) as url:
        yield url
