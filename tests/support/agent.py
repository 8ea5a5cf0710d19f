"""The official Python client, connected to a Wand that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from support.running import Running


@asynccontextmanager
async def over_http(wand: Running, mode: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=wand.headers, timeout=90) as http,
        Client(streamable_http_client(wand.url, http_client=http), mode=mode) as client,
    ):
        yield client
