"""The administrator's socket of the server: shows the configuration, sets it, has it read again.

Root and the server's own user are listened to, and nobody else.
"""

import dataclasses
import os
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wand_proto import desk
from wand_proto.errors import Invalid
from wand_server.runtime.runtime import Runtime

_ASK_SECONDS = 30.0
_DOES = ("show", "set", "unset", "reload")


@dataclass(frozen=True, slots=True)
class Control:
    """What an administrator can have done."""

    runtime: Runtime
    uids: Collection[int] = dataclasses.field(default_factory=lambda: frozenset({0, os.geteuid()}))

    def open(self, path: Path) -> AbstractAsyncContextManager[None]:
        """Listen at the path while entered.

        Raises:
            Conflict: another server listens there, or what is there is no socket.
            OSError: no socket can be made there.
        """
        who = "root and the server's own user"
        spoken_to = desk.Desk(do=self._do, uids=self.uids, who=who, seconds=_ASK_SECONDS)
        return spoken_to.open(path, "set control.socket")

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
