"""A mount tree that is put up while commands change what it is made from, and folders in folders."""

import ctypes
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from wand_hostagent.launcher import box
from wand_hostagent.launcher.mounts import Tree
from wand_hostagent.launcher.sight import Item, Kind, Wanted, arrange
from wand_hostagent.launcher.step import Step
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


PLACES = [
    Item(path="/usr", source="/usr", kind=Kind.READ), Item(path="/work", source="/work", kind=Kind.WRITE),
    Item(path="/tmp", source="size=64m", kind=Kind.EMPTY),
    Item(path="/cover", source="/cover", kind=Kind.COVER),
    Item(path="/a/b/file", source="/file", kind=Kind.READ, is_folder=False),
    Item(path="/bin", source="usr/bin", kind=Kind.LINK),
    Item(path="/work/one/kept", source="/work/one/kept", kind=Kind.READ),
    Item(path="/work/one/again", source="/work/one/again", kind=Kind.WRITE),
    Item(path="/work/hidden", source="/work/hidden", kind=Kind.COVER, is_folder=False),
]  # fmt: skip
WHOLE = """
umask(0)
mount(none, /, MS_REC|MS_PRIVATE) 0x44000
mount(tmpfs, /tmp, tmpfs, nosuid|nodev|noexec, size=4m,mode=0755) 0xe
mkdirat(/tmp/.old, 0o700)
pivot_root(/tmp, /tmp/.old)
chdir(/)
mkdirat(/proc, 0o755)
mount(proc, /proc, proc, ro|nosuid|nodev|noexec, hidepid=ptraceable) 0xf
mkdirat(/dev, 0o755)
mount(tmpfs, /dev, tmpfs, nosuid|noexec, size=64k,mode=0755) 0xa
mknodat(/dev/null, S_IFREG) 0o100444
mount(/.old/dev/null, /dev/null, MS_BIND|MS_REC) 0x5000
mknodat(/dev/zero, S_IFREG) 0o100444
mount(/.old/dev/zero, /dev/zero, MS_BIND|MS_REC) 0x5000
mknodat(/dev/full, S_IFREG) 0o100444
mount(/.old/dev/full, /dev/full, MS_BIND|MS_REC) 0x5000
mknodat(/dev/random, S_IFREG) 0o100444
mount(/.old/dev/random, /dev/random, MS_BIND|MS_REC) 0x5000
mknodat(/dev/urandom, S_IFREG) 0o100444
mount(/.old/dev/urandom, /dev/urandom, MS_BIND|MS_REC) 0x5000
mknodat(/dev/tty, S_IFREG) 0o100444
mount(/.old/dev/tty, /dev/tty, MS_BIND|MS_REC) 0x5000
symlinkat(/proc/self/fd, /dev/fd)
symlinkat(fd/0, /dev/stdin)
symlinkat(fd/1, /dev/stdout)
symlinkat(fd/2, /dev/stderr)
symlinkat(pts/ptmx, /dev/ptmx)
mkdirat(/dev/shm, 0o755)
mkdirat(/dev/pts, 0o755)
mount_setattr(/dev, AT_RECURSIVE, ro|nosuid|noexec) 0x8000 (11, 0, 0, 0)
mount(devpts, /dev/pts, devpts, nosuid|noexec, newinstance,ptmxmode=0666,mode=0600,max=64) 0xa
mount(/dev/null, /proc/kcore, MS_BIND|MS_REC) 0x5000
mkdirat(/usr, 0o755)
mount(/.old/usr, /usr, MS_BIND|MS_REC) 0x5000
mount_setattr(/usr, AT_RECURSIVE, ro|nosuid|nodev) 0x8000 (7, 0, 0, 0)
mkdirat(/work, 0o755)
mount(/.old/work, /work, MS_BIND|MS_REC) 0x5000
mount_setattr(/work, AT_RECURSIVE, nosuid|nodev|noexec) 0x8000 (14, 0, 0, 0)
mkdirat(/tmp, 0o755)
mount(tmpfs, /tmp, tmpfs, nosuid|nodev|noexec, size=64m) 0xe
mkdirat(/cover, 0o755)
mount(tmpfs, /cover, tmpfs, nosuid|nodev|noexec, size=64k,mode=0755) 0xe
mkdirat(/a, 0o755)
mkdirat(/a/b, 0o755)
mknodat(/a/b/file, S_IFREG) 0o100444
mount(/.old/file, /a/b/file, MS_BIND|MS_REC) 0x5000
mount_setattr(/a/b/file, AT_RECURSIVE, ro|nosuid|nodev) 0x8000 (7, 0, 0, 0)
symlinkat(usr/bin, /bin)
mount_setattr(/cover, ro|nosuid|nodev|noexec) 0x0 (15, 0, 0, 0)
umount2(/.old, MNT_DETACH)
unlinkat(/.old, AT_REMOVEDIR)
mount(/work/one, /work/one, MS_BIND|MS_REC) 0x5000
mount(/work/one/kept, /work/one/kept, MS_BIND|MS_REC) 0x5000
mount_setattr(/work/one/kept, AT_RECURSIVE, ro|nosuid|nodev) 0x8000 (7, 0, 0, 0)
mount(/work/one/again, /work/one/again, MS_BIND|MS_REC) 0x5000
mount_setattr(/work/one/again, AT_RECURSIVE, nosuid|nodev|noexec, not ro) 0x8000 (14, 1, 0, 0)
mount(/dev/null, /work/hidden, MS_BIND|MS_REC) 0x5000
mount_setattr(/, ro|nosuid|nodev|noexec) 0x0 (15, 0, 0, 0)
"""


