"""Artifacts in a folder: each content once, named by its digest; beside it who has it, and until when.

Several processes may use the folder: what changes it holds its lock. A content is on disk before anybody is
said to have it, and goes once nobody has it any more.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wand_proto.errors import Broken, Exhausted, NotFound, Unavailable
from wand_server.memory import atomic
from wand_server.memory.grants import DIGEST, Grant, Grants
from wand_server.ports import EVERYONE, Artifact, ArtifactPart, NewArtifact

_SWEEP_SECONDS = 300.0  # between two looks for what has expired
_PATIENCE_SECONDS = 10.0  # with another process that changes the folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How much is kept, in bytes, and for how long."""

    in_all: int
    of_one: int  # owner
    each: int
    seconds: float


class ArtifactFolder:
    """Offers `ports.Artifacts`."""

    def __init__(self, folder: Path, quotas: Quotas, clock: Callable[[], float] = time.time) -> None:
        """Makes the folder when something is first kept in it."""
        self._folder = folder
        self._objects = folder / "objects"
        self._grants = Grants(folder / "owners")
        self._quotas = quotas
        self._clock = clock
        self._swept = float("-inf")
        self._used = 0  # bytes of all contents, as of the last look and with what we wrote since
        self._turn = asyncio.Lock()

    async def keep(self, owner: str, new: NewArtifact) -> Artifact:
        async with self._turn:
            return await asyncio.to_thread(self._keep, owner, new)

    async def find(self, owner: str, digest: str) -> Artifact:
        return (await asyncio.to_thread(self._found, owner, digest)).artifact

    async def read(self, owner: str, digest: str, part: tuple[int, int]) -> ArtifactPart:
        return await asyncio.to_thread(self._read, owner, digest, part)

    async def listed(self, owner: str) -> tuple[Artifact, ...]:
        grants = await asyncio.to_thread(self._grants.of, owner)
        mine = [one.artifact for one in grants.values() if one.artifact.expires > self._clock()]
        return tuple(sorted(mine, key=lambda one: (-one.made, one.digest)))

    async def share(self, owner: str, digest: str, reader: str) -> Artifact:
        async with self._turn:
            return await asyncio.to_thread(self._share, owner, digest, reader)

    async def remove(self, owner: str, digest: str) -> None:
        async with self._turn:
            await asyncio.to_thread(self._remove, owner, digest)

    def grants(self) -> tuple[Grant, ...]:
        """All that anybody has, for an administrator; not within an event loop."""
        return tuple(one for one in self._grants.all() if one.artifact.expires > self._clock())

    # -- what runs in a thread -----------------------------------------------------------------------------

    def _keep(self, owner: str, new: NewArtifact) -> Artifact:
        size, limits = len(new.data), self._quotas
        if size > min(limits.each, limits.of_one, limits.in_all):
            most = min(limits.each, limits.of_one, limits.in_all)
            raise Exhausted(f"{size:,} bytes are too many to keep", hint=f"at most {most:,} are kept of one")
        with self._locked():
            self._sweep_sometimes()
            digest = hashlib.sha256(new.data).hexdigest()
            self._make_room(owner, digest, size)
            now = self._clock()
            made = Artifact(
                digest=digest, name=new.name, mime_type=new.mime_type, total_bytes=size,
                made=now, expires=now + limits.seconds,
            )  # fmt: skip
            self._write(digest, new.data)
            self._grants.put(Grant(owner, made))
            return made

    def _make_room(self, owner: str, digest: str, size: int) -> None:
        """Let the owner's oldest go until there is room among what is theirs, and in all.

        Raises:
            Exhausted: there is none, whatever of theirs goes.
        """
        own = [one for one in self._grants.of(owner).values() if not one.artifact.shared_by]
        own = sorted((one for one in own if one.artifact.digest != digest), key=lambda one: one.artifact.made)
        while own and sum(one.artifact.total_bytes for one in own) + size > self._quotas.of_one:
            self._take_back(own.pop(0))
        if self._path(digest).exists() or self._used + size <= self._quotas.in_all:
            return
        self._sweep()
        while own and self._used + size > self._quotas.in_all:
            self._take_back(own.pop(0))
            self._sweep()
        if self._used + size > self._quotas.in_all:
            raise Exhausted("no room is left for files", hint="an administrator sets artifacts.most_bytes")

    def _write(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        with contextlib.suppress(OSError):
            if path.stat().st_size == len(data):
                return
        for folder in (self._objects, path.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        atomic.write(path, data)
        self._used += len(data)

    def _found(self, owner: str, digest: str) -> Grant:
        if DIGEST.fullmatch(digest):
            for whose in (owner, EVERYONE):
                grant = self._grants.of(whose).get(digest)
                if grant is not None and grant.artifact.expires > self._clock():
                    return grant
        raise NotFound(
            "you have no such file, or no longer",
            hint="the resource wand://artifacts lists them",
            field="uri",
        )

    def _read(self, owner: str, digest: str, part: tuple[int, int]) -> ArtifactPart:
        artifact = self._found(owner, digest).artifact
        offset, most = part
        try:
            descriptor = os.open(self._path(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as why:
            raise Broken(f"the file of {artifact.uri} is gone: {why.strerror}") from why
        try:
            if os.fstat(descriptor).st_size != artifact.total_bytes:
                raise Broken(f"the file of {artifact.uri} is not as it was written")
            data = os.pread(descriptor, max(0, most), offset)
        finally:
            os.close(descriptor)
        if len(data) == artifact.total_bytes and hashlib.sha256(data).hexdigest() != digest:
            raise Broken(f"the file of {artifact.uri} is not as it was written")
        return ArtifactPart(artifact=artifact, data=data, offset=offset)

    def _share(self, owner: str, digest: str, reader: str) -> Artifact:
        with self._locked():
            grant = self._found(owner, digest)
            if grant.owner != owner or grant.artifact.shared_by:
                raise NotFound("it is not yours to share", field="digest")
            shared = replace(grant.artifact, shared_by=owner)
            if digest not in self._grants.of(reader):
                self._grants.put(Grant(reader, shared))
            return shared

    def _remove(self, owner: str, digest: str) -> None:
        with self._locked():
            grant = self._grants.of(owner).get(digest)
            if grant is None:
                raise NotFound("you have no such file", field="digest")
            self._take_back(grant)
            self._sweep()

    def _take_back(self, grant: Grant) -> None:
        """One that somebody has, and all by which they let others read it."""
        self._grants.remove(grant)
        if not grant.artifact.shared_by:
            same = grant.artifact.digest
            lent = [one for one in self._grants.all() if one.artifact.digest == same]
            for one in lent:
                if one.artifact.shared_by == grant.owner:
                    self._grants.remove(one)

    def _sweep_sometimes(self) -> None:
        if time.monotonic() - self._swept > _SWEEP_SECONDS:
            self._sweep()

    def _sweep(self) -> None:
        """Let go what has expired, what nobody has, and what was never finished; count the rest."""
        now, kept = self._clock(), set[str]()
        for grant in list(self._grants.all()):
            if grant.artifact.expires > now:
                kept.add(grant.artifact.digest)
            else:
                self._grants.remove(grant)
        self._used = 0
        for path in self._objects.glob("*/*"):
            if path.name in kept:
                self._used += path.stat().st_size
            else:
                path.unlink(missing_ok=True)
        for path in (
            *self._objects.glob(f"*/{atomic.PREFIX}*"),
            *self._folder.glob(f"owners/*/{atomic.PREFIX}*"),
        ):
            path.unlink(missing_ok=True)
        self._swept = time.monotonic()

    def _path(self, digest: str) -> Path:
        return self._objects / digest[:2] / digest

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Change the folder, alone among all processes.

        Raises:
            Unavailable: it cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(
                self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                _wait_for(lock)
                yield
            finally:
                os.close(lock)
        except OSError as why:
            raise Unavailable(f"{self._folder} cannot be written: {why.strerror}") from why


def _wait_for(lock: int) -> None:
    """Have the lock; another process has it for moments, unless it was stopped with it.

    Raises:
        BlockingIOError: it has it too long.
    """
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.005)  # in a thread of its own
        else:
            return
