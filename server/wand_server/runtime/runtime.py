"""The configuration of a running server: shown, and changed as a whole or not at all, on record."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wand_proto.errors import Conflict, Invalid, WandError
from wand_server import settings
from wand_server.runtime import changes
from wand_server.runtime.changes import Configuration
from wand_server.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that is about to be made, as it is recorded."""

    by: str
    before: str  # digests
    after: str
    changed: tuple[str, ...]


Record = Callable[[Change], Awaitable[None]]
"""Have a change on record before it is made; raises WandError where that cannot be."""


class Parts(Protocol):
    """The parts of the server that take up settings while they run."""

    def read(self, wanted: Settings) -> Mapping[str, str]:
        """Make sure that they can take those settings up; who has keys.

        Raises:
            WandError: they cannot; nothing has changed.
        """
        ...

    def apply(self, wanted: Settings) -> None:
        """Take them up; it cannot fail."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change came to."""

    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]  # differ in the file, and hold after a restart
    digest: str


class Runtime:
    """What holds now, and the way to change it."""

    def __init__(
        self,
        source: tuple[Path, Mapping[str, str]],
        read: Settings,
        parts: Parts,
        record: Record,
    ) -> None:
        """`source` is the settings file, and the environment."""
        self._path, self._environment = source
        self._parts = parts
        self._record = record
        self._said: Mapping[str, str] = {}
        self._now = Configuration(settings=read, keys=_keys(parts, read))
        self._one_at_a_time = asyncio.Lock()

    @property
    def now(self) -> Settings:
        """The settings that hold."""
        return self._now.settings

    async def reload(self, by: str) -> Outcome:
        """Read the file and the keys again; what an administrator has set still stands over them.

        Raises:
            WandError: something cannot be read, or the change not be recorded; nothing has changed.
        """
        async with self._one_at_a_time:
            return await self._change(by, self._said)

    async def set(self, by: str, said: Mapping[str, str]) -> Outcome:
        """Set those settings, by their dotted names, until they are unset or the server stops.

        Raises:
            Conflict: one needs a restart.
            WandError: a value is wrong, or the change cannot be recorded; nothing has changed.
        """
        self._need_live(said)
        async with self._one_at_a_time:
            return await self._change(by, {**self._said, **said})

    async def unset(self, by: str, names: list[str]) -> Outcome:
        """Let the file say again what those settings are.

        Raises:
            Invalid: one was not set here.
        """
        async with self._one_at_a_time:
            for name in names:
                if name not in self._said:
                    known = ", ".join(self._said) or "none is"
                    raise Invalid("was not set by an administrator", field=name, hint=f"set are: {known}")
            left = {name: value for name, value in self._said.items() if name not in names}
            return await self._change(by, left)

    def show(self) -> dict[str, Any]:
        """Every setting that holds: its value, who says so, and whether it can be changed now."""
        over = settings.set_by(self._environment)
        return {
            "digest": self._now.digest,
            "keys": sorted(self._now.keys),
            "settings": {
                name: {
                    "value": changes.shown(name, value),
                    "from": "set" if name in self._said else over.get(name, "file or default"),
                    "live": name in changes.LIVE,
                }
                for name, value in changes.values(self.now).items()
            },
        }

    async def _change(self, by: str, said: Mapping[str, str]) -> Outcome:
        wanted = settings.load(self._path, self._environment, said)
        held = changes.merged(self.now, wanted)
        after = Configuration(settings=held, keys=self._parts.read(held))
        told = changes.told(self._now, after)
        if told:
            before = self._now.digest
            await self._record(Change(by=by, before=before, after=after.digest, changed=told))
            self._parts.apply(held)
            log.warning("configuration changed", extra={"by": by, "changed": told, "digest": after.digest})
        self._now, self._said = after, said
        return Outcome(changed=told, needs_restart=changes.waiting(held, wanted), digest=after.digest)

    def _need_live(self, said: Mapping[str, str]) -> None:
        for name in said:
            settings.place_of(name)
        if fixed := sorted(said.keys() - changes.LIVE):
            hint = f"write it into {self._path} and start the server again"
            raise Conflict(f"{', '.join(fixed)} needs a restart", hint=hint)


def _keys(parts: Parts, read: Settings) -> Mapping[str, str]:
    """Who has keys when the server starts; nobody where that cannot be told."""
    try:
        return parts.read(read)
    except WandError:
        return {}
