"""No path, link or race leads a file tool out of its folders; what stays inside works."""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem.model import (
    Alias,
    Aliases,
    Arrange,
    Arrangement,
    Ask,
    Edit,
    List,
    Mode,
    Read,
    Replacement,
    Search,
    Write,
)
from wand_hostagent.filesystem.refusal import Refused

NOBODY = 65534


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def every_verb(path: str) -> dict[str, Ask]:
    return {
        "read": Read(path=path),
        "write": Write(path=path, data=b"x", mode=Mode.REPLACE),
        "edit": Edit(path=path, replacements=(Replacement(old_text="secret", new_text="x"),)),
        "list": List(path=path),
        "search": Search(path=path, pattern="."),
    }


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret", "a/../../outside/secret", "{top}/outside/secret", "{top}/work/../outside/secret",
        "link", "folder/secret", "to-etc/passwd", "/etc/passwd", "/proc/self/root/etc/passwd",
        "/proc/self/environ", "{top}", "{top}/workshop", "//etc/passwd", "proc/etc/passwd",
        "{top}/outside/absent", "/proc/1/fd/0",
    ],
)  # fmt: skip
def test_no_verb_leaves_the_permitted_folders(at: Site, path: str) -> None:
    (at.work / "link").symlink_to("../outside/secret")
    (at.work / "folder").symlink_to(at.top / "outside")
    (at.work / "to-etc").symlink_to("/etc")
    (at.work / "proc").symlink_to("/proc/self/root")
    (at.work / "a").mkdir()
    (at.top / "workshop").mkdir()

    refusals = [at.refused(ask) for ask in every_verb(path.format(top=at.top)).values()]

    hint = f"permitted are {at.work}, {at.top}/shared; to read only: {at.top}/readonly"
    assert {(refusal.kind, refusal.hint) for refusal in refusals} == {("Denied", hint)}
    assert (at.top / "outside" / "secret").read_text() == "secret"
    assert at.names("outside") == ["secret"]


@pytest.mark.parametrize("path", ["", ".", "..", "/", "a/", "a/..", "../work/."])
def test_what_names_no_file_cannot_be_changed(at: Site, path: str) -> None:
    assert at.refused(every_verb(path)["write"]).kind == "Invalid"
    assert at.refused(every_verb(path)["edit"]).kind == "Invalid"


@pytest.mark.parametrize(
    "path",
    ["f", "./f", "sub/../f", "{top}/work/f", "rel", "abs", "dir/f", "{top}/shared/../work/f", "cross/../f"],
)
def test_links_and_dots_that_stay_inside_work(at: Site, path: str) -> None:
    at.put("f", "inside")
    (at.work / "sub").mkdir()
    (at.work / "rel").symlink_to("sub/../f")
    (at.work / "abs").symlink_to(at.work / "f")
    (at.work / "dir").symlink_to(".")
    (at.work / "cross").symlink_to(at.work / "sub")

    answer = at.ask(Read(path=path.format(top=at.top)))

    assert (answer.data, answer.path) == (b"inside", str(at.work / "f"))


def test_a_link_from_one_permitted_folder_into_another_works(at: Site) -> None:
    (at.top / "shared" / "s").write_text("shared")
    (at.work / "s").symlink_to(at.top / "shared" / "s")

    assert at.ask(Read(path="s")).path == str(at.top / "shared" / "s")


def test_a_workspace_that_is_itself_behind_a_link_is_found_by_both_names() -> None:
    with fileworker.short_folder() as top:
        (top / "real").mkdir()
        (top / "real" / "f").write_text("x")
        (top / "link").symlink_to("real")
        with fileworker.running([top / "link"]) as worker:
            for path in ("f", str(top / "link" / "f"), str(top / "real" / "f")):
                assert worker.ask(Read(path=path)).data == b"x"


