"""Our edge alone (guard, transport, kernel) with one tool that says it again: _edge.py PORT KEYS."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from wand_proto import garbage
from wand_server.auth.guard import Guard
from wand_server.auth.keys import Keys
from wand_server.auth.origins import Origins
from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.protocol.server import build
from wand_server.transports.http import HttpTransport
from wand_server.transports.limits import Limits, Rate, Rates

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = (
    ToolDescription(
        name="echo", title="Echo", description="Say it again.", input_schema=SCHEMA,
        output_schema=SCHEMA, read_only=True, destructive=False, idempotent=True, open_world=False,
    ),
)  # fmt: skip

LIMITS = Limits(Rates(principal=Rate(per_second=1e6, burst=10**6), address=Rate(per_second=1e6, burst=10**6)))


class Echo:
    """The tools as the protocol sees them, with one in it."""

    def describe(self) -> tuple[ToolDescription, ...]:
        return TOOLS

    def unlisted(self, name: str) -> ToolDescription | None:
        return None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        text = str(arguments["text"])
        return ToolResult(text=text, structured={"text": text})


async def main() -> None:
    kernel = build(Echo(), version="0", instructions="")
    guard = Guard(Keys(Path(sys.argv[2])), Origins())
    async with HttpTransport(
        kernel, guard, hostagent_is_up=lambda: True, limits=LIMITS, port=int(sys.argv[1])
    ):
        garbage.search_seldom()  # as `wand-server serve` does
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
