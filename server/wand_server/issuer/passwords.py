"""Passwords by Argon2id, two at a time: each takes 64 MiB, and strangers may try."""

import asyncio
import secrets

import argon2

from wand_proto.errors import Invalid

LEAST_CHARACTERS, MOST_CHARACTERS = 12, 256
_AT_ONCE, _MOST_WAITING = 2, 16


class Busy(Exception):
    """Too many passwords are being looked at; another one, a moment later."""


class Passwords:
    """Makes hashes of passwords, and compares."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        """The hasher's own parameters are those of RFC 9106 for machines with little memory to spare."""
        self._hasher = hasher or argon2.PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._looking: set[asyncio.Task[bool]] = set()
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    async def hash(self, password: str) -> str:
        """The hash of a new password.

        Raises:
            Invalid: it is too short or too long.
        """
        if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
            raise Invalid(f"must have {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters", field="password")
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def fits(self, hashed: str | None, untrusted: str) -> bool:
        """Whether that is the password; where nobody has one, it takes the time all the same.

        It keeps its place until it is looked at, even where whoever asked hangs up: nothing stops a thread.

        Raises:
            Busy: too many wait for an answer.
        """
        if len(untrusted) > MOST_CHARACTERS:
            return False
        if self._waiting >= _MOST_WAITING:
            raise Busy
        self._waiting += 1
        looking = asyncio.create_task(self._look(hashed, untrusted), name="password")
        self._looking.add(looking)
        looking.add_done_callback(self._looking.discard)
        return await asyncio.shield(looking)

    async def _look(self, hashed: str | None, untrusted: str) -> bool:
        try:
            async with self._room:
                same = await asyncio.to_thread(self._verify, hashed or self._nobody, _bytes(untrusted))
        finally:
            self._waiting -= 1
        return same and hashed is not None

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    def is_old(self, hashed: str) -> bool:
        """Whether it was made with other parameters than are right today."""
        return self._hasher.check_needs_rehash(hashed)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogateescape")
