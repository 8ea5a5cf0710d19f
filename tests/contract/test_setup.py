"""What `wand-server setup` writes is enough for a call: launcher, host agent and server run by it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from support import hostagent
from support.hostagent import Wand
from support.program import Program
from support.running import COMMAND

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="commands run as another user: needs root")
USER = "nobody"
AT_ONCE = "asking = {{ wait_seconds = 0 }}\n"


def said(*words: str) -> str:
    return subprocess.run([str(COMMAND), *words], check=True, capture_output=True, text=True).stdout


@contextmanager
def set_up(may: str) -> Iterator[tuple[str, str, Wand]]:
    """Where a server answers that runs by what was set up, and a key of the user."""
    with hostagent.prepared(settings=AT_ONCE) as wand:
        for made in ("policy.d/policy.toml", "profiles.d/developer.toml"):
            (wand.folder / made).unlink()
        wand.workspace.rmdir()
        wand.folder.chmod(0o755)
        options = ["--folder", str(wand.workspace), "--may", may, "--reach", "here", "--user", USER]
        said("setup", *options, "--directory", str(wand.folder))
        wand.launcher.start()
        wand.agent.start()
        keys = wand.folder / "keys.toml"
        key = said("keys", "add", USER, "--file", str(keys)).strip()
        pki, places = wand.folder / "pki", {"HTTP__PORT": 0, "HTTP__KEYS_FILE": keys}
        places |= {"HOSTAGENT__ADDRESS": wand.unix, "STDIO__SOCKET": wand.folder / "s.sock"}
        places |= {"HOSTAGENT__CA": pki / "ca.crt", "HOSTAGENT__CERTIFICATE": pki / "server.crt"}
        places |= {"HOSTAGENT__KEY": pki / "server.key"}
        argv = [str(COMMAND), "serve", "--settings", str(wand.folder / "server.toml")]
        server = Program(argv, wand.folder / "server.log")
        server.environment = {f"WAND_{name}": str(value) for name, value in places.items()}
        server.start()
        try:
            yield f"http://127.0.0.1:{server.said.strip()}/mcp", key, wand
        finally:
            server.end()


async def call(url: str, key: str, command: str) -> Any:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=90) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        return await client.call_tool("execute_command", {"command": command})


async def test_who_may_work_works_in_the_folder_as_its_user() -> None:
    with set_up("work") as (url, key, wand):
        ran = await call(url, key, "id -un; pwd; echo x > made")

        assert ran.structured_content["stdout"].splitlines() == [USER, str(wand.workspace)]
        assert (wand.workspace / "made").owner() == USER


@pytest.mark.parametrize(
    ("may", "says"), [("look", "does no more than read"), ("ask", "wand-hostagent approve")]
)
async def test_who_may_less_looks_and_does_no_more(may: str, says: str) -> None:
    with set_up(may) as (url, key, wand):
        looked = await call(url, key, "ls -a")
        wrote = await call(url, key, "touch made")

        assert looked.structured_content["exit_code"] == 0
        assert (wrote.is_error, says in wrote.content[0].text, (wand.workspace / "made").exists()) == (
            True,
            True,
            False,
        ), wrote
