"""Waiting for a job: for its end, for words that it prints, or for its silence, and never for too long."""

import asyncio
import time
from dataclasses import dataclass

from wand_server.model import Call
from wand_server.ports import Fed, Host, OutputPart, Search, StreamName

LOOK_SECONDS = 0.1  # of silence, and a job has answered
_LONG_SECONDS = 30.0  # of one question to the host
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
    needs_answer: bool  # silence says nothing before there is one
    wait_seconds: float

    async def look(self, host: Host, call: Call) -> Seen:
        """Look again whenever there is more, until there is a reason to stop."""
        give_up = time.monotonic() + self.wait_seconds
        known, running = (self.fed.stdout_bytes, self.fed.stderr_bytes), self.fed.running
        searched = self._where_to_search()
        matched = await self._found(host, call, searched, known)
        is_answer = False
        while not matched and running and (left := give_up - time.monotonic()) > 0:
            patience = self._patience(is_answer=is_answer)
            now, running = await host.watch(call, self.job, known, min(left, patience or _LONG_SECONDS))
            if now == known:
                if patience:
                    break
                continue
            is_answer, known = True, now
            matched = await self._found(host, call, searched, known)
            if not matched and running:
                await asyncio.sleep(max(0.0, min(LOOK_SECONDS, give_up - time.monotonic())))  # for company
        stdout = await self._part(host, call, "stdout", self._shown_from())
        stderr = await self._part(host, call, "stderr", max(0, self.fed.stderr_bytes - self.tail_bytes))
        return Seen(stdout=stdout, stderr=stderr, matched=matched)

    def _patience(self, *, is_answer: bool) -> float | None:
        """How long it may be silent and is waited for: where nothing was answered yet, for ever."""
        return None if self.needs_answer and not is_answer else self.quiet_seconds

    def _shown_from(self) -> int:
        return max(0, self.fed.stdout_bytes - self.tail_bytes) if self.begin is None else self.begin

    def _where_to_search(self) -> dict[StreamName, int]:
        begin = self.until_from
        if begin is not None:
            return {"stdout": begin, "stderr": begin}
        stdout = self.fed.stdout_bytes if self.begin is None else self.begin
        return {"stdout": stdout, "stderr": self.fed.stderr_bytes}

    async def _found(
        self, host: Host, call: Call, searched: dict[StreamName, int], written: tuple[int, int]
    ) -> str:
        """The line that was waited for, or nothing; `searched` is moved on behind what was looked through."""
        for stream, total_bytes in zip(_STREAMS, written, strict=True):
            if not self.until or total_bytes <= searched[stream]:
                continue
            wanted = Search(pattern=self.until, max_matches=1)
            found = await host.search_output(call, self.job, stream, searched[stream], wanted)
            if found.matches:
                return found.matches[0].text or " "
            searched[stream] = max(searched[stream], total_bytes - _OVERLAP_BYTES)
        return ""

    async def _part(self, host: Host, call: Call, stream: StreamName, offset: int) -> OutputPart:
        return await host.read_output(call, self.job, stream, (offset, _SHOWN_BYTES))
