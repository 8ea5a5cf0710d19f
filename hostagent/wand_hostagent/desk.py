"""The administrator's socket: answers what waits for a person, has the policy read again, moves new jobs.

It is no part of the link: no server and no agent can reach it. The kernel says who is at the other end, and
nobody but root is listened to (with `development`, our own user too). One line of JSON asks, one answers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wand_hostagent import approvals
from wand_hostagent.approvals import Approvals
from wand_hostagent.service.listen import check_free
from wand_hostagent.switching import Switch
from wand_proto import desk, unixsocket
from wand_proto.errors import Denied, Invalid

_ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """What an administrator can have done."""

    approvals: Approvals
    reload: Callable[[str], Awaitable[str]]  # who asks; the digest of the policy that was read
    switch: Switch
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
        spoken_to = desk.Desk(
            do=self._do, uids=self.uids, who="root", seconds=_ASK_SECONDS, refused=self._refused
        )
        async with AsyncExitStack() as opened:
            try:
                await opened.enter_async_context(spoken_to.open(path, "set control_socket"))
            except OSError as error:
                raise Denied(f"no socket can be made at {path}: {error.strerror}") from error
            yield

    def _refused(self, uid: int) -> None:
        why = f"user {unixsocket.user(uid)} may not use the administrator's socket"
        self.note("sign_in_refused", {"by": "desk", "why": why})

    async def _do(self, untrusted: dict[str, Any], by: str) -> dict[str, Any]:
        if not all(isinstance(one, str) for one in untrusted.values()):
            raise Invalid("must be an object with text in it")
        asked = {"do": "", "id": "", **untrusted}
        match asked["do"]:
            case "list":
                return {"approvals": [approvals.told(one) for one in await self.approvals.all()]}
            case "show":
                return {"approvals": [approvals.told(await self.approvals.get(asked["id"]))]}
            case "yes" | "no":
                answered = await self.approvals.answer(asked["id"], yes=asked["do"] == "yes", by=by)
                return {"approvals": [approvals.told(answered)]}
            case "backends":
                return {"backends": [asdict(one) for one in await self.switch.report()]}
            case "default":
                await self.switch.to(asked["id"], by)
                return {"default": self.switch.backends.default}
            case "reload":
                return {"policy": await self.reload(by)}
        raise Invalid(
            f"is {asked['do']!r}; there are: list, show, yes, no, backends, default, reload", field="do"
        )
