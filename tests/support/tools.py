"""Tools in the shape of the port, which remember what they were asked."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from wand_proto.errors import Denied, NeedsApproval
from wand_server.model import Call, ToolDescription, ToolResult

OBJECT: dict[str, Any] = {"type": "object"}


def described(
    name: str, *, read_only: bool = True, may_last: bool = False, toolset: str = ""
) -> ToolDescription:
    return ToolDescription(
        name=name,
        title=name.title(),
        description=f"The tool {name}.",
        input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
        output_schema=OBJECT,
        read_only=read_only,
        destructive=not read_only,
        idempotent=read_only,
        open_world=False,
        may_last=may_last,
        toolset=toolset,
    )


@dataclass
class FakeTools:
    """echo; count tells progress, flood never stops telling; slow waits to be let go; denied and broken fail;
    asks waits for approval; big answers at length, odd with what JSON cannot say.
    """

    calls: list[tuple[str, dict[str, Any], Call]] = field(default_factory=list)
    slow_began: asyncio.Event = field(default_factory=asyncio.Event)
    slow_may_end: asyncio.Event = field(default_factory=asyncio.Event)
    slow_cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    approved: bool = False
    tools: tuple[ToolDescription, ...] = (
        described("echo"),
        described("count"),
        described("slow", read_only=False, may_last=True),
        described("denied"),
        described("asks", read_only=False, may_last=True),
        described("broken"),
        described("big"),
        described("flood"),
        described("odd"),
    )

    def describe(self) -> tuple[ToolDescription, ...]:
        return self.tools

    def unlisted(self, name: str) -> ToolDescription | None:
        return None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        self.calls.append((name, arguments, call))
        result: ToolResult = await getattr(self, f"_{name}")(arguments, call)
        return result

    async def _echo(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        text = str(arguments.get("text", ""))
        return ToolResult(text=text, structured={"text": text, "principal": call.principal.name})

    async def _count(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        for step in (1, 2, 2, 3):
            if call.progress is not None:
                await call.progress(step, 3, f"step {step}")
        return ToolResult(text="3", structured={"steps": 3})

    async def _slow(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        self.slow_began.set()
        try:
            await self.slow_may_end.wait()
        except asyncio.CancelledError:
            self.slow_cancelled.set()
            raise
        return ToolResult(text="done")

    async def _denied(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        raise Denied("rm is denied", hint="git is permitted", field="argv")

    async def _asks(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        if arguments.get("late"):
            await self.slow_may_end.wait()
        if self.approved:
            return ToolResult(text="done")
        raise NeedsApproval(
            "waits for approval ab12", hint="call again, once a person has said: approve yes ab12"
        )

    async def _broken(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        raise RuntimeError("the secret is 1234")

    async def _odd(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        return ToolResult(
            text="odd", structured={"value": float("nan") if arguments.get("nan") else "\udcff"}
        )

    async def _flood(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        try:
            for step in range(10_000):
                if call.progress is not None:
                    await call.progress(step, None, "x" * 65536)
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.slow_cancelled.set()
            raise
        return ToolResult(text="all told")

    async def _big(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        return ToolResult(text="x" * 1_000_000)
