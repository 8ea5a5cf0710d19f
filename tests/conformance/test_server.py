"""The server that the official suite is run against, without the suite: it starts, and lets everybody in."""

import aiohttp
import pytest

from conformance.server import OpenDoor, build
from support.edge import ENVELOPE, LEGACY, MODERN, TYPES, legacy
from wand_server.transports.http import HttpTransport

ABOUT = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "probe", "version": "7"}}


@pytest.mark.parametrize(
    ("method", "params", "version"),
    [("tools/list", {"_meta": ENVELOPE}, MODERN), ("initialize", ABOUT, LEGACY)],
)
async def test_the_fixture_answers_whoever_asks(method: str, params: dict[str, object], version: str) -> None:
    headers = {**TYPES, "MCP-Protocol-Version": version, "Mcp-Method": method}
    async with (
        HttpTransport(build(), OpenDoor(), lambda: True) as served,
        aiohttp.ClientSession() as client,
        client.post(
            f"http://127.0.0.1:{served.port}/mcp", json=legacy(method, params), headers=headers
        ) as answer,
    ):
        assert (answer.status, "result" in await answer.json()) == (200, True)
