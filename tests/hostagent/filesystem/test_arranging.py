"""Moving, copying, removing and restoring: over nothing, whole or not at all, never out of the folders."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem import arranging, names, removed
from wand_hostagent.filesystem.model import Arrange, Arrangement, List, Read, Search, Survey
from wand_hostagent.filesystem.refusal import Refused

MOVE, COPY, REMOVE, RESTORE = Arrangement
WAYS = (MOVE, COPY)


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def ask(at: Site, what: Arrangement, path: str, to: str = "") -> Arrange:
    """What is asked of names in the workspace; a path that begins with / is as it is."""
    return Arrange(what=what, path=_full(at, path), to=_full(at, to) if to else "")


def _full(at: Site, path: str) -> str:
    return path if path.startswith("/") else f"{at.work}/{path}"


def done(at: Site, what: Arrangement, path: str, to: str = "") -> Any:
    return at.ask(ask(at, what, path, to))


def refused(at: Site, what: Arrangement, path: str, to: str = "") -> Refused:
    return at.refused(ask(at, what, path, to))


def tree(folder: Path) -> dict[str, str]:
    """Every name below, what it is and says."""
    return {str(path.relative_to(folder)): _said(path) for path in sorted(folder.rglob("*"))}


def _said(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "/" if path.is_dir() else f"{path.read_text()} {path.stat().st_mode & 0o777:o}"


def a_folder(at: Site) -> dict[str, str]:
    at.put("d/one", "1").chmod(0o640)
    at.put("d/in/two", "22")
    (at.work / "d" / "link").symlink_to("/etc/passwd")
    return tree(at.work / "d")


def test_a_folder_is_moved_with_all_that_is_in_it(at: Site) -> None:
    before = a_folder(at)
    answer = done(at, MOVE, "d", "e")

    assert (tree(at.work / "e"), at.names()) == (before, ["e"])
    assert (answer.path, answer.to, answer.files) == (f"{at.work}/d", f"{at.work}/e", 3)


def test_a_folder_is_copied_with_modes_and_links_and_follows_none(at: Site) -> None:
    before = a_folder(at)
    done(at, COPY, "d", str(at.top / "shared" / "e"))

    assert tree(at.top / "shared" / "e") == before == tree(at.work / "d")


@pytest.mark.parametrize("name", ["f", "d"])
def test_what_was_removed_comes_back_as_it_was(at: Site, name: str) -> None:
    a_folder(at)
    at.put("f", "text").chmod(0o755)
    before = tree(at.work)
    done(at, REMOVE, name)
    assert not (at.work / name).exists()

    answer = done(at, RESTORE, name)

    (at.work / ".wand-removed" / ".gitignore").unlink()
    (at.work / ".wand-removed").rmdir()
    assert (tree(at.work), answer.to) == (before, f"{at.work}/{name}")


def test_what_was_removed_last_comes_back_first_and_elsewhere_where_that_is_asked(at: Site) -> None:
    for text in ("old", "new"):
        at.put("f", text)
        done(at, REMOVE, "f")
    done(at, RESTORE, "f")
    done(at, RESTORE, "f", "made/again/f")

    assert ((at.work / "f").read_text(), (at.work / "made/again/f").read_text()) == ("new", "old")
    assert refused(at, RESTORE, "f", "g").kind == "NotFound"


def test_nothing_is_written_over(at: Site) -> None:
    at.put("f", "f")
    at.put("g", "g")
    a_folder(at)
    (at.work / "empty").mkdir()
    done(at, REMOVE, "g")
    at.put("g", "newer")

    refusals = [refused(at, what, "f", to) for what in WAYS for to in ("g", "d", "d/link", "empty")]
    refusals += [refused(at, MOVE, "d", "empty"), refused(at, COPY, "d", "f"), refused(at, RESTORE, "g")]

    assert {one.kind for one in refusals} == {"Conflict"}
    assert ((at.work / "g").read_text(), at.names()) == ("newer", [".wand-removed", "d", "empty", "f", "g"])


def test_a_file_system_without_a_rename_that_spares_gets_another_that_does(
    at: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_RENAMEAT2", 100_000)  # no system call has that number
    at.put("f", "f")
    at.put("g", "g")
    folder = os.open(at.work, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            names.rename((folder, "f"), (folder, "g"))
        names.rename((folder, "f"), (folder, "h"))
    finally:
        os.close(folder)

    assert (at.names(), (at.work / "g").read_text()) == (["g", "h"], "g")


def test_a_link_is_meant_itself_and_one_on_the_way_is_refused(at: Site) -> None:
    (at.work / "link").symlink_to("../outside/secret")
    (at.work / "way").symlink_to(at.top / "outside")
    (at.work / "inside").symlink_to("sub")
    at.put("sub/f")

    done(at, MOVE, "link", "moved")

    assert (at.work / "moved").readlink() == Path("../outside/secret")
    for what in Arrangement:
        to = "" if what is REMOVE else "x"
        assert refused(at, what, "way/secret", to).kind == "Denied"
        assert "leads to" in refused(at, what, "inside/f", to).message
    assert refused(at, MOVE, "sub/f", "way/new").kind == "Denied"
    assert refused(at, COPY, "sub/f", "inside/g").kind == "Denied"
    assert at.names("outside") == ["secret"]


@pytest.mark.parametrize(
    ("what", "path", "to", "kind"),
    [
        (MOVE, "absent", "x", "NotFound"),
        (REMOVE, "absent", "", "NotFound"),
        (RESTORE, "absent", "", "NotFound"),
        (MOVE, "f", "no/folder/x", "NotFound"),
        (MOVE, "d", "d/in/x", "Invalid"),
        (COPY, "d", "d/x", "Invalid"),
        (MOVE, "f", "{top}/outside/x", "Denied"),
        (COPY, "{top}/outside/secret", "x", "Denied"),
        (MOVE, "{top}/readonly/r.txt", "x", "Denied"),
        (REMOVE, "{top}/readonly/r.txt", "", "Denied"),
        (COPY, "f", "{top}/readonly/x", "Denied"),
        (REMOVE, "{top}/work", "", "Denied"),
        (MOVE, "{top}/shared", "x", "Denied"),
        (REMOVE, ".", "", "Invalid"),
        (REMOVE, "d/..", "", "Invalid"),
        (REMOVE, "d/", "", "Invalid"),
        (COPY, "pipe", "x", "Invalid"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_changes_nothing(
    at: Site, what: Arrangement, path: str, to: str, kind: str
) -> None:
    a_folder(at)
    at.put("f")
    os.mkfifo(at.work / "pipe")
    done(at, REMOVE, "d/one")  # so that there is a place for what was removed
    before = sorted(str(one) for one in at.top.rglob("*"))

    assert refused(at, what, path.format(top=at.top), to.format(top=at.top)).kind == kind
    assert sorted(str(one) for one in at.top.rglob("*")) == before


def test_what_is_to_read_only_can_be_copied_out_of_there(at: Site) -> None:
    done(at, COPY, str(at.top / "readonly" / "r.txt"), "r")

    assert (at.work / "r").read_text() == "r"


def test_nothing_else_reaches_what_was_removed(at: Site) -> None:
    at.put("f", "secret text")
    done(at, REMOVE, "f")
    (kept,) = (at.work / ".wand-removed").glob("*/what")
    inside = str(kept.relative_to(at.work))

    for one in (Read(path=inside), List(path=".wand-removed"), Search(path=".wand-removed", pattern="s")):
        assert at.refused(one).hint == "restore it, by the path that it had"
    for what in (MOVE, COPY, REMOVE):
        assert refused(at, what, inside, "" if what is REMOVE else "x").kind == "Denied"
        assert refused(at, what, ".wand-removed", "" if what is REMOVE else "x").kind == "Denied"
    assert at.ask(Search(path="", pattern="secret", hidden=True)).matches == ()
    assert at.ask(List(path="", depth=4, hidden=True)).entries == ()


def test_what_was_removed_long_ago_is_erased_when_something_is_removed(at: Site) -> None:
    for name in ("old", "new"):
        at.put(f"{name}/f", name)
    done(at, REMOVE, "old")
    (kept,) = (at.work / ".wand-removed").glob("[0-9]*")
    age = int(removed.KEPT_SECONDS * 1e9)
    kept.rename(kept.with_name(f"{int(kept.name.partition('-')[0]) - age}-0000"))

    done(at, REMOVE, "new")

    assert [path.read_text() for path in (at.work / ".wand-removed").glob("*/where")] == ["new"]


def test_a_folder_that_holds_too_much_is_left_for_a_command(at: Site) -> None:
    for number in range(arranging.MOST_NAMES + 1):
        at.put(f"d/{number}")

    for what in Arrangement:
        if what is not RESTORE:
            assert refused(at, what, "d", "" if what is REMOVE else "e").kind == "Exhausted"
    assert at.refused(Survey(what=MOVE, path=f"{at.work}/d")).kind == "Exhausted"
    assert at.names() == ["d"]


def test_a_copy_that_does_not_fit_leaves_nothing(at: Site) -> None:
    at.put("d/small", "x")
    at.put("d/large", b"x" * 200_000)
    with fileworker.running([at.work], most_file_bytes=100_000) as worker:
        small = Site(at.top, worker)
        assert refused(small, COPY, "d", "e").kind == "Exhausted"

    assert at.names() == ["d"]


@pytest.mark.parametrize("what", list(Arrangement))
def test_a_folder_that_is_swapped_for_a_link_all_the_time_never_leads_out(
    at: Site, what: Arrangement
) -> None:
    """The folder above what is meant is now itself, now a link to one outside with the same names in it."""
    outside = at.top / "outside"
    (outside / "secret").write_text("secret")
    at.put("turns/f")
    at.put("kept")
    held = os.open(at.work / "turns", os.O_RDONLY)  # wherever it is meanwhile
    over = threading.Event()
    thread = threading.Thread(target=_swap, args=(at.work, outside, over))
    thread.start()
    answers = []
    try:
        for number in range(300):
            with os.fdopen(os.open("secret", os.O_WRONLY | os.O_CREAT, dir_fd=held), "w") as file:
                file.write("inside")
            to = "" if what in {REMOVE, RESTORE} else f"out-{number}"
            for one in (ask(at, what, "turns/secret", to), ask(at, COPY, "kept", f"turns/new-{number}")):
                at.worker.send(one)
                answers.append(at.worker.receive())
    finally:
        over.set()
        thread.join()
        os.close(held)

    assert tree(outside) == {"secret": "secret 644"}
    found = [path.read_text() for path in at.work.rglob("*") if path.is_file() and not path.is_symlink()]
    assert "secret" not in found
    kinds = {one.kind for one in answers if isinstance(one, Refused)}
    assert kinds <= {"Denied", "NotFound", "Conflict"}
    assert "Denied" in kinds  # a link was met
    assert not all(isinstance(one, Refused) for one in answers)  # and the folder too


def _swap(work: Path, outside: Path, over: threading.Event) -> None:
    while not over.is_set():
        (work / "turns").rename(work / "parked")
        (work / "turns").symlink_to(outside)
        time.sleep(0)
        (work / "turns").unlink()
        (work / "parked").rename(work / "turns")
        time.sleep(0)
