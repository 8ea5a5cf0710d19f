"""The floor: a bare aiohttp handler that knows no protocol. Usage: bare.py PORT [caught | bwrap]."""

import asyncio
import json
import sys
from typing import Any

from aiohttp import web

HOW = sys.argv[2] if len(sys.argv) > 2 else ""
BWRAP = ["bwrap", "--unshare-all", "--new-session", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
NULL, PIPE = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE


async def answer(arguments: dict[str, Any], tool: str) -> str:
    if tool == "echo":
        return str(arguments["text"])
    if HOW == "bwrap":
        child = await asyncio.create_subprocess_exec(*BWRAP, "/bin/true")
    elif HOW == "caught":
        child = await asyncio.create_subprocess_exec("/bin/true", stdin=NULL, stdout=PIPE, stderr=PIPE)
        await child.communicate()
    else:
        child = await asyncio.create_subprocess_exec("/bin/true")
    return f"exit {await child.wait()}"


async def call(request: web.Request) -> web.Response:
    asked = json.loads(await request.read())
    text = await answer(asked["params"]["arguments"], asked["params"]["name"])
    result = {"content": [{"type": "text", "text": text}]}
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})


async def main() -> None:
    app = web.Application()
    app.router.add_post("/mcp", call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(sys.argv[1])).start()
    await asyncio.Event().wait()


asyncio.run(main())
