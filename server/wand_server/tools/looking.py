"""Waiting for a job: for its end, for words that it prints, or for its silence, and never for too long."""

import asyncio
import time
from dataclasses import dataclass

from wand_server.model import Call
from wand_server.ports import Fed, Host, OutputPart, Search, StreamName

LOOK_SECONDS = 0.1  # between two looks at what the job has written
_SLOW_SECONDS = 0.5  # the same, where it has been silent for a while
_SHOWN_BYTES = 24 * 1024  # of each stream
_OVERLAP_BYTES = 4 * 1024  # that are looked through again: a line may have been half there
_STREAMS: tuple[StreamName, StreamName] = ("stdout", "stderr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is when the waiting is over, and the line that was waited for."""

    stdout: OutputPart
    stderr: OutputPart
    matched: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What is waited for; `begin` is where stdout is shown from, else `tail_bytes` before what is new."""

    job: str
    begin: int | None
    fed: Fed
    tail_bytes: int
    until: str
    until_from: int | None  # where to look for it; None: in what is new
    quiet_seconds: float | None
    wait_seconds: float

    async def look(self, host: Host, call: Call) -> Seen:
        """Look again and again until there is a reason to stop."""
        give_up = time.monotonic() + self.wait_seconds
        known = self.fed.stdout_bytes + self.fed.stderr_bytes
        total, newest = -1, time.monotonic()
        searched = self._where_to_search()
        while True:
            stdout = await self._part(host, call, "stdout", self._shown_from())
            stderr = await self._part(host, call, "stderr", max(0, self.fed.stderr_bytes - self.tail_bytes))
            now = time.monotonic()
            if stdout.total_bytes + stderr.total_bytes != total:
                total, newest = stdout.total_bytes + stderr.total_bytes, now
                if matched := await self._found(host, call, searched, (stdout, stderr)):
                    return Seen(stdout=stdout, stderr=stderr, matched=matched)
            silent_seconds = now - newest
            if not stdout.running or now >= give_up or self._is_quiet(silent_seconds, new=total > known):
                return Seen(stdout=stdout, stderr=stderr)
            pause = LOOK_SECONDS if silent_seconds < 2 else _SLOW_SECONDS
            await asyncio.sleep(max(0.0, min(pause, give_up - now)))

    def _is_quiet(self, silent_seconds: float, *, new: bool) -> bool:
        """Whether it has been silent for long enough, after it has answered at all."""
        wanted = self.quiet_seconds
        return wanted is not None and silent_seconds >= wanted and (new or wanted > LOOK_SECONDS)

    def _shown_from(self) -> int:
        return max(0, self.fed.stdout_bytes - self.tail_bytes) if self.begin is None else self.begin

    def _where_to_search(self) -> dict[StreamName, int]:
        begin = self.until_from
        if begin is not None:
            return {"stdout": begin, "stderr": begin}
        stdout = self.fed.stdout_bytes if self.begin is None else self.begin
        return {"stdout": stdout, "stderr": self.fed.stderr_bytes}

    async def _found(
        self, host: Host, call: Call, searched: dict[StreamName, int], parts: tuple[OutputPart, OutputPart]
    ) -> str:
        """The line that was waited for, or nothing; `searched` is moved on behind what was looked through."""
        for stream, part in zip(_STREAMS, parts, strict=True):
            if not self.until or part.total_bytes <= searched[stream]:
                continue
            wanted = Search(pattern=self.until, max_matches=1)
            found = await host.search_output(call, self.job, stream, searched[stream], wanted)
            if found.matches:
                return found.matches[0].text or " "
            searched[stream] = max(searched[stream], part.total_bytes - _OVERLAP_BYTES)
        return ""

    async def _part(self, host: Host, call: Call, stream: StreamName, offset: int) -> OutputPart:
        return await host.read_output(call, self.job, stream, (offset, _SHOWN_BYTES))
