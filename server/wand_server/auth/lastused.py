"""When each key was last used, to the hour, in a small file: for whoever wonders which can go."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

HOUR_SECONDS = 3600
_WRITE_SECONDS = 60.0
_MOST_BYTES = 1024 * 1024


class LastUsed:
    """Remembers in memory, and writes at most once a minute while entered, where something has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hours: dict[str, int] = {}
        self._changed = False

    async def __aenter__(self) -> Self:
        self._hours = await asyncio.to_thread(read, self._path)
        self._writer = asyncio.create_task(self._write_again(), name="last used keys")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._write()

    def note(self, credential: str, now: float) -> None:
        """That a key was used at that time of the Unix clock."""
        hour = int(now // HOUR_SECONDS)
        if self._hours.get(credential) != hour:
            self._hours[credential] = hour
            self._changed = True

    async def _write_again(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            await asyncio.to_thread(self._write)

    def _write(self) -> None:
        if not self._changed:
            return
        self._changed = False
        beside = self._path.with_name(f".{self._path.name}.new")
        try:
            beside.write_text(json.dumps(self._hours.copy()))
            beside.replace(self._path)
        except OSError as why:
            told = {"path": str(self._path), "why": os.strerror(why.errno or 0)}
            log.warning("last use of keys not kept", extra=told)


def read(path: Path) -> dict[str, int]:
    """For each key's id the hour of the Unix clock; nothing where the file makes no sense."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError):
        return {}
    whole = found if isinstance(found, dict) else {}
    return {key: hour for key, hour in whole.items() if type(hour) is int}


def place(keys_file: Path, environment: Mapping[str, str]) -> Path:
    """Where it is kept: in the server's own folder where systemd gives it one, else beside the keys."""
    folder = environment.get("STATE_DIRECTORY", "")
    name = f"{keys_file.name}.used"
    return Path(folder) / name if folder else keys_file.with_name(name)


def told(hour: int | None) -> str:
    """The hour as a person reads it."""
    if hour is None:
        return "never"
    return time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(hour * HOUR_SECONDS))
