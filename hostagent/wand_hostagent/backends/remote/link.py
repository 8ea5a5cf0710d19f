"""The way to one other host agent: a channel with both certificates, made when it is needed and renewed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc import aio

from wand_proto import wire
from wand_proto.context import Caller, to_metadata
from wand_proto.credentials import Identity
from wand_proto.errors import METADATA_KEY, Ambiguous, Unavailable, WandError, from_wire
from wand_proto.tls import Watched, channel_credentials
from wand_proto.v1 import execution_pb2_grpc, host_pb2_grpc

log = logging.getLogger(__name__)

_OPTIONS = (*wire.CHANNEL, ("grpc.default_authority", wire.HOSTAGENT_NAME))
_BROKEN = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
_NEVER_SENT = ("failed to connect", "connections to all backends failing", "connection refused")


@dataclass(eq=False)
class Open:
    """One channel, made with the certificates of one moment."""

    channel: aio.Channel
    watched: Watched
    users: int = 0
    execution: Any = field(init=False)
    host: Any = field(init=False)

    def __post_init__(self) -> None:
        self.execution = execution_pb2_grpc.ExecutionStub(self.channel)
        self.host = host_pb2_grpc.HostStub(self.channel)


class Link:
    """One host agent, at its address."""

    def __init__(self, name: str, address: str, identity: Identity) -> None:
        self.name = name
        self._address = address
        self._identity = identity
        self._now: Open | None = None
        self._every: set[Open] = set()

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Open]:
        """A channel that stays open while entered, whatever is renewed meanwhile.

        Raises:
            Unavailable: our certificate for it cannot be read, or it cannot be reached: nothing was done.
            Ambiguous: the link broke in the middle.
            WandError: the host agent there says no.
        """
        one = await self._current()
        one.users += 1
        try:
            yield one
        except aio.AioRpcError as error:
            raise self._told(error) from error
        finally:
            one.users -= 1
            if not one.users and one is not self._now:
                await self._close(one)

    async def _current(self) -> Open:
        before = self._now
        if before is None or before.watched.stale():
            try:
                self._now = self._connected()
            except WandError as error:
                if before is None:
                    raise Unavailable(f"{self.name}: {error.message}", hint=error.hint) from error
                log.warning("no new channel yet", extra={"backend": self.name, "why": str(error)})
            if before is not None and before is not self._now and not before.users:
                await self._close(before)
        assert self._now is not None
        return self._now

    def _connected(self) -> Open:
        watched = Watched(self._identity)  # before the files are read: no renewal falls in between
        credentials = channel_credentials(self._identity)
        one = Open(aio.secure_channel(self._address, credentials, options=_OPTIONS), watched)
        self._every.add(one)
        return one

    async def _close(self, one: Open) -> None:
        self._every.discard(one)
        await one.channel.close()

    async def close(self) -> None:
        """Close all that is open."""
        await asyncio.gather(*map(self._close, list(self._every)))

    def _told(self, error: aio.AioRpcError) -> WandError:
        """The error of the family that it means."""
        trailing = tuple(error.trailing_metadata() or ())
        details = error.details() or ""
        if any(key == METADATA_KEY for key, _ in trailing) or error.code() not in _BROKEN:
            said = from_wire(error.code().name, details, trailing)
            said.message = f"{self.name}: {said.message}"
            return said
        if error.code() is grpc.StatusCode.UNAVAILABLE and any(one in details.lower() for one in _NEVER_SENT):
            return Unavailable(f"{self.name} cannot be reached; nothing was done", hint=details[:300])
        return Ambiguous(f"the link to {self.name} broke: {details[:300]}")


def metadata(caller: Caller) -> aio.Metadata:
    """Who asks, for whom we ask."""
    return aio.Metadata(*to_metadata(caller))
