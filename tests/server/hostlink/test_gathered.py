"""Of each stream the head and the tail are kept, however much comes."""

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

    assert (ends.shown(), ends.omitted(ends.total_bytes)) == (shown, omitted)


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


def test_what_never_came_counts_as_left_out() -> None:
    gathered = Gathered(Kept())
    for event in (started(), output(b"abc"), exited(stdout_bytes=10)):
        gathered.take(event)

    assert (gathered.outcome().stdout_bytes, gathered.outcome().stdout_omitted) == (10, (3, 10))


def test_a_reason_that_nobody_knows_is_a_defect() -> None:
    gathered = Gathered(Kept())
    gathered.take(exited(reason=99))

    with pytest.raises(Broken, match="99"):
        gathered.outcome()