def printed(one: Step) -> str:
    """A step as it is shown, and the numbers that the kernel gets."""
    match one.name, one.arguments:
        case "mount", (_, _, _, flags, *_):
            return f"{one.shown} {flags:#x}"
        case "mount_setattr", (_, _, deep, attributes, _):
            return f"{one.shown} {deep:#x} {struct.unpack('=QQQQ', ctypes.string_at(attributes, 32))}"
        case "mknodat", (_, _, mode, _):
            return f"{one.shown} {mode:#o}"
        case _:
            return one.shown


def table(
    items: Sequence[Item], *, executable: bool = False, fresh_proc: bool = True, masked: Sequence[str] = ()
) -> list[str]:
    """The steps as they are printed, while what they point into is there."""
    tree = Tree(items, executable=executable, fresh_proc=fresh_proc, masked=masked)
    return list(map(printed, tree.steps))


def test_the_whole_table_of_a_tree() -> None:
    assert "\n".join(table(PLACES, masked=("/proc/kcore",))) == WHOLE.strip()


def test_where_programs_may_run_what_is_written_may_be() -> None:
    usual = table(PLACES)
    assert [line for line in table(PLACES, executable=True) if line not in usual] == [
        "mount_setattr(/work, AT_RECURSIVE, nosuid|nodev) 0x8000 (6, 0, 0, 0)",
        "mount(tmpfs, /tmp, tmpfs, nosuid|nodev, size=64m) 0x6",
        "mount_setattr(/work/one/again, AT_RECURSIVE, nosuid|nodev, not ro) 0x8000 (6, 1, 0, 0)",
    ]


def test_where_no_list_of_processes_can_be_made_the_machines_own_is_shown_to_read() -> None:
    told = table([], fresh_proc=False)
    assert "mount(/.old/proc, /proc, MS_BIND|MS_REC) 0x5000" in told
    assert "mount_setattr(/proc, AT_RECURSIVE, ro|nosuid|nodev|noexec) 0x8000 (15, 0, 0, 0)" in told


def test_a_job_with_a_copy_of_the_tree_mounts_only_its_own_again() -> None:
    tree = Tree(PLACES, executable=False, fresh_proc=True, masked=("/proc/kcore",))
    assert [one.shown.partition("(")[2].split(", ")[1] for one in tree.own or ()] == [
        "/proc",
        "/dev/pts",
        "/proc/kcore",
        "/tmp",
    ]
    assert len(tree.shared) == len(tree.steps) - 4
    deep = [Item(path="/tmp", kind=Kind.EMPTY), Item(path="/tmp/x", source="/x", kind=Kind.READ)]
    hiding = Tree(deep, executable=False, fresh_proc=True)
    assert (hiding.own, hiding.shared) == (None, hiding.steps)
