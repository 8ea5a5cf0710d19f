"""The administrator's socket of the server: shows the configuration, sets it, has it read again.

The kernel says who is at the other end (unix(7), SO_PEERCRED): root or the server's own user, nobody
else. One line of JSON asks, one answers.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_proto.errors import Broken, Conflict, Denied, Invalid, WandError
from wand_server.runtime.runtime import Runtime

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
_ASK_SECONDS = 30.0
_STOP_SECONDS = 1.0  # for answers under way when the server stops
_PEER = struct.Struct("3i")  # struct ucred: pid, uid, gid
_DOES = ("show", "set", "unset", "reload")


@dataclass(frozen=True, slots=True)
class Control:
    """What an administrator can have done."""

    runtime: Runtime
    uids: Collection[int] = dataclasses.field(default_factory=lambda: frozenset({0, os.geteuid()}))

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Listen at the path until left.

        Raises:
            Conflict: another server listens there, or what is there is no socket.
            OSError: no socket can be made there.
        """
        listening, inode = await asyncio.to_thread(_bound, path)
        serving: set[asyncio.Task[None]] = set()

        def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer), name="administrator")
            serving.add(task)
            task.add_done_callback(serving.discard)

        server = await asyncio.start_unix_server(welcome, sock=listening, limit=MOST_BYTES)
        try:
            yield
        finally:
            server.close()
            if serving:
                await asyncio.wait(serving, timeout=_STOP_SECONDS)
            await asyncio.to_thread(_remove_own, path, inode)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                answer = await self._answered(reader, writer)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            log.warning("administrator not answered")
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            by = self._admitted(writer.get_extra_info("socket"))
            return await self._do(await _read(reader), by)
        except WandError as why:
            told = {"message": why.message, "hint": why.hint, "field": why.field}
            return {"error": type(why).__name__, **told}
        except Exception:
            log.exception("control failed")
            message = "the server failed; its log says why"
            return {"error": Broken.__name__, "message": message, "hint": "", "field": ""}

    def _admitted(self, link: socket.socket) -> str:
        """The user at the other end, by number and name."""
        pid, uid, _ = _PEER.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in self.uids:
            log.warning("stranger at the control socket", extra={"uid": uid, "pid": pid})
            raise Denied("only root and the server's own user may ask here", hint="say it as root")
        with contextlib.suppress(KeyError):
            return f"{uid} ({pwd.getpwuid(uid).pw_name})"
        return str(uid)

    async def _do(self, asked: dict[str, Any], by: str) -> dict[str, Any]:
        match asked:
            case {"do": "show"}:
                return self.runtime.show()
            case {"do": "reload"}:
                return dataclasses.asdict(await self.runtime.reload(by))
            case {"do": "set", "settings": dict(said)} if all(isinstance(one, str) for one in said.values()):
                return dataclasses.asdict(await self.runtime.set(by, said))
            case {"do": "unset", "names": list(names)} if all(isinstance(one, str) for one in names):
                return dataclasses.asdict(await self.runtime.unset(by, names))
        raise Invalid(f"is {asked.get('do')!r:.80}; there are: {', '.join(_DOES)}", field="do")


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        asked = json.loads(await reader.readline())
    except ValueError as error:
        raise Invalid(f"must be one line of JSON, at most {MOST_BYTES} bytes") from error
    if not isinstance(asked, dict):
        raise Invalid("must be an object")
    return asked


def _bound(path: Path) -> tuple[socket.socket, int]:
    """A listening socket for us and root alone, in the place of one that nobody listens on; its inode."""
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listening.bind(str(path))
        path.chmod(0o600)  # before listen: until then nobody can connect
        listening.listen(8)
    except BaseException:
        listening.close()
        raise
    return listening, path.stat().st_ino


def _remove_own(path: Path, inode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()


def _remove_stale(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise Conflict(f"{path} exists and is no socket", hint="name another as control.socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise Conflict(f"another server listens on {path}", hint="stop it, or set control.socket")
