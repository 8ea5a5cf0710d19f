"""The official TypeScript client comes in by OAuth, in both eras, and with tokens bound to its key."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from support.clients import HOME, Clients
from support.remote import PASSWORD, Remote, remote
from support.running import Running
from support.visitor import say_yes

CALLBACK = "http://127.0.0.1:1/callback"


@pytest.fixture(scope="module")
def far(wand: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    with remote(wand, tmp_path_factory.mktemp("far")) as running:
        yield running


async def run(clients: Clients, far: Remote, *words: str) -> dict[str, Any]:
    script = str(Path(__file__).with_name("oauth.mjs"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(clients.home), "CLIENTS": str(HOME)}
    child = await asyncio.create_subprocess_exec(
        *(str(clients.node), script, words[0], far.url, CALLBACK, *words[1:]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            told = await say_yes((await child.stdout.readline()).decode().strip(), far.user, PASSWORD)
            child.stdin.write(f"{CALLBACK}?{urlencode(told)}\n".encode())
            printed = await child.stdout.readline()
            await child.wait()
            return dict(json.loads(printed))
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@pytest.mark.parametrize(
    ("words", "kind"), [(("legacy",), "Bearer"), (("modern",), "Bearer"), (("auto", "dpop"), "DPoP")]
)
async def test_the_typescript_client_finds_its_way(
    words: tuple[str, ...], kind: str, far: Remote, clients: Clients
) -> None:
    told = await run(clients, far, *words)
    assert told["type"] == kind
    assert all("xof nworb kciuq eht" in printed for printed in told["ran"])
