"""The suite's scenarios for authorization servers, against ours, with a person who always says yes."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from support.issuing import Place, issuing
from support.places import free_port

SECONDS = 60


def run(node: Path, script: Path) -> str:
    """All that the suite prints."""
    return asyncio.run(_run(node, script))


async def _run(node: Path, script: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        async with issuing(Path(folder) / "issuer") as place:
            return await _against(place, [str(node), str(script), "authorization", "-o", folder])


async def _against(place: Place, words: Sequence[str]) -> str:
    port = free_port()
    client = await place.register(redirect_uris=[f"http://127.0.0.1:{port}/callback"])
    more = ("--url", place.origin, "--client-id", client["client_id"], "--resource", f"{place.origin}/mcp")
    child = await asyncio.create_subprocess_exec(
        *words, *more, "-p", str(port), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(SECONDS):
            printed = await _watch(child, place)
            await child.wait()
            return printed
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def _watch(child: asyncio.subprocess.Process, place: Place) -> str:
    """All that it prints; where that is an address for a person, the person goes there and says yes."""
    assert child.stdout is not None
    printed = ""
    while line := (await child.stdout.readline()).decode():
        printed += line
        if line.startswith(f"{place.origin}/oauth/authorize?"):
            answer = await place.consent(line.strip().partition("?")[2])
            async with place.browser.get(answer.headers["Location"]) as response:
                assert response.status == 200
    return printed
