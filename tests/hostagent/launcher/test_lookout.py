"""What a lookout notices: all that can put another thing in the place of what was seen, and no more."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.launcher_client import needs_root
from wand_hostagent.launcher.lookout import Guard, Lookout
from wand_hostagent.launcher.sight import Watched, number_of


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that is reached through a link, with a file and a folder in it.

    It does not lie below /tmp, where other tests make and remove folders meanwhile.
    """
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="wand") as name:
        found = Path(name)
        (found / "real" / "deep" / "folder" / "inner").mkdir(parents=True)
        (found / "real" / "deep" / "folder" / "file").touch()
        (found / "link").symlink_to("real")
        yield found


def guarded(lookout: Lookout, place: Path) -> Guard:
    guard = lookout.guard([f"{place}/link/deep/folder"])
    assert guard is not None
    assert lookout.is_calm(guard)
    return guard


def _replace_link(place: Path) -> None:
    (place / "other").symlink_to("elsewhere")
    (place / "other").replace(place / "link")


STIRS: dict[str, Callable[[Path], object]] = {
    "a file that is made": lambda place: (place / "real/deep/folder/new").touch(),
    "a folder that is made": lambda place: (place / "real/deep/folder/new").mkdir(),
    "a link that is made": lambda place: (place / "real/deep/folder/new").symlink_to("x"),
    "a file with another name": lambda place: os.link(
        place / "real/deep/folder/file", place / "real/deep/folder/new"
    ),
    "a file that is removed": lambda place: (place / "real/deep/folder/file").unlink(),
    "a file that is renamed": lambda place: (place / "real/deep/folder/file").rename(place / "file"),
    "the folder renamed": lambda place: (place / "real/deep/folder").rename(place / "folder"),
    "the folder removed": lambda place: shutil.rmtree(place / "real/deep/folder"),
    "a folder above renamed": lambda place: (place / "real").rename(place / "moved"),
    "a link on the way": _replace_link,
}
NOT: dict[str, Callable[[Path], object]] = {
    "something written": lambda place: (place / "real/deep/folder/file").write_text("x"),
    "something below": lambda place: (place / "real/deep/folder/inner/new").touch(),
    "another mode": lambda place: (place / "real/deep/folder/file").chmod(0o600),
}


@pytest.mark.parametrize("happens", STIRS.values(), ids=STIRS)
def test_a_guard_is_stirred_by(place: Path, happens: Callable[[Path], object]) -> None:
    lookout = Lookout()
    guard = guarded(lookout, place)
    happens(place)
    assert not lookout.is_calm(guard)


@pytest.mark.parametrize("happens", NOT.values(), ids=NOT)
def test_a_guard_is_not_stirred_by(place: Path, happens: Callable[[Path], object]) -> None:
    lookout = Lookout()
    guard = guarded(lookout, place)
    happens(place)
    assert lookout.is_calm(guard)


def test_a_guard_that_was_stirred_stays_so_and_another_may_stand_there(place: Path) -> None:
    lookout = Lookout()
    first = guarded(lookout, place)
    (place / "real/deep/folder/new").touch()
    second = guarded(lookout, place)
    assert not lookout.is_calm(first)
    (place / "real/deep/folder/newer").touch()
    assert not lookout.is_calm(second)


def test_more_than_the_kernel_remembers_stirs_every_guard(place: Path) -> None:
    lookout = Lookout()
    guard, busy = guarded(lookout, place), lookout.guard([str(place / "real/deep/folder/inner")])
    assert busy is not None
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 2):
        name = place / "real/deep/folder/inner" / str(number % 7)
        name.touch()
        name.unlink()
    assert not lookout.is_calm(guard)


def test_what_happens_after_much_else_stirs_too(place: Path) -> None:
    lookout = Lookout()
    guard, busy = guarded(lookout, place), lookout.guard([str(place / "real/deep/folder/inner")])
    assert busy is not None
    for number in range(6000):
        (place / "real/deep/folder/inner" / f"{number % 2}").touch()
        (place / "real/deep/folder/inner" / f"{number % 2}").unlink()
    (place / "real/deep/folder/new").touch()
    assert not lookout.is_calm(guard)


def test_nobody_stands_guard_where_others_than_this_machine_may_write() -> None:
    assert Lookout().guard(["/proc/self"]) is None


def test_nobody_stands_guard_over_what_is_not_there(tmp_path: Path) -> None:
    assert Lookout().guard([f"{tmp_path}/nothing"]) is None


@needs_root
def test_a_mount_stirs_every_guard(place: Path) -> None:
    lookout = Lookout()
    guard = guarded(lookout, place)
    subprocess.run(["mount", "-t", "tmpfs", "wand-test", place / "real"], check=True)
    try:
        assert not lookout.is_calm(guard)
    finally:
        subprocess.run(["umount", place / "real"], check=True)


@pytest.mark.parametrize("old", [True, False], ids=["old", "young"])
def test_a_folder_that_was_replaced_is_another_one_for_who_has_a_lookout(place: Path, *, old: bool) -> None:
    path = place / "real" / "deep"
    if old:
        os.utime(place / "real", (0, 0))
    watched = Watched([str(path)], number_of, Lookout())
    before = watched.stamp()
    assert watched.stamp() == before
    path.rename(place / "aside")
    path.mkdir()
    assert watched.stamp() != before
    after = watched.stamp()
    path.rmdir()
    assert watched.stamp() != after


def test_a_way_with_many_links_is_walked_once(place: Path) -> None:
    (place / "again").symlink_to(".")
    (place / "up").symlink_to("real/..")
    guard = Lookout().guard([f"{place}{'/again' * 30}/up/link"])  # two to the power of thirty steps, else
    assert guard is not None
