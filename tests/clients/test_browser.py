"""A real browser goes through our pages: its policy lets it, nothing complains, and the answer arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from support.clients import Clients
from support.issuing import ANN, PASSWORD, issuing


@asynccontextmanager
async def callback(seen: list[str]) -> AsyncIterator[str]:
    """A program on this computer that waits for its answer."""

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path.startswith("/callback"):
            seen.append(str(request.rel_url))
        return web.Response(text="done")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    finally:
        await runner.cleanup()


async def test_a_person_signs_in_and_says_yes(clients: Clients, chromium: str, tmp_path: Path) -> None:
    seen: list[str] = []
    async with issuing(tmp_path / "issuer") as place, callback(seen) as uri:
        client_id = (await place.register())["client_id"]
        url = f"{place.origin}/oauth/authorize?{place.query(client_id, redirect_uri=uri)}"
        told = await asyncio.to_thread(clients.sign_in, chromium, url, ANN, PASSWORD)
        code = seen[0].partition("code=")[2].partition("&")[0]
        status, tokens = await place.redeem(client_id, code, redirect_uri=uri)
    assert told["wrong"] == "Name or password does not fit."
    assert "You are ann." in told["consent"]
    assert "run commands" in told["consent"]
    assert [one for one in told["complaints"] if "favicon" not in one and "403" not in one] == []
    (cookie,) = told["cookies"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert (status, tokens["token_type"], len(seen)) == (200, "Bearer", 1)
