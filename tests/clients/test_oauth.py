"""Clients that people use come in by OAuth: they find the way themselves, and a person says yes."""

import asyncio
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from support.clients import Clients
from support.model import model
from support.remote import PASSWORD, Remote, remote
from support.running import Running
from support.visitor import say_yes

CALLBACK = "http://127.0.0.1:1/callback"


@pytest.fixture(scope="module")
def far(wand: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with remote(wand, tmp_path_factory.mktemp("far")) as running:
        yield running


class Kept:
    """What a client keeps between two starts; offers `TokenStorage`."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def provider(far: Remote, kept: Kept, asked: list[str]) -> OAuthClientProvider:
    async def go(url: str) -> None:
        asked.append(url)

    async def come_back() -> AuthorizationCodeResult:
        told = await say_yes(asked[-1], far.user, PASSWORD)
        return AuthorizationCodeResult(code=told["code"], state=told["state"], iss=told["iss"])

    about = OAuthClientMetadata.model_validate(
        {
            "client_name": "probe",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
        }
    )
    return OAuthClientProvider(far.url, about, kept, go, come_back)


async def run(far: Remote, kept: Kept, asked: list[str]) -> Any:
    async with (
        httpx2.AsyncClient(auth=provider(far, kept, asked), timeout=90) as http,
        Client(streamable_http_client(far.url, http_client=http), mode="auto") as client,
    ):
        return (await client.call_tool("execute_command", {"command": "rev poem.txt"})).structured_content


async def test_the_python_client_finds_its_way_and_comes_back_by_its_refresh_token(far: Remote) -> None:
    kept, asked = Kept(), list[str]()
    first = await run(far, kept, asked)
    assert "xof nworb kciuq eht" in first["stdout"]
    assert kept.tokens is not None
    refresh = kept.tokens.refresh_token
    kept.tokens = kept.tokens.model_copy(update={"access_token": "x", "expires_in": -1})
    again = await run(far, kept, asked)
    assert again["exit_code"] == 0
    assert kept.tokens is not None
    assert kept.tokens.refresh_token != refresh


async def test_a_grant_that_an_administrator_ends_lets_nobody_in(far: Remote) -> None:
    kept, asked = Kept(), list[str]()
    await run(far, kept, asked)
    listed = await asyncio.to_thread(far.command, "grants", "list")
    heading, *lines = listed.splitlines()
    assert lines
    for line in lines:
        await asyncio.to_thread(far.command, "grants", "revoke", line.split()[0])
    assert (await asyncio.to_thread(far.command, "grants", "list")).splitlines() == [heading]
    assert kept.tokens is not None
    headers = {"Authorization": f"Bearer {kept.tokens.access_token}", "Content-Type": "application/json"}
    async with httpx2.AsyncClient(headers=headers) as http, asyncio.timeout(60):
        while (answer := await http.post(far.url, json={})).status_code != 401:
            pass  # a running server sees it within seconds
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


async def test_claude_code_signs_in_by_a_browser_and_runs_a_command(
    far: Remote, clients: Clients, claude: Path, chromium: str
) -> None:
    await asyncio.to_thread(clients.run, claude, "mcp", "add", "--transport", "http", "wand", far.url)
    await asyncio.to_thread(log_in, clients, claude, chromium, far)
    assert "Connected" in await asyncio.to_thread(clients.run, claude, "mcp", "list")
    tool = "mcp__wand__execute_command"
    async with model(tool, {"command": "rev poem.txt"}) as address:
        more = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": "none", "ENABLE_TOOL_SEARCH": "false"}
        words = ("-p", "Read it backwards.", "--allowedTools", tool)
        said = await asyncio.to_thread(clients.run, claude, *words, more=more)
    assert "xof nworb kciuq eht" in said


def log_in(clients: Clients, claude: Path, chromium: str, far: Remote) -> None:
    """`claude mcp login` at a terminal, its browser a real one at which a person says yes."""
    person = clients.home / "browser"
    script = Path(__file__).with_name("person.mjs")
    words = [clients.node, script, '"$1"', shlex.quote(far.user), shlex.quote(PASSWORD)]
    person.write_text(
        f"#!/bin/sh\nCHROMIUM={chromium} exec {' '.join(map(str, words))} > {clients.home}/person.log 2>&1\n"
    )
    person.chmod(0o700)
    argv = [str(claude), "mcp", "login", "wand"]
    inside = f"import pty, sys; sys.exit(pty.spawn({argv!r}) >> 8)"
    printed = clients.run(Path(sys.executable), "-c", inside, more={"BROWSER": str(person)})
    assert "uthenticat" in printed, printed