def test_a_change_behind_such_a_link_is_made_where_both_names_are_permitted_alone() -> None:
    with fileworker.short_folder() as top:
        (top / "real").mkdir()
        (top / "link").symlink_to("real")
        real, link = f"{top}/real/f", f"{top}/link/f"
        with fileworker.running([top / "link"], [top / "real" / "in"]) as worker:
            assert worker.ask(Aliases()).aliases == (Alias(name=f"{top}/link", real=f"{top}/real"),)
            for path in (real, link):
                change = Write(path=path, data=b"x", mode=Mode.REPLACE, at=(path,))
                removal = Arrange(what=Arrangement.REMOVE, path=path, at=(path,))
                for asked in (change, removal):
                    with pytest.raises(Refused) as caught:
                        worker.ask(asked)
                    assert (caught.value.kind, caught.value.field) == ("Denied", "path")
                for asked in (change, removal):
                    worker.ask(replace(asked, at=(real, link)))


def test_a_workspace_that_is_made_again_is_found_again(at: Site) -> None:
    (at.work).rmdir()
    assert at.refused(List(path="")).kind == "NotFound"
    at.work.mkdir()
    at.put("f")

    assert at.ask(Read(path="f")).data == b"x"


def test_a_folder_to_read_only_is_read_and_never_written(at: Site) -> None:
    path = str(at.top / "readonly" / "r.txt")
    assert at.ask(Read(path=path)).data == b"r"
    for verb in ("write", "edit"):
        refusal = at.refused(every_verb(path)[verb])
        assert (refusal.kind, "may only be read" in refusal.message) == ("Denied", True)
    assert at.refused(every_verb(f"{path}.new")["write"]).kind == "Denied"
    assert at.names("readonly") == ["r.txt"]


def test_a_link_that_is_swapped_all_the_time_never_opens_the_outside(at: Site) -> None:
    at.put("good/secret", "inside")
    (at.work / "turns").symlink_to("good")
    over = threading.Event()
    thread = threading.Thread(target=swap, args=(at.work, str(at.top / "outside"), over))
    thread.start()
    try:
        for _ in range(300):
            at.worker.send(Read(path="turns/secret"))
            answer = at.worker.receive()
            assert isinstance(answer, Refused) or getattr(answer, "data", b"") == b"inside"
    finally:
        over.set()
        thread.join()


def swap(work: Path, outside: str, over: threading.Event) -> None:
    while not over.is_set():
        for target in (outside, "good"):
            (work / "new").symlink_to(target)
            (work / "new").replace(work / "turns")


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("a\0b", "Invalid", "NUL"),
        ("x" * 300, "Invalid", "too long"),
        ("x/" * 3000, "Invalid", "the most is 4095"),
        ("absent", "NotFound", "does not exist"),
        ("file/inner", "NotFound", "no folder"),
        ("folder", "Invalid", "is a folder, not a plain file"),
        ("fifo", "Invalid", "is a named pipe"),
        ("socket", "Invalid", "is a socket"),
        ("loop", "Denied", "links without end"),
        ("\ud800", "Invalid", "not text"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_at_once(at: Site, path: str, kind: str, says: str) -> None:
    at.put("file")
    (at.work / "folder").mkdir()
    os.mkfifo(at.work / "fifo")
    (at.work / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(at.work / "socket"))

        refusal = at.refused(Read(path=path))

    assert (refusal.kind, refusal.field) == (kind, "path")
    assert says in refusal.message


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes a device")
def test_a_device_is_neither_read_nor_written_nor_searched(at: Site) -> None:
    os.mknod(at.work / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))

    for verb in ("read", "write", "edit", "search"):
        assert "is a device" in at.refused(every_verb("zero")[verb]).message


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: runs the worker as another user")
def test_an_ordinary_user_is_held_by_the_system(at: Site) -> None:
    at.put("mine", "root's").chmod(0o600)
    at.put("seen", "seen").chmod(0o444)
    at.work.chmod(0o777)
    with fileworker.running([at.work], user=NOBODY) as worker:
        ordinary = Site(at.top, worker)
        assert ordinary.refused(Read(path="mine")).kind == "Denied"
        assert ordinary.refused(Write(path="seen", data=b"x", mode=Mode.REPLACE)).kind == "Denied"
        assert ordinary.ask(Read(path="seen")).data == b"seen"
        assert ordinary.ask(Write(path="new", data=b"x", mode=Mode.CREATE)).created
        assert ordinary.ask(Search(path="", pattern=".")).files_skipped == 1
    assert (at.work / "new").stat().st_uid == NOBODY
    assert (at.work / "seen").read_text() == "seen"
