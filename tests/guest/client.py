"""The official client of MCP, calling a Wand in a guest: `python -m guest.client WAY … TOOL ARGUMENTS`.

Ways: `stdio COMMAND…`, or `https URL` with $WAND_KEY and $WAND_CA. Prints the result as JSON.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from guest.machine import Guest, Wrong

_SECONDS = 60.0
_HERE = Path(__file__).resolve().parents[1]


class Refused(Wrong):
    """The call came back as an error; the text is the server's."""


def by_stdio(guest: Guest, user: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers to a person of the guest, by `wand-server stdio`.

    Raises:
        Refused: it answered with an error.
    """
    command = [*guest.enter(), "runuser", "-u", user, "--", "wand-server", "stdio"]
    return _asked(["stdio", *command], tool, arguments, [], {})


def by_https(guest: Guest, url: str, key: str, ca: Path, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers over TLS, from the guest's own network.

    Raises:
        Refused: it answered with an error.
    """
    told = {"WAND_KEY": key, "WAND_CA": str(ca)}
    return _asked(["https", url], tool, arguments, guest.enter("-n"), told)


def _asked(
    way: Sequence[str], tool: str, arguments: dict[str, Any], before: Sequence[str], told: dict[str, str]
) -> dict[str, Any]:
    argv = [*before, sys.executable, "-m", "guest.client", *way, tool, json.dumps(arguments)]
    environment = {**os.environ, "PYTHONPATH": str(_HERE), **told}
    done = subprocess.run(
        argv, env=environment, check=False, capture_output=True, text=True, timeout=_SECONDS + 10
    )
    if done.returncode == 3:
        raise Refused(done.stdout.strip())
    if done.returncode != 0:
        raise Wrong(f"the client failed: {done.stderr.strip()[-800:]}")
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


async def _call(way: Sequence[str], tool: str, arguments: dict[str, Any]) -> int:
    async with asyncio.timeout(_SECONDS):
        if way[0] == "stdio":
            transport = stdio_client(StdioServerParameters(command=way[1], args=list(way[2:])))
            return await _told(transport, tool, arguments)
        trusted = ssl.create_default_context(cafile=os.environ["WAND_CA"])
        headers = {"Authorization": f"Bearer {os.environ['WAND_KEY']}"}
        async with httpx2.AsyncClient(verify=trusted, headers=headers, timeout=_SECONDS) as http:
            return await _told(streamable_http_client(way[1], http_client=http), tool, arguments)


async def _told(transport: Any, tool: str, arguments: dict[str, Any]) -> int:
    async with Client(transport) as client:
        result = await client.call_tool(tool, arguments)
        if result.is_error:
            print(*(getattr(part, "text", "") for part in result.content))
            return 3
        print(json.dumps(result.structured_content))
        return 0


if __name__ == "__main__":
    *told, asked, given = sys.argv[1:]
    sys.exit(asyncio.run(_call(told, asked, json.loads(given))))
