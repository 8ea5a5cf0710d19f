"""A mount tree that is put up while commands change what it is made from, and folders in folders."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wand_hostagent.launcher import box
from wand_hostagent.launcher.mounts import Tree
from wand_hostagent.launcher.sight import Wanted, arrange
from wand_hostagent.launcher.walls import Unprepared, Walls


def inside(wanted: Wanted, meanwhile: Callable[[], None], look: Callable[[], object]) -> str:
    """What `look` finds in the tree, where `meanwhile` happens between looking and mounting."""
    found = box.probe()
    if not found.own_tree:
        pytest.skip("no mount tree can be made here")
    items = arrange(wanted)
    meanwhile()
    walls = Walls(
        tree=Tree(items, executable=True, fresh_proc=found.fresh_proc), ruleset=None, network="loopback"
    )
    reader, writer = os.pipe()
    pid, pidfd = found.clone("loopback")
    if pid == 0:
        try:
            found.enter(walls)
            os.write(writer, f"{look()}".encode())
        except (OSError, Unprepared) as error:
            os.write(writer, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(pidfd)
    with os.fdopen(reader) as told:
        return told.read()


@pytest.mark.parametrize("kind", ["keep", "write", "cover"])
def test_a_link_that_is_made_between_looking_and_mounting_shows_nothing_of_the_machine(
    tmp_path: Path, kind: str
) -> None:
    work, vendor, outside = tmp_path / "work", tmp_path / "work" / "vendor", tmp_path / "outside"
    for folder in (vendor, outside):
        folder.mkdir(parents=True)
    (outside / "secret").write_text("got through")

    def swap() -> None:
        vendor.rmdir()
        vendor.symlink_to(f"/.old{outside}")

    paths: dict[str, Any] = {"write": (str(work),)}
    paths[kind] = (*paths.get(kind, ()), str(vendor))
    assert inside(Wanted(system=("/usr",), **paths), swap, (vendor / "secret").read_text) != "got through"


def test_what_lies_where_commands_write_is_mounted_when_the_machines_own_tree_is_gone(tmp_path: Path) -> None:
    """A link that is exchanged for a folder within one mount(2) can then lead nowhere else."""
    work = tmp_path / "work"
    (work / "way" / "kept").mkdir(parents=True)
    (work / "hidden").write_text("")
    wanted = Wanted(write=(str(work),), keep=(str(work / "way" / "kept"),), cover=(str(work / "hidden"),))
    steps = [one.shown for one in Tree(arrange(wanted), executable=True, fresh_proc=True).steps]
    gone = next(at for at, shown in enumerate(steps) if shown.startswith("umount2(/.old"))
    deep = [at for at, shown in enumerate(steps) if f"{work}/" in shown]
    assert len(deep) >= 4
    assert min(deep) > gone


def test_what_is_written_in_what_is_kept_in_what_is_written_is_written(tmp_path: Path) -> None:
    deep = tmp_path / "work" / "kept" / "written"
    deep.mkdir(parents=True)
    wanted = Wanted(write=(str(tmp_path / "work"), str(deep)), keep=(str(deep.parent),), system=("/usr",))

    def look() -> list[bool]:
        found = []
        for folder in (tmp_path / "work", deep.parent, deep):
            try:
                (folder / "made").touch()
                found.append(True)
            except OSError:
                found.append(False)
        return found

    assert inside(wanted, lambda: None, look) == "[True, False, True]"
