"""The caller's workspace, for an operation that sends a file from there or keeps an answer there.

The host agent reads and writes, and decides by its policy as it does for the file tools.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from wand_proto.errors import Denied, Invalid, Unavailable
from wand_server import ports, scopes
from wand_server.integrations.kit.consent import Consents, InMemory
from wand_server.model import Call

MOST_BYTES = 16 * 1024 * 1024  # of a file that is sent
_PIECE_BYTES = 1024 * 1024
NOBODY = Consents("", InMemory())


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """What the call that runs may reach on the host, and who calls."""

    host: ports.Host
    call: Call
    may_change: bool = False
    instance: str = ""  # that is called
    consents: Consents = NOBODY
    cache: ports.Cache | None = None  # where answers are kept for whoever calls

    async def read(self, path: str, field: str, most_bytes: int = MOST_BYTES) -> bytes:
        """A file, whole.

        Raises:
            Invalid: it is too large; names the argument.
            WandError: the host agent refuses, or there is no such file.
        """
        self._check(scopes.READ, "read_file", field)
        data = bytearray()
        while True:
            part = await self.host.read_file(
                self.call, ports.Reading(path=path, offset=len(data), max_bytes=_PIECE_BYTES)
            )
            if part.total_bytes > most_bytes:
                said = f"must have at most {most_bytes // 1024 // 1024} MiB, not {part.total_bytes} bytes"
                raise Invalid(said, field=field)
            data += part.data
            if len(data) >= part.total_bytes or not part.data:
                return bytes(data)

    async def write(self, path: str, data: bytes, field: str) -> str:
        """Make a file of that, which must not be there yet; its path.

        Raises:
            Denied: the call may change nothing.
            WandError: the host agent refuses, or there is such a file.
        """
        if not self.may_change:
            raise Denied("writes a file", hint="call it with call_operation_write", field=field)
        self._check(scopes.WRITE, "write_file", field)
        written = await self._put(path, data[:_PIECE_BYTES], first=True)
        for begin in range(_PIECE_BYTES, len(data), _PIECE_BYTES):
            await self._put(written.path, data[begin : begin + _PIECE_BYTES], first=False)
        return written.path

    async def _put(self, path: str, piece: bytes, *, first: bool) -> ports.FileWritten:
        writing = ports.Writing(path=path, content=piece, mode="create" if first else "append")
        return await self.host.write_file(self.call, writing)

    def _check(self, scope: str, tool: str, field: str) -> None:
        granted = self.call.principal.scopes
        if not scopes.opens(granted, scope, tool):
            raise scopes.InsufficientScope(field, scope, granted)


_NOW: ContextVar[Workspace] = ContextVar("workspace")


@contextmanager
def given(workspace: Workspace) -> Iterator[None]:
    """Within, `current` is that one."""
    token = _NOW.set(workspace)
    try:
        yield
    finally:
        _NOW.reset(token)


def keeping(area: str) -> tuple[ports.Cache, ports.Shelf] | None:
    """Where answers are kept for whoever calls; None where no call runs, or nothing is kept."""
    here = _NOW.get(None)
    if here is None or here.cache is None:
        return None
    return here.cache, ports.Shelf(area, here.call.principal.owner)


def current() -> Workspace:
    """That of the call which runs.

    Raises:
        Unavailable: none runs: a service is only checked, for example.
    """
    try:
        return _NOW.get()
    except LookupError as none:
        raise Unavailable("there is no workspace here") from none
