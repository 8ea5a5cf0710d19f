"""Of each stream the head and the tail are kept, however much comes."""

from typing import Any

import pytest

from support.wirehost import exited, output, started
from wand_proto.errors import Broken
from wand_server.hostlink.gathered import Ends, Gathered, Kept


@pytest.mark.parametrize(
    ("parts", "shown", "omitted"),
    [
        ([], b"", None),
        ([b"abc"], b"abc", None),
        ([b"abcdef"], b"abcdef", None),
        ([b"abcd", b"ef"], b"abcdef", None),
        ([b"abcdefg"], b"abcdfg", (4, 5)),
        ([b"ab", b"cdefgh", b"i"], b"abcdhi", (4, 7)),
        ([b"x"] * 100, b"xxxxxx", (4, 98)),
        ([b"a" * 1000, b"yz"], b"aaaayz", (4, 1000)),
    ],
)
def test_the_middle_is_left_out_and_counted(
    parts: list[bytes], shown: bytes, omitted: tuple[int, int] | None
) -> None:
    ends = Ends(Kept(head_bytes=4, tail_bytes=2))

    for part in parts:
        ends.add(part)

    assert (ends.shown(), ends.omitted()) == (shown, omitted)


def test_events_join_to_an_outcome() -> None:
    gathered = Gathered(Kept())

    for event in (started(), output(b"out"), output(b"err", stream="stderr"), exited(3, wall_seconds=0.5)):
        gathered.take(event)

    outcome = gathered.outcome()
    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == (b"out", b"err", 3)
    assert (outcome.job, outcome.directory, outcome.signal, outcome.wall_seconds) == (
        "j1",
        "/work",
        None,
        0.5,
    )


def test_parts_that_come_twice_count_once() -> None:
    gathered = Gathered(Kept())
    gathered.take(output(b"abcdef"))

    assert gathered.take(output(b"def", offset=3)) is None
    assert gathered.take(output(b"efgh", offset=4)) == ("stdout", b"gh")
    assert gathered.offset("stdout") == 8


@pytest.mark.parametrize(
    ("events", "shown", "omitted", "lost"),
    [
        ((output(b"abc"), exited(stdout_bytes=10)), b"abc", (3, 10), 7),
        ((output(b"abc", 4), exited(stdout_bytes=7)), b"abc", (0, 4), 4),
        ((output(b"abc"), output(b"de", 5), exited(stdout_bytes=7)), b"abcde", (3, 5), 2),
        ((output(b"a"), output(b"b", 2), output(b"c", 9), exited()), b"ac", (1, 9), 7),
        ((output(b"a" * 9), output(b"b", 10), exited()), b"aaaaaab", (6, 10), 1),
        ((output(b"a"), output(b"b" * 9, 3), exited()), b"abbb", (1, 9), 2),
        ((output(b"a"), output(b"b", 3), output(b"bc", 3), exited()), b"abc", (1, 3), 2),
    ],
)
def test_what_never_came_is_left_out_and_counted_as_lost(
    events: tuple[Any, ...], shown: bytes, omitted: tuple[int, int], lost: int
) -> None:
    gathered = Gathered(Kept(head_bytes=6, tail_bytes=3))
    for event in (started(), *events):
        gathered.take(event)

    outcome = gathered.outcome()
    assert (outcome.stdout, outcome.stdout_omitted, outcome.stdout_lost_bytes) == (shown, omitted, lost)
    assert outcome.stdout_bytes == len(shown) + omitted[1] - omitted[0]
    assert outcome.stderr_lost_bytes == 0


def test_a_reason_that_nobody_knows_is_a_defect() -> None:
    gathered = Gathered(Kept())
    gathered.take(exited(reason=99))

    with pytest.raises(Broken, match="99"):
        gathered.outcome()
