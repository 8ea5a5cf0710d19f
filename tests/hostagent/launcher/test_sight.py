"""What a job sees: the places, in their order, and what is left out because it says nothing new."""

import os
from pathlib import Path

import pytest

from wand_hostagent.launcher.lookout import Lookout
from wand_hostagent.launcher.mounts import Tree
from wand_hostagent.launcher.refusal import Refused
from wand_hostagent.launcher.sight import (
    HARDWARE,
    SETTINGS,
    SYSTEM,
    Kind,
    Wanted,
    Watched,
    arrange,
    kind_of,
    nearest,
    number_of,
)


def made(root: Path, *folders: str) -> None:
    for folder in folders:
        (root / folder).mkdir(parents=True)


def seen(root: Path, **wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    """The places below `root` by their kind; paths are given and come back without it."""
    full = {name: tuple(f"{root}/{path}" for path in paths) for name, paths in wanted.items()}
    items = arrange(Wanted(**full))  # type: ignore[arg-type] # tuples of paths, all of them
    return [
        (item.path.removeprefix(f"{root}/"), item.kind.value)
        for item in items
        if item.path.startswith(str(root))
    ]


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ({"write": ("w",)}, [("w", "write")]),
        ({"write": ("w", "w/sub")}, [("w", "write")]),
        ({"read": ("w/sub",), "write": ("w",)}, [("w", "write")]),
        ({"keep": ("w/sub",), "write": ("w",)}, [("w", "write"), ("w/sub", "read")]),
        ({"read": ("t",), "write": ("t/w",)}, [("t", "read"), ("t/w", "write")]),
        ({"write": ("w",), "cover": ("w/sub",)}, [("w", "write"), ("w/sub", "cover")]),
        ({"write": ("w",), "cover": ("t",)}, [("w", "write")]),
        ({"write": ("w", "w/sub/x"), "cover": ("w/sub",)},
         [("w", "write"), ("w/sub", "cover"), ("w/sub/x", "write")]),
        ({"write": ("w",), "read": ("nowhere",)}, [("w", "write")]),
    ],
)  # fmt: skip
def test_a_place_is_there_once_and_after_what_it_lies_in(
    tmp_path: Path, wanted: dict[str, tuple[str, ...]], places: list[tuple[str, str]]
) -> None:
    made(tmp_path, "w/sub/x", "t/w")
    assert seen(tmp_path, **wanted) == places


def test_a_folder_behind_a_link_is_where_it_really_is_and_the_link_is_a_link(tmp_path: Path) -> None:
    made(tmp_path, "real/w")
    (tmp_path / "short").symlink_to("real")
    places = seen(tmp_path, write=("short/w",))
    assert places == [("real/w", "write"), ("short/w", "link")]


@pytest.mark.parametrize("kind", ["read", "keep", "write", "cover"])
def test_a_link_in_a_folder_that_commands_write_is_not_followed(tmp_path: Path, kind: str) -> None:
    made(tmp_path, "w", "t")
    (tmp_path / "w" / "way").symlink_to(tmp_path / "t")
    wanted = {"write": ("w",), **({"write": ("w", "w/way")} if kind == "write" else {kind: ("w/way",)})}
    with pytest.raises(Refused, match="is a link"):
        seen(tmp_path, **wanted)


def test_a_file_of_the_system_that_is_not_for_everybody_is_not_shown(tmp_path: Path) -> None:
    for name, mode in (("open", 0o644), ("closed", 0o640)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    assert seen(tmp_path, system=("open", "closed")) == [("open", "read")]


def test_the_stamp_changes_with_what_is_there(tmp_path: Path) -> None:
    wanted = Wanted(write=(str(tmp_path),), cover=(f"{tmp_path}/later",))
    watched = Watched(wanted.paths, kind_of)
    before = watched.stamp()
    made(tmp_path, "later")
    assert watched.stamp() != before
    assert Kind.COVER in {item.kind for item in arrange(wanted)}


@pytest.mark.parametrize("old", [True, False], ids=["long ago", "just now"])
def test_a_folder_that_was_replaced_is_another_one(tmp_path: Path, *, old: bool) -> None:
    made(tmp_path, "work", "other")
    if old:
        os.utime(tmp_path, ns=(0, 0))
    watched = Watched([f"{tmp_path}/work"], number_of)
    before = watched.stamp()
    assert watched.stamp() == before
    (tmp_path / "work").rmdir()
    (tmp_path / "other").rename(tmp_path / "work")
    assert watched.stamp() != before


def test_over_all_that_every_job_is_shown_a_lookout_can_stand_guard() -> None:
    wanted = Wanted(system=(*SYSTEM, *SETTINGS, *HARDWARE))
    if Lookout().guard([nearest(path) for path in ("/usr", "/etc/hosts")]) is None:
        pytest.skip("the file system of this machine is none that its kernel alone writes")
    held = Tree(arrange(wanted), executable=True, fresh_proc=True).watched
    for watched in (Watched(wanted.paths, kind_of), held):
        assert Lookout().guard(watched.folders) is not None
