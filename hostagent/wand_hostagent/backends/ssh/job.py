"""One command on a host, on a session of its own."""

import asyncio
import signal as signals
from typing import Any

import asyncssh

from wand_hostagent.backends.course import Ended, Source, StreamName, Typed
from wand_hostagent.backends.ssh import script
from wand_hostagent.backends.ssh.link import Link, Process
from wand_hostagent.model import Reason
from wand_proto.errors import Ambiguous, Broken, Denied, NotFound, WandError

READ_BYTES = 64 * 1024
LOOK_SECONDS = 0.25
SURVIVOR_SECONDS = 0.2
MARK_SECONDS = 30.0  # in which a login shell has to come to the command
MOST_NOISE = 64 * 1024  # that it may write until then
_LINK_ERRORS = (asyncssh.Error, OSError)


class SshJob(Source):
    """A job of which the host has said that it begins."""

    def __init__(self, job: str, link: Link, process: Process, first: bytes, *, is_terminal: bool) -> None:
        self._job = job
        self._link = link
        self._process = process
        self._streams: dict[StreamName, Any] = {"stdout": process.stdout}
        if not is_terminal:
            self._streams["stderr"] = process.stderr
        self._first: list[tuple[StreamName, bytes]] = []
        if first:
            self._first.append(("stdout" if is_terminal else "stderr", first))
        self._reading: dict[StreamName, asyncio.Task[bytes]] = {}

    async def read(self) -> tuple[StreamName, bytes] | None:
        """What it writes next; None at the end, or when it has ended and something holds its streams open."""
        if self._first:
            return self._first.pop()
        while self._streams:
            for stream, reader in self._streams.items():
                if stream not in self._reading:
                    self._reading[stream] = asyncio.create_task(reader.read(READ_BYTES))
            patience = SURVIVOR_SECONDS if self._has_ended() else LOOK_SECONDS
            done, _ = await asyncio.wait(
                self._reading.values(), timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            if not done and patience == SURVIVOR_SECONDS:
                return None
            if part := self._part():
                return part
        return None

    def _part(self) -> tuple[StreamName, bytes] | None:
        for stream, reading in list(self._reading.items()):
            if not reading.done():
                continue
            del self._reading[stream]
            try:
                data = reading.result()
            except _LINK_ERRORS:
                data = b""  # `ended` tells whether the job ended first
            if data:
                return stream, data
            del self._streams[stream]
        return None

    def _has_ended(self) -> bool:
        return self._process.exit_status is not None or self._process.exit_signal is not None

    async def ended(self) -> Ended:
        """How it ended, as the host has told."""
        await _settled(self._process)
        if not self._has_ended():
            raise Ambiguous(f"the link to {self._link.name} broke before it told how the job ended")
        if self._process.exit_signal is not None:
            name = str(self._process.exit_signal[0])
            number = getattr(signals, f"SIG{name}", signals.SIGKILL)
            return Ended(reason=Reason.SIGNALED, signal=int(number))
        return Ended(exit_code=int(self._process.exit_status))

    async def kill(self) -> None:
        if await run(self._link, script.end([self._job])) != 0:
            raise Ambiguous(f"not all processes of {self._job} could be ended on {self._link.name}")

    async def close(self) -> None:
        for reading in self._reading.values():
            reading.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        self._process.close()
        self._link.done(self._process)


class SshInput(Typed):
    """What such a job is given to read."""

    def __init__(self, process: Process, *, is_terminal: bool, stays_open: bool) -> None:
        super().__init__(is_terminal=is_terminal, stays_open=stays_open)
        self._process = process

    def unread_bytes(self) -> int:
        return int(self._process.channel.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        if not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    def write_end(self) -> None:
        if not self._process.stdin.is_closing():
            self._process.stdin.write_eof()

    def resize(self, columns: int, rows: int) -> None:
        self._process.change_terminal_size(columns, rows)


async def run(link: Link, command: str) -> int:
    """The exit code of a short command of ours; Ambiguous where the link broke."""
    process = await link.begin(command)
    try:
        process.stdin.write_eof()
        async with asyncio.timeout(15.0):
            await process.wait_closed()
    except (*_LINK_ERRORS, TimeoutError) as error:
        raise Ambiguous(f"the link to {link.name} broke: {error}") from error
    finally:
        process.close()
        link.done(process)
    if process.exit_status is None:
        raise Ambiguous(f"the link to {link.name} broke")
    return int(process.exit_status)


async def until_it_begins(link: Link, process: Process, nonce: str, *, is_terminal: bool) -> bytes:
    """Wait until the host says so; what the job wrote right behind that.

    Raises:
        NotFound: there is no such folder.
        Denied: the login shell does not run commands.
        Ambiguous: the link broke before.
    """
    reader = process.stdout if is_terminal else process.stderr
    said = b""
    mark = f"{nonce} ".encode()
    try:
        async with asyncio.timeout(MARK_SECONDS):
            while mark not in said or b"\n" not in said.partition(mark)[2]:
                part = await reader.read(READ_BYTES)
                if not part or len(said) > MOST_NOISE:
                    raise await _never_began(link, process, said)
                said += part
    except (*_LINK_ERRORS, TimeoutError) as error:
        raise Ambiguous(f"the link to {link.name} broke before the command began: {error}") from error
    word, _, rest = said.partition(mark)[2].partition(b"\n")
    if word.strip() == b"folder":
        raise NotFound(f"there is no such folder on {link.name}", field="directory")
    return rest


async def _never_began(link: Link, process: Process, said: bytes) -> WandError:
    shown = said[-500:].decode(errors="replace").strip()
    if len(said) > MOST_NOISE:
        return Broken(f"the login shell of {link.name} writes without end before a command: {shown!r}")
    await _settled(process)
    if process.exit_status is None and process.exit_signal is None:
        return Ambiguous(f"the link to {link.name} broke before the command began")
    return Denied(f"the login shell of {link.name} does not run commands: {shown!r}")


async def _settled(process: Process) -> None:
    """Wait until the host has told how it ended, or the session is closed without that."""
    closed = asyncio.ensure_future(process.wait_closed())
    try:
        while process.exit_status is None and process.exit_signal is None and not closed.done():
            await asyncio.wait({closed}, timeout=LOOK_SECONDS)
    finally:
        closed.cancel()
        await asyncio.gather(closed, return_exceptions=True)
