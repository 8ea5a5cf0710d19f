"""Sign-ins that the server has refused, told to the host agent for its ledger: gathered, and bounded."""

import asyncio
import logging
from collections import Counter
from types import TracebackType
from typing import Self

from wand_proto.context import new_request_id
from wand_proto.errors import WandError
from wand_proto.v1 import host_pb2
from wand_server.hostlink.client import HostClient
from wand_server.model import Call, Principal

log = logging.getLogger(__name__)

MOST = 32  # of different ones that are told at one time; the rest are counted together
AGAIN = 15  # times as long it waits where it could not tell
_OTHERS = ("", "more sign-ins were refused than are told one by one")
_ITSELF = Principal(name="wand-server", means="anonymous")


class SignIns:
    """Refused sign-ins on their way; `async with` it."""

    def __init__(self, host: HostClient, *, every_seconds: float = 1.0) -> None:
        """What comes within that time goes together."""
        self._host = host
        self._every_seconds = every_seconds
        self._refused: Counter[tuple[str, str]] = Counter()
        self._some = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._teller = asyncio.create_task(self._tell_all(), name="refused sign-ins")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._teller.cancel()
        await asyncio.gather(self._teller, return_exceptions=True)

    def refused(self, address: str, why: str, times: int = 1) -> None:
        """Have it told that somebody at that address was not let in."""
        known = (address, why)
        self._refused[known if known in self._refused or len(self._refused) < MOST else _OTHERS] += times
        self._some.set()

    async def _tell_all(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(self._every_seconds)
            refused, self._refused = self._refused, Counter()
            self._some.clear()
            if not await self._are_told(refused):
                await asyncio.sleep(AGAIN * self._every_seconds)

    async def _are_told(self, refused: Counter[tuple[str, str]]) -> bool:
        """Tell them; where that fails they are kept, and what cannot be told at all is still counted."""
        try:
            await self._host.tell_refused(_call(), _request(refused))
        except WandError as error:
            told = {"count": refused.total(), "error": str(error)}
            log.warning("refused sign-ins not recorded yet", extra=told)
            self._keep(refused)
        except Exception:
            log.exception("refused sign-ins not told one by one", extra={"count": refused.total()})
            self._keep(Counter({_OTHERS: refused.total()}))
        else:
            return True
        return False

    def _keep(self, refused: Counter[tuple[str, str]]) -> None:
        """Have them told with those that come."""
        for (address, why), times in refused.items():
            self.refused(address, why, times)


def _call() -> Call:
    return Call(principal=_ITSELF, request_id=new_request_id())


def _request(refused: Counter[tuple[str, str]]) -> host_pb2.SignInsRefusedRequest:
    each = (
        host_pb2.SignInRefused(address=address, why=why, times=times)
        for (address, why), times in refused.items()
    )
    return host_pb2.SignInsRefusedRequest(refused=each)
