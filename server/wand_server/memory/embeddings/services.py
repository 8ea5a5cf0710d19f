"""Embeddings of a service: one that speaks OpenAI's API (`/v1/embeddings`), or Ollama (`/api/embed`)."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from wand_proto.errors import Broken, Denied, Unavailable
from wand_server.outward import PublicConnector, PublicResolver

_SECONDS = 30.0
_MOST_BYTES = 32 * 1024 * 1024  # of an answer


class Service(ABC):
    """Offers `ports.Embeddings`."""

    def __init__(self, url: str, model: str, key: str = "") -> None:
        """The address is an administrator's, so it may be one of our own networks."""
        self._url = url.rstrip("/")
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def model(self) -> str:
        return f"{type(self).__name__.lower()}:{self._model}"

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        body = await self._post(self.path, {"model": self._model, "input": list(texts)})
        try:
            vectors = [[float(value) for value in one] for one in self.read(body)]
        except (LookupError, TypeError, ValueError) as why:
            raise Broken(f"{self._url} answers what is no embedding") from why
        if len(vectors) != len(texts) or not all(vectors):
            raise Broken(f"{self._url} gives {len(vectors)} embeddings for {len(texts)} texts")
        return vectors

    @property
    @abstractmethod
    def path(self) -> str:
        """Where embeddings are asked for, below the address."""

    @abstractmethod
    def read(self, body: Any) -> Sequence[Sequence[float]]:
        """The vectors in an answer; raises LookupError or TypeError where it is not as expected."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        session = self._opened()
        try:
            async with session.post(f"{self._url}{path}", json=body, allow_redirects=False) as answer:
                raw = await _bounded(answer.content)
                if answer.status in {401, 403}:
                    raise Denied(f"{self._url} does not accept the key", field="memory.embeddings_key")
                if answer.status != 200:
                    raise Unavailable(f"{self._url} answers with {answer.status}")
                return json.loads(raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as why:
            raise Unavailable(f"{self._url} cannot be reached: {type(why).__name__}") from why
        except ValueError as why:
            raise Broken(f"{self._url} answers what is no JSON") from why

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            host = urlsplit(self._url).hostname or ""
            self._session = aiohttp.ClientSession(
                connector=PublicConnector(PublicResolver(hosts=[host])),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    raw = bytearray()
    async for piece in content.iter_chunked(65536):
        raw += piece
        if len(raw) > _MOST_BYTES:
            raise Broken("an answer is too large to be embeddings")
        await asyncio.sleep(0)
    return bytes(raw)


class OpenAI(Service):
    """As OpenAI has it, and many after it: llama.cpp, vLLM, LM Studio, LocalAI."""

    path = "/embeddings"

    def read(self, body: Any) -> Sequence[Sequence[float]]:
        """In the order of their index."""
        return [one["embedding"] for one in sorted(body["data"], key=lambda one: one["index"])]


class Ollama(Service):
    """As Ollama has it."""

    path = "/api/embed"

    def read(self, body: Any) -> Sequence[Sequence[float]]:
        """In their order."""
        vectors: Sequence[Sequence[float]] = body["embeddings"]
        return vectors
