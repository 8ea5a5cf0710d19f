"""One job in a container, on the connection that carries its streams."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from wand_hostagent.backends.course import Ended, Source, StreamName, Typed
from wand_hostagent.backends.docker.engine import Engine, EngineError, Wire
from wand_hostagent.model import Reason
from wand_proto.errors import Ambiguous, WandError

log = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
LOOK_SECONDS = (0.25, 2.0)  # how often a silent job is looked after, at first and later
AGAIN_SECONDS = 0.02
SURVIVOR_SECONDS = 0.2  # how long output is awaited after the end, where something holds the stream
REST_SECONDS = 60.0  # the same where nothing can, and dockerd is only slow
_STREAMS: dict[int, StreamName] = {1: "stdout", 2: "stderr"}
_MOST_SIGNAL = 64
State = Callable[[], Awaitable[dict[str, Any]]]
"""Asks how the job fares: Running, ExitCode, and OOMKilled where it is known."""
Do = Callable[[], Awaitable[None]]
Means = tuple[State, Do, Do]  # how it fares, what ends it, what removes it


class ContainerJob(Source):
    """A job and its streams; what ends it and what removes it is handed in."""

    def __init__(
        self,
        wire: Wire,
        means: Means,
        *,
        is_terminal: bool,
        is_alone: bool,
    ) -> None:
        """With `is_alone` the container goes with the job, and so its streams come to an end."""
        self._wire = wire
        self._state, self._kill, self._leave = means
        self._is_alone = is_alone
        self._is_terminal = is_terminal
        self._reading: asyncio.Task[tuple[StreamName, bytes] | None] | None = None
        self._look_seconds = LOOK_SECONDS[0]
        self._ends_soon = False

    async def read(self) -> tuple[StreamName, bytes] | None:
        """What it writes next; None when the stream ends, or when the job has and something holds it open."""
        while True:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            after = REST_SECONDS if self._is_alone else SURVIVOR_SECONDS
            patience = after if self._ends_soon else self._look_seconds
            await asyncio.wait({self._reading}, timeout=patience)
            if self._reading.done():
                reading, self._reading = self._reading, None
                return reading.result()
            if self._ends_soon and self._is_alone:
                raise Ambiguous(f"dockerd has not told all of the output for {REST_SECONDS:g} s")
            if self._ends_soon:
                return None
            self._look_seconds = min(self._look_seconds * 2, LOOK_SECONDS[1])
            self._ends_soon = not (await self._state())["Running"]

    async def _read(self) -> tuple[StreamName, bytes] | None:
        try:
            if self._is_terminal:
                data = await self._wire.reader.read(READ_BYTES)
                return ("stdout", data) if data else None
            head = await self._wire.reader.readexactly(8)
            data = await self._wire.reader.readexactly(int.from_bytes(head[4:], "big"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None  # whether the job has ended or the link, `ended` tells
        return _STREAMS.get(head[0], "stdout"), data

    async def ended(self) -> Ended:
        """How it ended, as dockerd tells it."""
        while (state := await self._state())["Running"]:  # noqa: ASYNC110 - dockerd tells nobody when
            await asyncio.sleep(AGAIN_SECONDS)
        code = int(state.get("ExitCode") or 0)
        if state.get("OOMKilled"):
            return Ended(reason=Reason.OUT_OF_MEMORY, signal=signal.SIGKILL)
        if 128 < code <= 128 + _MOST_SIGNAL:
            return Ended(reason=Reason.SIGNALED, signal=code - 128)
        return Ended(exit_code=code)

    async def kill(self) -> None:
        """End it; what it still writes is taken and thrown away, for dockerd waits until it is."""
        draining = asyncio.create_task(self._drain())
        try:
            await self._kill()
        finally:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)

    async def _drain(self) -> None:
        if self._reading is not None:
            await asyncio.wait({self._reading})
        while await self._read() is not None:
            pass

    async def close(self) -> None:
        await self.leave()
        await self._leave()

    async def leave(self) -> None:
        """Listen no more; the container runs on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._wire.close()


class ContainerInput(Typed):
    """What such a job is given to read."""

    def __init__(
        self,
        wire: Wire,
        resized: Callable[[int, int], Awaitable[Any]],
        *,
        is_terminal: bool,
        stays_open: bool,
    ) -> None:
        super().__init__(is_terminal=is_terminal, stays_open=stays_open)
        self._wire = wire
        self._resized = resized
        self._resizing: asyncio.Task[None] | None = None
        self._waiting = bytearray()  # what is typed after a new size comes after it

    def unread_bytes(self) -> int:
        return len(self._waiting) + self._wire.writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if self._resizing is not None:
            self._waiting += data
        else:
            self._wire.writer.write(data)

    def write_end(self) -> None:
        with contextlib.suppress(OSError):
            self._wire.writer.write_eof()

    def resize(self, columns: int, rows: int) -> None:
        self._resizing = asyncio.create_task(self._resize(self._resizing, columns, rows))

    async def _resize(self, before: "asyncio.Task[None] | None", columns: int, rows: int) -> None:
        if before is not None:
            await before
        try:
            await self._resized(columns, rows)
        except WandError as error:
            log.info("terminal not resized", extra={"error": str(error)})
        finally:
            if self._resizing is asyncio.current_task():
                self._resizing = None
                self._wire.writer.write(bytes(self._waiting))
                self._waiting.clear()


async def resize(engine: Engine, what: str, columns: int, rows: int) -> None:
    """Tell the terminal of a container, or of a command in it, its size."""
    with contextlib.suppress(EngineError):
        await engine.ask("POST", f"{what}/resize", query={"h": str(rows), "w": str(columns)})
