"""Passwords are looked at two at a time, whatever those do who ask."""

import asyncio
import threading
from typing import Literal

import argon2

from support.waiting import until
from wand_server.issuer.passwords import Passwords


class FakeHasher(argon2.PasswordHasher):
    """Takes as long as it is told to."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.begun = 0
        self.may_end = threading.Event()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - theirs
        self.begun += 1
        self.may_end.wait(60)
        return True


async def test_who_hangs_up_keeps_the_place_until_the_password_is_looked_at() -> None:
    passwords = Passwords(hasher := FakeHasher())
    asked = [asyncio.create_task(passwords.fits("hash", "wrong")) for _ in range(2)]
    await until(lambda: hasher.begun == 2)
    try:
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)

        third = asyncio.create_task(passwords.fits("hash", "right"))
        await asyncio.sleep(0)
        assert passwords._room.locked()
    finally:
        hasher.may_end.set()
    assert await third
    assert hasher.begun == 3
