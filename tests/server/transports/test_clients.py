"""The official Python client over HTTP, in both eras."""

from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from support.edge import edge


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_it_lists_calls_and_hears_progress(tmp_path: Path, mode: str, version: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with edge(tmp_path) as server:
        headers = {"Authorization": f"Bearer {server.key}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(server.url, http_client=http), mode=mode) as client,
        ):
            listed = await client.list_tools()
            echoed = await client.call_tool("echo", {"text": "héllo"})
            denied = await client.call_tool("denied", {})
            await client.call_tool("count", {}, progress_callback=hear)
            spoken = client.protocol_version

    assert spoken == version
    assert [tool.name for tool in listed.tools][:2] == ["echo", "count"]
    assert echoed.structured_content == {"text": "héllo", "principal": "probe"}
    assert denied.is_error
    assert told == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]
