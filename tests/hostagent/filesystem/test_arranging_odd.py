"""Moving, copying, removing and restoring where something is odd: torn, swapped, deep, of another profile."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem import copying, names
from wand_hostagent.filesystem.model import Arrange, Arrangement, List, Read, Search, Survey
from wand_hostagent.filesystem.refusal import Refused

MOVE, COPY, REMOVE, RESTORE = Arrangement


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def ask(at: Site, what: Arrangement, path: str, to: str = "") -> Arrange:
    """What is asked of names in the workspace; a path that begins with / is as it is."""
    whole = (one if one.startswith("/") or not one else f"{at.work}/{one}" for one in (path, to))
    return Arrange(what=what, path=next(whole), to=next(whole))


def done(at: Site, what: Arrangement, path: str, to: str = "") -> Any:
    return at.ask(ask(at, what, path, to))


def refused(at: Site, what: Arrangement, path: str, to: str = "") -> Refused:
    return at.refused(ask(at, what, path, to))


def test_what_was_removed_comes_back_though_its_folder_is_gone_and_past_what_is_torn(at: Site) -> None:
    at.put("d/f", "text")
    done(at, REMOVE, "d/f")
    done(at, REMOVE, "d")
    torn = at.work / ".wand-removed" / "9999999999999999999-0000"  # a host died before it was put there
    torn.mkdir()
    (torn / "where").write_text("d/f")

    done(at, RESTORE, "d/f")

    assert (at.work / "d" / "f").read_text() == "text"


def test_a_folder_that_has_got_more_since_the_policy_was_asked_is_left_alone(at: Site) -> None:
    at.put("d/one")
    names = at.ask(Survey(what=MOVE, path=f"{at.work}/d")).names
    at.put("d/host.pem")
    moved = replace(ask(at, MOVE, "d", "e"), surveyed=True)

    assert at.refused(replace(moved, names=names)).kind == "Conflict"
    assert at.refused(moved).kind == "Conflict"
    assert at.ask(replace(moved, names=(*names, "host.pem", "gone"))).files == 2


def test_what_another_profile_has_removed_further_in_is_not_reached_either(at: Site) -> None:
    at.put("in/host.pem", "secret")
    with fileworker.running([at.work / "in"]) as other:
        done(Site(at.top, other), REMOVE, str(at.work / "in" / "host.pem"))
    (kept,) = (at.work / "in" / ".wand-removed").glob("*/what")
    inside = str(kept.relative_to(at.work))

    for one in (
        Read(path=inside),
        List(path="in/.wand-removed"),
        Search(path="in/.wand-removed", pattern="s"),
    ):
        assert at.refused(one).kind == "Denied"
    for what in (MOVE, COPY, REMOVE):
        assert refused(at, what, inside, "" if what is REMOVE else "x").kind == "Denied"


def test_a_folder_that_holds_a_permitted_one_gets_no_other_name(at: Site) -> None:
    at.put("d/readonly/f", "read only")
    with fileworker.running([at.work], [at.work / "d" / "readonly"]) as worker:
        site = Site(at.top, worker)
        for what, to in ((MOVE, "e"), (REMOVE, "")):
            assert "holds a permitted folder" in refused(site, what, "d", to).message
        done(site, COPY, "d", "copy")

    assert at.names() == ["copy", "d"]


def test_a_permitted_folder_itself_is_left_where_it_is(at: Site) -> None:
    for what, to in ((MOVE, "e"), (COPY, "e"), (REMOVE, ""), (RESTORE, "")):
        asked = Arrange(what=what, path=str(at.work), to=f"{at.work}/{to}" if to else "")
        assert at.refused(asked).message == f"{at.work} is a permitted folder itself"


def test_a_folder_is_not_copied_into_itself_by_another_name_of_the_workspace(at: Site) -> None:
    at.put("d/in/f")
    (at.top / "alias").symlink_to(at.work)
    with fileworker.running([at.top / "alias"]) as worker:
        site = Site(at.top, worker)
        names = tuple(f"{at.top}/{top}/d{end}" for top in ("alias", "work") for end in ("", "/in/e"))
        whole = replace(ask(at, COPY, names[0], names[3]), at=names)
        assert site.refused(whole).kind == "Invalid"

    assert [path.name for path in sorted((at.work / "d").rglob("*"))] == ["in", "f"]


def test_folders_in_folders_without_end_are_left_for_a_command(at: Site) -> None:
    at.put("d/" * 65 + "f")
    at.put("e/" * 64 + "f")

    assert refused(at, REMOVE, "d").kind == "Exhausted"
    assert done(at, REMOVE, "e").files == 1


def test_a_file_that_grows_while_it_is_copied_is_copied_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, send = tmp_path / "log", os.sendfile
    log.write_text("begin")

    def grow(here: int, there: int, offset: None, count: int) -> int:
        with log.open("a") as file:
            file.write("more")
        assert log.stat().st_size < 1000
        return send(here, there, offset, count)

    monkeypatch.setattr(os, "sendfile", grow)
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        copying.copy((folder, "log"), (folder, "copy"), "log")
    finally:
        os.close(folder)

    assert (tmp_path / "copy").read_text() == "begin"


def test_what_cannot_be_taken_away_has_no_second_name_after_that(
    at: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def stuck(path: str, *, dir_fd: int) -> None:
        if path == "f":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(names, "_RENAMEAT2", 100_000)
    monkeypatch.setattr(os, "unlink", stuck)
    at.put("f", "f")
    folder = os.open(at.work, os.O_RDONLY)
    try:
        with pytest.raises(PermissionError):
            names.rename((folder, "f"), (folder, "h"))
    finally:
        os.close(folder)

    assert at.names() == ["f"]


def test_a_pipe_in_place_of_a_file_of_ours_holds_nothing_up(at: Site) -> None:
    at.put("f", "text")
    done(at, REMOVE, "f")
    kept = at.work / ".wand-removed" / "9999999999999999999-0000"
    kept.mkdir()
    pipes = kept / "where", at.work / ".gitignore"
    for pipe in pipes:
        os.mkfifo(pipe)
    held = [os.open(pipe, os.O_RDWR) for pipe in pipes]
    try:
        done(at, RESTORE, "f")
        assert [entry.path for entry in at.ask(List(path="")).entries] == ["f"]
    finally:
        for one in held:
            os.close(one)
