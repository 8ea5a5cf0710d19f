"""Search of the web, by whichever of three the settings name: SearXNG, Brave, Tavily."""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr

from wand_proto.errors import Invalid
from wand_server.integrations.kit import (
    ApiKey,
    Bearer,
    FirstOf,
    Integration,
    Nobody,
    Rate,
    Request,
    Resource,
    SignIn,
    operation,
)
from wand_server.integrations.kit.http import Address, Signer
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send

Provider = Literal["searxng", "brave", "tavily"]
Since = Literal["day", "week", "month", "year"]
Query = Annotated[str, Field(min_length=1, max_length=400)]
Limit = Annotated[int, Field(ge=1, le=20)]
PageNumber = Annotated[int, Field(ge=1, le=10, description="of the results; the first is 1")]
_HOMES = {"brave": "https://api.search.brave.com", "tavily": "https://api.tavily.com"}
_TAG = re.compile(r"<[^<>]*>")  # of many that never end, none is read to the end
_BRAVE_SINCE = {"day": "pd", "week": "pw", "month": "pm", "year": "py"}
_SEARXNG_SINCE = {"week": "month"}  # it knows no week
_WAYS: Mapping[Provider, SignIn] = {
    "searxng": FirstOf(((("api_key",), Bearer("api_key")), ((), Nobody()))),
    "brave": ApiKey("X-Subscription-Token"),
    "tavily": Bearer("api_key"),
}


@dataclass(frozen=True, slots=True)
class ByProvider(SignIn):
    """As whoever searches wants it."""

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:
        provider: Provider = settings.provider  # type: ignore[attr-defined]
        return _WAYS[provider].signer(settings, send, strike)


class Found(Resource):
    """One page of the web."""

    title: str
    url: str
    text: str = ""
    published: str | None = None


class Results(Resource):
    results: list[Found]


class WebSearch(Integration):
    """Searches the web."""

    class Config(Integration.Config):
        """Who does it, and by which key."""

        provider: Provider = Field(description="searxng, brave or tavily")
        api_key: SecretStr | None = Field(default=None, description="SearXNG needs none")
        language: str = Field(default="", pattern=r"^[a-zA-Z-]{0,8}$", description="of results, such as en")
        base_url: str = Field(default="", description="of your SearXNG")

    config: Config
    sign_in: ClassVar[SignIn] = ByProvider()
    rate = Rate(5)
    headers = {"Accept": "application/json"}

    def _address(self) -> Address:
        provider = self.config.provider
        if provider == "searxng" and not self.config.base_url:
            raise Invalid("is missing", hint="such as https://search.internal", field="base_url")
        if provider != "searxng" and self.config.api_key is None:
            raise Invalid("is missing", hint="say where the key is: cred:NAME", field="api_key")
        address = super()._address()
        return replace(address, base_url=self.config.base_url or _HOMES[provider])

    async def health_check(self) -> None:
        await self.search_web("wand", limit=1)

    @operation(read_only=True)
    async def search_web(
        self, query: Query, limit: Limit = 10, page: PageNumber = 1, since: Since | None = None
    ) -> Results:
        """Search the web for pages: what they are called, where they are, and what of them fits."""
        return await self._search("general", query, (limit, page), since)

    @operation(read_only=True)
    async def search_news(
        self, query: Query, limit: Limit = 10, page: PageNumber = 1, since: Since | None = None
    ) -> Results:
        """Search the news."""
        return await self._search("news", query, (limit, page), since)

    @operation(read_only=True)
    async def suggest_queries(self, query: Query) -> list[str]:
        """Tell what people search for who begin so."""
        match self.config.provider:
            case "searxng":
                body = await self._get("/autocompleter", {"q": query})
                found = body[1] if isinstance(body, list) and len(body) == 2 else body
                return [str(one) for one in found if isinstance(one, str)] if isinstance(found, list) else []
            case "brave":
                body = await self._get("/res/v1/suggest/search", {"q": query})
                return [str(one.get("query", "")) for one in _rows(body, "results")]
            case other:
                raise Invalid(f"{other} makes no suggestions", hint="searxng and brave do")

    async def _search(self, topic: str, query: str, which: tuple[int, int], since: Since | None) -> Results:
        limit, page = which
        match self.config.provider:
            case "searxng":
                rows = await self._searxng(topic, query, page, since)
            case "brave":
                rows = await self._brave(topic, query, which, since)
            case _:
                rows = await self._tavily(topic, query, which, since)
        found = [one for one in map(_found, rows) if one is not None]
        return Results(results=found[:limit])

    async def _searxng(
        self, topic: str, query: str, page: int, since: Since | None
    ) -> Iterator[Mapping[str, Any]]:
        asked = {"q": query, "format": "json", "categories": topic, "pageno": str(page)}
        if since:
            asked["time_range"] = _SEARXNG_SINCE.get(since, since)
        if self.config.language:
            asked["language"] = self.config.language
        return _rows(await self._get("/search", asked), "results")

    async def _brave(
        self, topic: str, query: str, which: tuple[int, int], since: Since | None
    ) -> Iterator[Mapping[str, Any]]:
        asked = {"q": query, "count": str(which[0]), "offset": str(which[1] - 1)}
        if since:
            asked["freshness"] = _BRAVE_SINCE[since]
        if self.config.language:
            asked["search_lang"] = self.config.language
        body = await self._get(f"/res/v1/{'news' if topic == 'news' else 'web'}/search", asked)
        return _rows(body if topic == "news" else body.get("web"), "results")

    async def _tavily(
        self, topic: str, query: str, which: tuple[int, int], since: Since | None
    ) -> Iterator[Mapping[str, Any]]:
        if which[1] > 1:
            raise Invalid("tavily has one page", hint="raise limit", field="page")
        asked: dict[str, Any] = {"query": query, "max_results": which[0], "topic": topic}
        request = Request(
            method="POST", path="/search", json={**asked, **({"time_range": since} if since else {})}
        )
        return _rows((await self.http.send(request, repeatable=True)).body, "results")

    async def _get(self, path: str, query: dict[str, str]) -> Any:
        answered = await self.http.send(Request(method="GET", path=path, query=query))
        return answered.body if isinstance(answered.body, dict | list) else {}


def _rows(body: Any, name: str) -> Iterator[Mapping[str, Any]]:
    rows = body.get(name) if isinstance(body, dict) else None
    return (one for one in rows if isinstance(one, dict)) if isinstance(rows, list) else iter(())


def _found(row: Mapping[str, Any]) -> Found | None:
    """A result, whoever found it."""
    url = row.get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    published = next((row[name] for name in _DATES if isinstance(row.get(name), str)), None)
    text = row.get("content") or row.get("description") or ""
    return Found(title=_plain(row.get("title")), url=url, text=_plain(text), published=published)


_DATES = ("publishedDate", "published_date", "page_age")


def _plain(text: Any) -> str:
    """A text without the marks that are for browsers."""
    return " ".join(html.unescape(_TAG.sub("", text)).split()) if isinstance(text, str) else ""
