"""A search of the web, against each of the three as its maker documents it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from support import searchers
from support.host import FakeHost, call
from support.services import FakeLedger
from wand_proto.errors import Denied, Invalid, WandError
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.data import web_search
from wand_server.integrations.data.web_search import WebSearch
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.offers import Choice
from wand_server.tools import named
from wand_server.tools.offered import Offered
from wand_server.tools.registry import Registry

KINDS: dict[str, Any] = {
    "searxng": searchers.SearXNG,
    "brave": searchers.Brave,
    "tavily": searchers.Tavily,
}
EVERY = pytest.mark.parametrize("provider", KINDS)


@asynccontextmanager
async def serving(provider: str, **more: Any) -> AsyncIterator[tuple[Any, WebSearch]]:
    there = KINDS[provider]()
    async with searchers.running(there) as url:
        key = None if provider == "searxng" else SecretStr(searchers.KEY)
        given = {"provider": provider, "base_url": url, "api_key": key, **more}
        service = WebSearch(WebSearch.Config.model_validate(given))
        try:
            yield there, service
        finally:
            await service.cleanup()


@EVERY
async def test_pages_are_found_and_told_plainly(provider: str) -> None:
    async with serving(provider, language="en" if provider != "tavily" else "") as (there, service):
        await service.health_check()
        found = (await service.execute("search_web", {"query": "ä & b", "limit": 3, "since": "day"}))[
            "results"
        ]
    assert [one["title"] for one in found] == ["Page 0", "Page 1", "Page 2"]
    assert found[1]["url"] == "https://site-1.example/a?b=c&d"
    assert found[1]["text"] == "about 1 & more"
    asked = there.asked[-1]
    assert asked.get("q", asked.get("query")) == "ä & b"


@EVERY
@pytest.mark.parametrize("since", ["day", "week", "month", "year"])
async def test_news_come_with_their_day(provider: str, since: str) -> None:
    async with serving(provider) as (_, service):
        found = await service.execute("search_news", {"query": "elections", "since": since})
    assert len(found["results"]) == 10
    assert found["results"][0]["published"].startswith("2026-01-02")


@EVERY
async def test_there_are_more_pages_where_there_are(provider: str) -> None:
    async with serving(provider) as (_, service):
        asked = {"query": "elections", "limit": 5, "page": 2}
        if provider == "tavily":
            with pytest.raises(Invalid, match="one page"):
                await service.execute("search_web", asked)
            return
        found = await service.execute("search_web", asked)
    assert found["results"][0]["title"] == ("Page 20" if provider == "searxng" else "Page 5")


@EVERY
async def test_what_people_search_for_is_told_where_somebody_knows(provider: str) -> None:
    async with serving(provider) as (_, service):
        if provider == "tavily":
            with pytest.raises(Invalid, match="no suggestions"):
                await service.execute("suggest_queries", {"query": "tea"})
            return
        assert await service.execute("suggest_queries", {"query": "tea"}) == ["tea cup", "tea hat"]


@pytest.mark.parametrize(("provider", "kind"), [("brave", Invalid), ("tavily", Denied)])
async def test_a_wrong_key_is_said(provider: str, kind: type[WandError]) -> None:
    async with serving(provider, api_key=SecretStr("another")) as (_, service):
        with pytest.raises(kind, match=r"invalid|Unauthorized"):
            await service.execute("search_web", {"query": "tea"})


@pytest.mark.parametrize(
    ("given", "field"), [({"provider": "searxng"}, "base_url"), ({"provider": "brave"}, "api_key")]
)
def test_what_a_provider_needs_is_said(given: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        WebSearch(WebSearch.Config.model_validate(given))
    assert refused.value.field == field


def test_a_mark_that_never_ends_is_text_and_those_that_do_are_left_out() -> None:
    assert web_search._plain("1 < 2 and <b>3</b> &gt; 2") == "1 < 2 and 3 > 2"


async def test_who_may_only_read_may_search_by_the_tool() -> None:
    there = searchers.Tavily()
    async with searchers.running(there) as url:
        table = {"provider": "tavily", "api_key": "env:KEY", "base_url": url}
        instances = Instances(Catalog(), FakeLedger(), lambda: "a1", Sources({"KEY": searchers.KEY}))
        instances.configure({"web_search": table})
        tools = Offered(Registry(FakeHost(), named.entries(instances)), Choice(read_only=True))
        try:
            result = await tools.call("web_search", {"query": "tea", "limit": 2}, call())
        finally:
            await instances.close()
    assert [one["title"] for one in result.structured["result"]["results"]] == ["Page 0", "Page 1"]
