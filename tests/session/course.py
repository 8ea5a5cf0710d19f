"""What an agent does with a long job: start it, read it, answer it, lose the server, collect the result."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from support.agent import over_http
from support.running import Running
from support.visits import server_pid

STEPS = 10
JOB = r"""
printf '\033[2J\033[1mrelease\033[0m of 10 parts, one in {pause} s\n'
for part in 1 2 3 4 5 6 7 8 9 10; do
  sleep {pause}
  printf '\r\033[Kbuilt \033[32m%s\033[0m of 10' $part
  if [ $part = 5 ]; then
    printf '\n'; read -r -p 'Half is built. Go on? [y/N] ' answer
    [ "$answer" = y ] || exit 3
  fi
done
printf '\nreleased as %s\n' "v1.$((6 * 7))"
"""
_CALL_SECONDS = 45.0
_PATIENCE_SECONDS = 40
_SHOWN = 6  # lines of an answer


class Session:
    """One job and who talks to it; every call is a client of its own, as after a restart it has to be."""

    def __init__(self, wand: Running, *, seconds: float, say: Callable[[str], None]) -> None:
        self._wand = wand
        self._seconds = seconds
        self._say = say
        self._began = time.monotonic()
        self.longest_seconds = 0.0
        self.job = ""
        self.cast = ""

    async def whole(self) -> dict[str, Any]:
        """All of it; what the last call says of the job."""
        command = JOB.format(pause=f"{self._seconds / STEPS:g}")
        started = await self._use(
            "execute_command",
            shown={"command": "release, 10 parts, a question in the middle"},
            command=command,
            terminal=True,
            background=True,
            timeout_seconds=self._seconds + 300,
        )
        self.job = started["job"]
        await self._wait(r"built .*2.* of 10")
        await self._use("read_file", path=f"wand://jobs/{self.job}/screen")
        await self._lose_the_server()
        await self._use("list_jobs")
        await self._wait(r"Go on\? \[y/N\]")
        await self._use("send_input", job=self.job, text="y\n", screen=True)
        ended = await self._wait("released as")
        while ended["running"]:
            ended = await self._use("send_input", job=self.job, wait_seconds=_PATIENCE_SECONDS)
        await self._use("list_jobs")
        await self._use("read_file", path=f"wand://jobs/{self.job}/stdout", first_line=-3)
        stdout = f"wand://jobs/{self.job}/stdout"
        await self._use("search_files", path=stdout, pattern=r"released as (v[\d.]+)")
        self.cast = await self._recording()
        return ended

    async def _wait(self, pattern: str) -> dict[str, Any]:
        """Wait, in calls of at most 40 seconds, until it prints that, or has ended."""
        while True:
            told = await self._use("send_input", job=self.job, until=pattern, wait_seconds=_PATIENCE_SECONDS)
            if not told["running"] or any(note.startswith("found: ") for note in told["notes"]):
                return told

    async def _lose_the_server(self) -> None:
        """Kill it, and wait until another answers."""
        before = server_pid(self._wand)
        os.kill(before, signal.SIGKILL)
        self._say(f"{self._now()}  (kill -9 {before}: the server is gone)")
        async with asyncio.timeout(60):
            while True:
                with suppress(Exception):  # whatever a client raises while nobody listens
                    async with over_http(self._wand, "auto") as client:
                        await client.list_tools()
                        break
                await asyncio.sleep(0.2)
        self._say(f"{self._now()}  (another server answers: {server_pid(self._wand)})")

    async def _recording(self) -> str:
        uri, text = f"wand://jobs/{self.job}/cast", ""
        while uri:
            async with over_http(self._wand, "auto") as client:
                (part,) = (await client.read_resource(uri)).contents
            text += getattr(part, "text", "")
            uri = str((part.meta or {}).get("wand/next", ""))
        self._say(f"{self._now()}  resources/read wand://jobs/{self.job}/cast")
        self._say(f"             {text.splitlines()[0][:90]}…")
        self._say(f"             … {text.splitlines()[-1]}")
        return text

    async def _use(
        self, tool: str, *, shown: dict[str, Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """What a tool answers, which it must do within 45 seconds."""
        told = {**arguments, **(shown or {})}
        words = " ".join(f"{name}={value!r}" for name, value in told.items() if name != "job")
        self._say(f"{self._now()}  {tool} {words}")
        began = time.monotonic()
        async with asyncio.timeout(_CALL_SECONDS), over_http(self._wand, "auto") as client:
            result = await client.call_tool(tool, arguments)
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        text = str(getattr(result.content[0], "text", ""))
        assert not result.is_error, text
        lines = [line for line in text.splitlines() if line.strip()]
        for line in lines if len(lines) <= _SHOWN else [*lines[:2], "…", *lines[-3:]]:
            self._say(f"             {re.sub(r'[^ -~…]', '', line)[:120]}")
        return dict(result.structured_content or {})

    def _now(self) -> str:
        return f"{time.monotonic() - self._began:7.1f} s"
