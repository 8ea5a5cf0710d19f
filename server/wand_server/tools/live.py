"""Live output: what a command prints reaches the client as progress while the command runs."""

import asyncio
import codecs
import contextlib
import logging
import time
from types import TracebackType
from typing import Self

from wand_proto.plaintext import plain
from wand_server.model import Progress
from wand_server.ports import StreamName
from wand_server.tools import render

log = logging.getLogger(__name__)

NEWEST_CHARACTERS = 1000  # of output in one notification
_BETWEEN_SECONDS = 0.2
_SILENCE_SECONDS = 5.0


class Live:
    """Progress of one command: its newest output at most five times a second, a sign of life every five.

    `progress` counts seconds, so it rises whatever the command prints, and a client that starts its
    time limit again with every notification never gives up on a silent command.
    """

    def __init__(self, progress: Progress, *, silence_seconds: float = _SILENCE_SECONDS) -> None:
        self._progress = progress
        self._silence_seconds = silence_seconds
        self._began = time.monotonic()
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")
        }
        self._newest = ""
        self._skipped = False
        self._seen_bytes = 0
        self._printed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._tell(), name="live output")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def on_output(self, stream: StreamName, data: bytes) -> None:
        """Remember the newest of what was printed, for the next notification."""
        self._seen_bytes += len(data)
        newest = self._newest + self._decoders[stream].decode(data[-4 * NEWEST_CHARACTERS :])
        self._skipped = self._skipped or len(newest) > NEWEST_CHARACTERS
        self._newest = newest[-NEWEST_CHARACTERS:]
        self._printed.set()

    async def _tell(self) -> None:
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._silence_seconds):
                        await self._printed.wait()
                await self._progress(self._elapsed_seconds(), None, self._message())
                await asyncio.sleep(_BETWEEN_SECONDS)
        except Exception:  # the top of this task: a client that cannot be told must not end the command
            log.warning("progress could not be sent", exc_info=True)

    def _elapsed_seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _message(self) -> str:
        newest = plain(self._newest).strip("\n")
        skipped = self._skipped
        self._newest, self._skipped = "", False
        self._printed.clear()
        if not newest:
            return self._sign_of_life()
        return f"...{newest[-(NEWEST_CHARACTERS - 3) :]}" if skipped else newest

    def _sign_of_life(self) -> str:
        printed = (
            f"{render.count(self._seen_bytes, 'byte')} of output so far"
            if self._seen_bytes
            else "no output yet"
        )
        return f"running {self._elapsed_seconds():.0f} s, {printed}"
