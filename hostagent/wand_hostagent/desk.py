"""The administrator's socket: answers what waits for a person, and has the policy read again.

It is no part of the link: no server and no agent can reach it. The kernel says who is at the other end, and
nobody but root is listened to (with `development`, our own user too). One line of JSON asks, one answers.
"""

import asyncio
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_hostagent import approvals
from wand_hostagent.approvals import Approvals
from wand_hostagent.service.listen import check_free, remove_sockets
from wand_proto.errors import Broken, Denied, Invalid, WandError

log = logging.getLogger(__name__)

MOST_BYTES = 64 * 1024
_ASK_SECONDS = 10.0
_PEER = struct.Struct("3i")  # struct ucred, unix(7): pid, uid, gid


@dataclass(frozen=True, slots=True)
class Desk:
    """What an administrator can have done."""

    approvals: Approvals
    reload: Callable[[str], Awaitable[str]]  # who asks; the digest of the policy that was read
    uids: Collection[int]
    note: Callable[[str, Mapping[str, Any]], None] = lambda *_: None  # what is not waited for, for the ledger

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Listen at the path until left.

        Raises:
            Conflict: somebody else listens there.
            Denied, NotFound: no socket can be made there.
        """
        check_free(path)
        server = await asyncio.start_unix_server(self._serve, sock=_bound(path), limit=MOST_BYTES)
        try:
            yield
        finally:
            server.close()
            await server.wait_closed()
            remove_sockets([f"unix:{path}"])

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
            with suppress(OSError):
                await writer.wait_closed()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            uid = self._admitted(writer.get_extra_info("socket"))
            return await self._do(_read(await reader.readline()), _name(uid))
        except WandError as error:
            return {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        except Exception:
            log.exception("desk failed")
            return {
                "error": Broken.__name__,
                "message": "the host agent failed; its log says why",
                "hint": "",
            }

    def _admitted(self, link: socket.socket) -> int:
        """The user at the other end, by the kernel's word."""
        pid, uid, _ = _PEER.unpack(link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in self.uids:
            log.warning("stranger at the desk", extra={"uid": uid, "pid": pid})
            why = f"user {_name(uid)} may not use the administrator's socket"
            self.note("sign_in_refused", {"by": "desk", "why": why})
            raise Denied("only root may ask here", hint="say it as root")
        return int(uid)

    async def _do(self, asked: dict[str, str], by: str) -> dict[str, Any]:
        match asked["do"]:
            case "list":
                return {"approvals": [approvals.told(one) for one in await self.approvals.all()]}
            case "show":
                return {"approvals": [approvals.told(await self.approvals.get(asked["id"]))]}
            case "yes" | "no":
                answered = await self.approvals.answer(asked["id"], yes=asked["do"] == "yes", by=by)
                return {"approvals": [approvals.told(answered)]}
            case "reload":
                return {"policy": await self.reload(by)}
        raise Invalid(f"is {asked['do']!r}; there are: list, show, yes, no, reload", field="do")


def _read(untrusted: bytes) -> dict[str, str]:
    try:
        asked = json.loads(untrusted)
    except ValueError as error:
        raise Invalid("must be one line of JSON") from error
    if not isinstance(asked, dict) or not all(isinstance(one, str) for one in asked.values()):
        raise Invalid("must be an object with text in it")
    return {"do": "", "id": "", **asked}


def _name(uid: int) -> str:
    """Who a user is, by number and, where there is one, by name."""
    try:
        return f"{uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return str(uid)


def _bound(path: Path) -> socket.socket:
    """A socket for us and root alone, from its first moment on."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise Denied(f"no socket can be made at {path}: {error.strerror}") from error
    finally:
        os.umask(before)
    return listening
