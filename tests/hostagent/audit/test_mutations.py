"""A thousand random changes of a ledger, by somebody who knows its form well, and none goes unseen."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from support.ledgers import grown
from wand_hostagent.audit import verify
from wand_hostagent.launcher import record
from wand_hostagent.launcher.ledger import Entry, Ledger

TRIES = 1000
Lines = list[bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lines, verify.Known, Lines]:
    """The lines of a ledger, what an auditor keeps elsewhere, and the lines as they were earlier."""
    folder = grown(tmp_path_factory.mktemp("ledger"))
    early = lines_in(folder)
    ledger = Ledger(str(folder))
    ledger.append([Entry("run", {"job": f"late-{number}"}) for number in range(6)])
    head = ledger.checkpoint()
    ledger.close()
    key, signer = verify.read_key(folder / "first.key")
    return lines_in(folder), verify.Known(key=key, signer=signer, anchors={head.seq: head.hash}), early


def lines_in(folder: Path) -> Lines:
    return [
        line for path in verify.files_of([folder]) for line in path.read_bytes().splitlines(keepends=True)
    ]


def edit(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """One byte becomes another."""
    at = chance.randrange(len(lines))
    line = bytearray(lines[at])
    where = chance.randrange(len(line))
    line[where] ^= chance.randrange(1, 256)
    return b"".join([*lines[:at], bytes(line), *lines[at + 1 :]]).splitlines(keepends=True)


def cut(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """Some lines are gone from the middle."""
    at = chance.randrange(len(lines) - 1)
    return [*lines[:at], *lines[chance.randrange(at + 1, len(lines)) :]]


def insert(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """A line stands there a second time, or at another place too."""
    at = chance.randrange(len(lines) + 1)
    return [*lines[:at], chance.choice(lines), *lines[at:]]


def reorder(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """Two lines have changed places."""
    one, other = sorted(chance.sample(range(len(lines)), 2))
    return [*lines[:one], lines[other], *lines[one + 1 : other], lines[one], *lines[other + 1 :]]


def splice(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """From somewhere on, lines that fit: their hashes are right, their key and signatures are not."""
    at = chance.randrange(len(lines))
    before = record.read(lines[at][:-1])
    place, forged = record.Place(before.seq, before.prev, os.urandom(32)), []
    for line in lines[at:]:
        read = record.read(line[:-1])
        fields = {**read.fields, "job": "forged"} if read.event in {"run", "end"} else read.fields
        again, digest = record.seal(place, read.event, fields)
        forged.append(again)
        place = place.next(digest)
    return [*lines[:at], *forged]


def truncate(lines: Lines, chance: random.Random, _: Lines) -> Lines:
    """The end is gone, at a line or within one."""
    whole = b"".join(lines)
    at = chance.choice([chance.randrange(len(whole)), len(b"".join(lines[: chance.randrange(len(lines))]))])
    return whole[:at].splitlines(keepends=True)


def replay(lines: Lines, chance: random.Random, early: Lines) -> Lines:
    """The file as it was at an earlier moment, or its beginning, in the place of the one that is there."""
    return early[: chance.randrange(1, len(early) + 1)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutate", [edit, cut, insert, reorder, splice, truncate, replay])
def test_every_change_is_found(
    mutate: Callable[[Lines, random.Random, Lines], Lines], whole: tuple[Lines, verify.Known, Lines]
) -> None:
    lines, known, early = whole
    assert verify.check(lines, known).damage == ""
    for seed in range(TRIES // 7 + 1):
        mutated = mutate(lines, random.Random(seed), early)
        assert mutated != lines
        assert verify.check(mutated, known).damage, seed
