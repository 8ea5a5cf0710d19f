"""What was counted is there for the next host agent, however the last one died."""

from pathlib import Path

import pytest

from wand_hostagent.positions import Counts, Positions, is_table, packed, sealed
from wand_proto.errors import Unavailable

HEADER_BYTES = 16
SLOT_BYTES = 152
TWO = {"a": (1, 2), "b": (3, 0)}


def count(table: Positions, job: str, counts: Counts) -> None:
    for position, taken in zip(table.of(job) or (), counts, strict=True):
        position.taken_bytes = taken


def jobs_in(raw: bytes | bytearray) -> dict[str, Counts]:
    return {job: counts for _, job, counts in sealed(raw)}


def test_a_table_holds_what_was_packed() -> None:
    raw = packed(TWO, free=2)

    assert is_table(bytes(raw))
    assert len(raw) == HEADER_BYTES + 4 * SLOT_BYTES
    assert jobs_in(raw) == TWO


def test_a_count_is_in_the_file_at_once(tmp_path: Path) -> None:
    with Positions.open(tmp_path / "t", 2) as table:
        table.take("a")
        before = jobs_in((tmp_path / "t").read_bytes())
        count(table, "a", (7, 2**40))
        after = jobs_in((tmp_path / "t").read_bytes())

    assert before == {"a": (0, 0)}
    assert after == {"a": (7, 2**40)}


def test_the_next_one_finds_the_counts_and_as_many_free_slots_as_it_wants(tmp_path: Path) -> None:
    with Positions.open(tmp_path / "t", 2) as first:
        first.take("a")
        count(first, "a", (7, 8))
    with Positions.open(tmp_path / "t", 3) as second:
        found = second.counts("a")
        for job in "bcde":
            second.take(job)
        taken = [job for job in "abcde" if second.of(job)]
        second.free_others("b")

    assert found == (7, 8)
    assert taken == ["a", "b", "c", "d"]
    assert jobs_in((tmp_path / "t").read_bytes()) == {"b": (0, 0)}
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_slot_that_is_used_again_begins_at_nothing() -> None:
    table = Positions(raw := packed({}, free=1))
    table.take("a")
    count(table, "a", (7, 8))

    table.free("a")
    table.free("a")
    table.take("b")

    assert jobs_in(raw) == {"b": (0, 0)}
    assert table.counts("a") == (0, 0)


def test_a_job_that_has_a_slot_keeps_it_and_goes_on_from_the_counts_given() -> None:
    table = Positions(raw := packed({"a": (7, 8)}, free=1))

    table.take("a", (9, 8))

    assert jobs_in(raw) == {"a": (9, 8)}


def test_without_a_free_slot_a_job_goes_uncounted_and_the_others_keep_theirs() -> None:
    table = Positions(raw := packed({"a": (7, 8)}, free=0))

    table.take("b", (1, 1))
    table.free("b")

    assert table.of("b") is None
    assert jobs_in(raw) == {"a": (7, 8)}


@pytest.mark.parametrize("length", range(0, SLOT_BYTES, 8))
def test_a_slot_that_was_being_filled_is_free(length: int) -> None:
    """Everything but the seal is written, up to any place; what stood there before is another job's."""
    raw, name = packed({"b" * 128: (3, 4)}, free=0), b"a" * 128
    filled = bytes(8) + (1).to_bytes(8, "little") + (2).to_bytes(8, "little") + name
    raw[HEADER_BYTES : HEADER_BYTES + 8] = bytes(8)

    raw[HEADER_BYTES : HEADER_BYTES + length] = filled[:length]

    assert jobs_in(raw) == {}
    Positions(raw).take("c")
    assert jobs_in(raw) == {"c": (0, 0)}


@pytest.mark.parametrize("place", [0, 1, 7, 15 + 8, 24, 24 + 127])
def test_a_slot_with_a_wrong_byte_is_nobody_s(place: int) -> None:
    raw = packed({"a" * 128: (3, 4)}, free=0)

    raw[HEADER_BYTES + place] ^= 0xFF

    assert jobs_in(raw) == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 15,
        b"\0" * (HEADER_BYTES + SLOT_BYTES),
        b"WANDPOS\x02" + bytes(packed(TWO, free=0)[8:]),
        bytes(packed(TWO, free=0)[:-1]),
        bytes(packed(TWO, free=0)) + b"\0" * SLOT_BYTES,
    ],
)
def test_a_table_of_another_kind_or_size_is_put_aside(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(raw)

    with Positions.open(tmp_path / "t", 1) as table:
        table.take("c")
        found = [table.of(job) for job in "ab"]

    assert found == [None, None]
    assert jobs_in((tmp_path / "t").read_bytes()) == {"c": (0, 0)}


def test_what_a_start_that_was_killed_has_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(packed(TWO, free=0))
    (tmp_path / "t.new").write_bytes(b"half")

    with Positions.open(tmp_path / "t", 1) as table:
        assert table.counts("a") == (1, 2)


def test_a_folder_that_takes_no_file_stops_the_start_and_says_which(tmp_path: Path) -> None:
    opening = Positions.open(tmp_path / "gone" / "t", 1)

    with pytest.raises(Unavailable, match="gone/t cannot be made"):
        opening.__enter__()
