"""Web pages: what a browser is told that a page may ask and read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.edge import LEGACY, Edge, edge
from wand_server.auth.origins import Origins

PAGE = "https://app.example"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        running.transport.guard.admit(Origins.of((), [PAGE]))
        yield running


async def asked(
    server: Edge, path: str, origin: str | None = PAGE, **more: str
) -> tuple[int, dict[str, str]]:
    headers = {"Access-Control-Request-Method": "POST", **({"Origin": origin} if origin else {}), **more}
    async with server.client.options(server.origin + path, headers=headers) as answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
async def test_a_page_that_is_named_may_ask_without_a_key_in_the_question(server: Edge, origin: str) -> None:
    more = {"Access-Control-Request-Headers": "authorization, mcp-param-region, x-other"}
    status, headers = await asked(server, "/mcp", origin, **more)

    assert (status, headers["access-control-allow-origin"]) == (204, origin)
    assert headers["access-control-allow-methods"] == "DELETE, GET, POST"
    assert {"Authorization", "Mcp-Session-Id", "mcp-param-region"} <= set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert "x-other" not in headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/mcp", "https://evil.example", 403),
        ("/mcp", "null", 403),
        ("/nothing", PAGE, 404),
        ("/mcp", None, 405),
    ],
)
async def test_other_questions_are_refused(server: Edge, path: str, origin: str | None, status: int) -> None:
    found, headers = await asked(server, path, origin)

    assert found == status
    assert headers.get("access-control-allow-origin") == (PAGE if status == 404 else None)


async def test_a_page_reads_answers_refusals_and_the_id_of_its_session(server: Edge) -> None:
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "page", "version": "1"},
    }}  # fmt: skip
    for key, status in ((server.key, 200), ("wand_wrong", 401)):
        headers = server.headers(Authorization=f"Bearer {key}", Origin=PAGE)
        async with server.client.post(server.url, json=body, headers=headers) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == PAGE
            assert {"Mcp-Session-Id", "WWW-Authenticate"} <= set(
                answer.headers["Access-Control-Expose-Headers"].split(", ")
            )
            assert answer.headers["Vary"] == "Origin"


async def test_a_page_reads_a_stream(server: Edge) -> None:
    headers = {**await server.initialize(), "Origin": PAGE}
    async with server.client.get(server.url, headers=headers) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, PAGE)


async def test_who_is_no_page_hears_nothing_of_pages(server: Edge) -> None:
    async with server.client.get(server.origin + "/health") as answer:
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
