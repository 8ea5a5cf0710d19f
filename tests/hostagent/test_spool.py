"""What is kept of a job's output is bounded, found again, and keeps its place whatever is lost."""

import os
from pathlib import Path

import pytest

from wand_hostagent.spool import MEMORY_BYTES, SPARED_BYTES, Room, Spool, SpoolFolder, free_on
from wand_proto.errors import Exhausted


def in_file(path: Path, room: Room, *parts: bytes) -> Spool:
    spool = Spool(str(path), room)
    spool.to_file()
    for part in parts:
        spool.append(part)
    return spool


def test_a_stream_keeps_at_most_half_of_the_room_and_counts_the_rest(tmp_path: Path) -> None:
    spool = in_file(tmp_path / "a.stdout", Room(200), b"x" * 60, b"y" * 41, b"z")

    assert (spool.total, spool.kept, spool.read(60, 100)) == (102, 100, (60, b"y" * 40))
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


def test_a_disk_is_not_filled_and_ended_jobs_make_way_first(tmp_path: Path) -> None:
    disk, ended = [100], [40]

    def make_way(wanted_bytes: int) -> None:
        assert wanted_bytes > 0
        disk[0] += ended.pop() if ended else 0

    room = Room(10_000, make_way, lambda: disk[0])
    spool = in_file(tmp_path / "a.stdout", room, b"x" * 100)
    disk[0] = 0
    spool.append(b"y" * 30)
    assert (spool.kept, ended) == (130, [])
    disk[0] = 5
    spool.append(b"z" * 30)
    spool.append(b"z")

    assert (spool.kept, spool.total) == (135, 161)
    with pytest.raises(Exhausted, match=r"from byte 135 on could not be kept: the disk has no room left"):
        spool.read(135, 10)


def test_some_of_the_disk_is_left_to_the_ledger(tmp_path: Path) -> None:
    about = os.statvfs(tmp_path)

    assert 0 < about.f_bavail * about.f_frsize - free_on(tmp_path) <= SPARED_BYTES
    assert free_on(tmp_path / "absent") > about.f_blocks * about.f_frsize


def test_what_lies_in_memory_takes_no_room(tmp_path: Path) -> None:
    room = Room(10)
    spool = Spool(str(tmp_path / "a.stdout"), room)

    spool.append(b"x" * MEMORY_BYTES)

    assert (room.used_bytes, spool.read(0, 3)) == (0, (0, b"xxx"))


def test_a_file_that_is_taken_up_takes_room_again(tmp_path: Path) -> None:
    in_file(tmp_path / "a.stdout", Room(100), b"one ").close()
    room = Room(100)

    spool = Spool(str(tmp_path / "a.stdout"), room)
    spool.take_up(4)
    spool.append(b"two")

    assert (room.used_bytes, spool.total, spool.read(0, 99)) == (7, 7, (0, b"one two"))


def left(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder / "j.stdout"


@pytest.mark.parametrize(
    ("files", "taken", "total", "lost"),
    [
        ({}, 0, 0, 0),
        ({}, 7, 7, 7),
        ({"j.stdout": b"abc"}, 3, 3, 0),
        ({"j.stdout": b"abc"}, 7, 7, 4),
        ({"j.stdout": b"abc"}, 0, 3, 0),  # nobody counted
        ({"j.stdout": b"abc", "j.7.stdout": b"hi"}, 9, 9, 4),
        ({"j.stdout": b"abc", "j.7.stdout": b"hi", "j.12.stdout": b"m"}, 20, 20, 14),
        ({"j.7.stdout": b"", "j.stderr": b"other", "jj.stdout": b"other", "j.x.stdout": b"?"}, 7, 7, 7),
    ],
)
def test_a_stream_goes_on_where_it_was_read_to(
    files: dict[str, bytes], taken: int, total: int, lost: int, tmp_path: Path
) -> None:
    spool = Spool(str(left(tmp_path, files)), Room(100))

    assert (spool.take_up(taken), spool.total) == (lost, total)
    spool.append(b"next")

    assert spool.read(total, 10) == (total, b"next")
    spool.close()


@pytest.mark.parametrize(
    ("offset", "most", "found"),
    [
        (0, 10, (0, b"abc")),
        (1, 1, (1, b"b")),
        (3, 10, (7, b"hi")),
        (5, 1, (7, b"h")),
        (8, 10, (8, b"i")),
        (9, 10, (20, b"new")),
        (22, 10, (22, b"w")),
        (23, 10, (23, b"")),
        (30, 10, (30, b"")),
    ],
)
def test_what_is_lost_is_stepped_over_and_the_place_is_told(
    offset: int, most: int, found: tuple[int, bytes], tmp_path: Path
) -> None:
    spool = Spool(str(left(tmp_path, {"j.stdout": b"abc", "j.7.stdout": b"hi"})), Room(100))
    spool.take_up(20)
    spool.append(b"new")

    assert spool.read(offset, most) == found
    spool.close()


def test_a_loss_at_the_end_is_told_before_anything_follows_it(tmp_path: Path) -> None:
    spool = Spool(str(left(tmp_path, {"j.stdout": b"abc"})), Room(100))
    spool.take_up(7)

    assert [spool.read(offset, 10) for offset in (0, 3, 7)] == [(0, b"abc"), (7, b""), (7, b"")]


def test_a_stream_that_loses_twice_is_taken_up_again(tmp_path: Path) -> None:
    for taken, data in ((3, b"abc"), (10, b"de"), (15, b"f")):
        room = Room(100)
        spool = Spool(str(tmp_path / "j.stdout"), room)
        spool.take_up(taken if taken > 3 else 0)
        spool.append(data)
        spool.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["j.10.stdout", "j.15.stdout", "j.stdout"]
    assert [spool.read(offset, 10) for offset in (0, 3, 12)] == [(0, b"abc"), (10, b"de"), (15, b"f")]
    assert room.used_bytes == spool.kept == 6
    spool.remove()
    assert not list(tmp_path.iterdir())
    assert room.used_bytes == 0


def test_the_files_of_others_go_whatever_part_they_hold(tmp_path: Path) -> None:
    left(
        tmp_path, {"j.stdout": b"a", "j.7.stderr": b"b", "k.stdout": b"c", "k.7.stderr": b"d", "n.txt": b"e"}
    )

    SpoolFolder(tmp_path, Room(1)).remove_others({"j"})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["j.7.stderr", "j.stdout", "n.txt"]


def test_that_a_job_runs_alone_is_no_reason_to_fail_where_it_cannot_be_kept(tmp_path: Path) -> None:
    folder = SpoolFolder(tmp_path / "spool", Room(1))
    (tmp_path / "spool").rmdir()
    folder.set_alone("j")
    assert not folder.is_alone("j")


def test_a_disk_that_is_full_is_said_to_be_and_costs_no_more_than_the_output() -> None:
    spool = in_file(Path("/dev/full"), Room(1000), b"x" * 10, b"y")  # it is only closed: what is there stays

    assert (spool.total, spool.kept) == (11, 0)
    with pytest.raises(Exhausted, match="from byte 0 on could not be kept: No space left on device"):
        spool.read(0, 10)
    spool.close()
