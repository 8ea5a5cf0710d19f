"""An administrator's socket: one line of JSON asks, one answers, and the kernel says who asks."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_proto import unixsocket
from wand_proto.errors import Broken, Denied, Invalid, Unavailable, WandError, named

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024  # of a question
_MOST_ANSWER_BYTES = 8 * 1024 * 1024
_STOP_SECONDS = 1.0  # for answers under way when it closes
Do = Callable[[dict[str, Any], str], Awaitable[dict[str, Any]]]
"""Answer a question of that user; raises WandError where the answer is no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Whom it listens to, and what it does for them."""

    do: Do
    uids: Collection[int]
    who: str  # may ask, in words
    seconds: float  # in which a question is answered, or not at all
    refused: Callable[[int], None] = lambda _: None  # hears which user was not listened to

    @contextlib.asynccontextmanager
    async def open(self, path: Path, hint: str) -> AsyncIterator[None]:
        """Listen at the path until left; `hint` says how to name another.

        Raises:
            Conflict: somebody else listens there, or what is there is no socket.
            OSError: no socket can be made there.
        """
        listening, inode = await asyncio.to_thread(unixsocket.bound, path, 0o600, backlog=8, hint=hint)
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
            await asyncio.to_thread(unixsocket.remove, path, inode)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self.seconds):
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
            return await self.do(await _read(reader), by)
        except WandError as why:
            told = {"message": why.message, "hint": why.hint, "field": why.field}
            return {"error": type(why).__name__, **told}
        except Exception:
            log.exception("desk failed")
            message = "the process that was asked failed; its log says why"
            return {"error": Broken.__name__, "message": message, "hint": "", "field": ""}

    def _admitted(self, link: socket.socket) -> str:
        pid, uid = unixsocket.peer_of(link)
        if uid not in self.uids:
            log.warning("stranger at the desk", extra={"uid": uid, "pid": pid})
            self.refused(uid)
            raise Denied(f"only {self.who} may ask here", hint="say it as root")
        return unixsocket.user(uid)


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        asked = json.loads(await reader.readline())
    except ValueError as error:
        raise Invalid(f"must be one line of JSON, at most {MOST_BYTES} bytes") from error
    if not isinstance(asked, dict):
        raise Invalid("must be an object")
    return asked


def ask(path: Path, question: Mapping[str, Any], *, seconds: float, hint: str) -> dict[str, Any]:
    """What is answered at such a socket within that time; `hint` says what may be wrong where nobody answers.

    Raises:
        Unavailable: nobody listens there, or we may not connect.
        WandError: the answer is no.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(seconds)
            link.connect(str(path))
            with contextlib.suppress(BrokenPipeError):  # it has answered already: that we may not ask
                link.sendall(json.dumps(question).encode() + b"\n")
            with link.makefile("rb") as replies:
                answer = json.loads(replies.readline(_MOST_ANSWER_BYTES))
    except (OSError, ValueError) as error:
        raise Unavailable(f"no answer at {path}: {error}", hint=hint) from error
    if "error" in answer:
        raise named(answer["error"], answer["message"], hint=answer["hint"], field=answer["field"])
    return dict(answer)
