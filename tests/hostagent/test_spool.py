"""What is kept of a job's output: bounded, found again, and told of where it is not there."""

from pathlib import Path

import pytest

from wand_hostagent.spool import MEMORY_BYTES, Room, Spool, SpoolFolder
from wand_proto.errors import Exhausted, NotFound


def in_file(path: Path, room: Room, *parts: bytes) -> Spool:
    spool = Spool(path, room)
    spool.to_file()
    for part in parts:
        spool.append(part)
    return spool


def test_a_stream_keeps_at_most_half_of_the_room_and_counts_the_rest(tmp_path: Path) -> None:
    spool = in_file(tmp_path / "a.stdout", Room(200), b"x" * 60, b"y" * 41, b"z")

    assert (spool.total, spool.kept, spool.read(60, 100)) == (102, 100, b"y" * 40)
    with pytest.raises(Exhausted, match="from byte 100 on could not be kept: at most 100 bytes of a stream"):
        spool.read(101, 10)
    assert spool.next_kept(60) == 60
    assert spool.next_kept(100) == 102


def test_all_streams_together_keep_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    room = Room(200)
    full = [in_file(tmp_path / name, room, b"x" * 90) for name in ("a.stdout", "b.stdout")]

    refused = in_file(tmp_path / "c.stdout", room, b"x" * 90)

    assert (room.used_bytes, refused.total, refused.kept) == (200, 90, 20)
    full[0].remove()
    assert room.used_bytes == 110
    assert in_file(tmp_path / "d.stdout", room, b"x" * 90).kept == 90


def test_room_is_asked_for_before_output_is_let_go(tmp_path: Path) -> None:
    asked: list[int] = []

    def make_way(wanted_bytes: int) -> None:
        asked.append(wanted_bytes)
        first.remove()

    room = Room(200, make_way)
    first, second = (in_file(tmp_path / name, room, b"x" * 90) for name in ("a.stdout", "b.stdout"))

    third = in_file(tmp_path / "c.stdout", room, b"x" * 50)

    assert asked == [30]
    assert (second.kept, third.kept, room.used_bytes) == (90, 50, 140)


def test_what_lies_in_memory_takes_no_room(tmp_path: Path) -> None:
    room = Room(10)
    spool = Spool(tmp_path / "a.stdout", room)

    spool.append(b"x" * MEMORY_BYTES)

    assert (room.used_bytes, spool.read(0, 3)) == (0, b"xxx")


def test_a_file_that_is_taken_up_takes_room_again(tmp_path: Path) -> None:
    in_file(tmp_path / "a.stdout", Room(100), b"one ").close()
    room = Room(100)

    spool = Spool(tmp_path / "a.stdout", room)
    spool.take_up()
    spool.append(b"two")

    assert (room.used_bytes, spool.total, spool.read(0, 99)) == (7, 7, b"one two")


def test_where_nothing_was_left_offsets_go_on_where_a_follower_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.stdout", Room(100))
    spool.take_up()
    spool.append(b"after")

    spool.begin_at(6)
    spool.begin_at(99)
    spool.append(b" more")

    assert (spool.total, spool.read(6, 99), spool.read(12, 99), spool.read(16, 9)) == (
        16,
        b"after more",
        b"more",
        b"",
    )
    assert spool.next_kept(0) == 6
    with pytest.raises(NotFound, match="before byte 6 was lost"):
        spool.read(0, 99)


def test_where_everything_was_left_offsets_stay(tmp_path: Path) -> None:
    in_file(tmp_path / "a.stdout", Room(100), b"one ").close()
    spool = Spool(tmp_path / "a.stdout", Room(100))
    spool.take_up()

    spool.begin_at(6)

    assert (spool.total, spool.start) == (4, 0)


def test_what_nobody_knows_is_removed_and_other_files_are_not(tmp_path: Path) -> None:
    for name in ("a.stdout", "b.stderr", "note.txt"):
        (tmp_path / name).touch()

    SpoolFolder(tmp_path, Room(1)).remove_others({"b"})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.stderr", "note.txt"]
