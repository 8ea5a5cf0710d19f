"""The times of a terminal say when what was shown, take little, and are found again."""

from pathlib import Path

import pytest

from wand_hostagent.recording import Recording, taken_up
from wand_hostagent.spool import Room, Spool


def spool_in(folder: Path) -> Spool:
    return Spool(str(folder / "j.times"), Room(1_000_000))


def lines(spool: Spool) -> list[str]:
    return spool.read(0, 100_000)[1].decode().splitlines()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, for the test to move."""
    now = [1000.0]
    monkeypatch.setattr("wand_hostagent.recording.time.time", lambda: now[0])
    return now


def test_moments_are_told_apart_down_to_a_hundredth_of_a_second(tmp_path: Path, clock: list[float]) -> None:
    spool = spool_in(tmp_path)
    shown = Recording(spool, (80, 24), 1000.0)
    shown.begin()
    for step in range(128):
        clock[0] = 1000.5 + step / 1024  # without a rest in binary
        shown.shown(step * 10)
    shown.resized((132, 43))

    assert lines(spool)[:3] == ["0.000 r 80x24", "0.500 o 0", "0.511 o 110"]
    assert len(lines(spool)) == 14
    assert lines(spool)[-1] == "0.624 r 132x43"


def test_a_clock_that_is_set_back_stands_still(tmp_path: Path, clock: list[float]) -> None:
    spool = spool_in(tmp_path)
    shown = Recording(spool, (80, 24), 1000.0)
    clock[0] = 1005.0
    shown.shown(0)
    clock[0] = 900.0
    shown.resized((1, 1))

    assert lines(spool) == ["5.000 o 0", "5.000 r 1x1"]


def test_a_successor_goes_on_with_the_size_that_it_has_now(tmp_path: Path, clock: list[float]) -> None:
    first = Recording(spool_in(tmp_path), (80, 24), 1000.0)
    first.spool.to_file()
    first.begin()
    first.resized((132, 43))
    first.spool.close()
    with (tmp_path / "j.times").open("a") as file:
        file.write("1.0 r 9")  # torn
    clock[0] = 1007.0

    second = taken_up(spool_in(tmp_path), 1000.0)

    assert second is not None
    second.shown(5)
    assert second.size == (132, 43)
    assert lines(second.spool)[0] == "0.000 r 80x24"
    assert lines(second.spool)[-1].endswith("7.000 o 5")


def test_a_job_that_has_left_no_times_had_no_terminal(tmp_path: Path) -> None:
    assert taken_up(spool_in(tmp_path), 0.0) is None
