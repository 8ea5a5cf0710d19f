"""A program for FastMCP's own Python: what its client sees of the server at argv[1], with the key argv[2]."""

import asyncio
import json
import sys

from fastmcp import Client


async def main() -> None:
    told: list[str] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with Client(sys.argv[1], auth=sys.argv[2]) as client:
        names = [tool.name for tool in await client.list_tools()]
        asked = {"command": "echo one; sleep 1.5; echo two"}
        ran = await client.call_tool("execute_command", asked, progress_handler=on_progress)
        poem = await client.read_resource("wand://files/poem.txt")
        refused = await client.call_tool("read_file", {"path": "/etc/shadow"}, raise_on_error=False)
    seen = {
        "names": names,
        "ran": ran.structured_content,
        "told": told,
        "poem": poem[0].text,
        "refused": refused.is_error,
    }
    print(json.dumps(seen))


asyncio.run(main())
