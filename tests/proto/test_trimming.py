"""Freed memory goes back to the system, also where something that stays lies behind it."""

import os
from pathlib import Path

import pytest

from support.waiting import until
from wand_proto.trimming import trimmed

MIB = 2**20
PIECE_BYTES = 16_384  # a heap's: larger ones get pages of their own, which go back by themselves


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_what_was_freed_between_things_that_stay_goes_back() -> None:
    if "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""):
        pytest.skip("another C library than glibc")
    pieces = [bytes(PIECE_BYTES) for _ in range(64 * MIB // PIECE_BYTES)]
    full = resident()
    kept = pieces[::100]
    pieces.clear()
    held = resident()

    async with trimmed():
        await until(lambda: resident() < full - 50 * MIB)

    assert held > full - 10 * MIB, "it went back by itself: this test shows nothing"
    assert len(kept) == 41
