"""What reading, writing and editing one file does."""

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem import changing
from wand_hostagent.filesystem.model import Edit, Mode, Read, Replacement, Write
from wand_hostagent.filesystem.paths import Roots
from wand_hostagent.filesystem.refusal import Refused


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def change(old: str, new: str, expected_sha256: str = "") -> Edit:
    replacement = Replacement(old_text=old, new_text=new)
    return Edit(path="f", replacements=(replacement,), expected_sha256=expected_sha256)


@pytest.mark.parametrize(
    ("ask", "data", "offset", "next_line"),
    [
        (Read(path="f"), b"one\ntwo\nthree\n", 0, 0),
        (Read(path="f", offset=4, max_bytes=3), b"two", 4, 0),
        (Read(path="f", offset=99), b"", 99, 0),
        (Read(path="f", first_line=1, max_lines=1), b"one\n", 0, 2),
        (Read(path="f", first_line=2), b"two\nthree\n", 4, 0),
        (Read(path="f", first_line=2, max_bytes=5), b"two\n", 4, 3),
        (Read(path="f", first_line=3, max_bytes=2), b"th", 8, 4),
        (Read(path="f", first_line=9), b"", 14, 0),
    ],
)
def test_a_part_is_read_by_bytes_or_by_lines(
    at: Site, ask: Read, data: bytes, offset: int, next_line: int
) -> None:
    at.put("f", "one\ntwo\nthree\n")

    answer = at.ask(ask)

    assert (answer.data, answer.offset, answer.next_line) == (data, offset, next_line)
    assert (answer.total_bytes, answer.sha256) == (14, sha(b"one\ntwo\nthree\n"))


def test_a_huge_file_is_read_in_parts_and_not_hashed(at: Site) -> None:
    with at.put("huge", "first\nsecond\n").open("r+b") as file:
        file.truncate(1 << 40)

    by_line = at.ask(Read(path="huge", first_line=2, max_lines=1))
    by_bytes = at.ask(Read(path="huge", offset=6, max_bytes=6))

    assert (by_line.data, by_line.next_line, by_line.sha256) == (b"second\n", 3, "")
    assert (by_bytes.data, by_bytes.total_bytes) == (b"second", 1 << 40)


def test_more_than_a_mebibyte_at_once_is_refused(at: Site) -> None:
    at.put("f")

    assert at.refused(Read(path="f", max_bytes=1024 * 1024 + 1)).field == "max_bytes"


@pytest.mark.parametrize(
    ("content", "ask", "binary"),
    [
        ("grüße".encode(), Read(path="f"), False),
        (b"a\0b", Read(path="f"), True),
        (b"\xff\xfe", Read(path="f"), True),
        ("ü".encode() * 9, Read(path="f", offset=1, max_bytes=4), False),
        (b"", Read(path="f"), False),
    ],
)
def test_binary_is_told_from_text_cut_anywhere(at: Site, content: bytes, ask: Read, *, binary: bool) -> None:
    at.put("f", content)

    assert at.ask(ask).binary is binary


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        (Mode.CREATE, None, b"new"),
        (Mode.REPLACE, None, b"new"),
        (Mode.APPEND, None, b"new"),
        (Mode.REPLACE, b"old", b"new"),
        (Mode.APPEND, b"old", b"oldnew"),
    ],
)
def test_each_mode_writes_what_it_says(at: Site, mode: Mode, before: bytes | None, after: bytes) -> None:
    if before is not None:
        at.put("f", before).chmod(0o751)

    answer = at.ask(Write(path="f", data=b"new", mode=mode))

    assert (at.work / "f").read_bytes() == after
    assert (answer.created, answer.total_bytes, answer.sha256) == (before is None, len(after), sha(after))
    assert before is None or stat.S_IMODE((at.work / "f").stat().st_mode) == 0o751
    assert at.names() == ["f"]


@pytest.mark.parametrize("by_edit", [True, False])
@pytest.mark.parametrize("meanwhile", [b"longer", b"old", None])
def test_what_a_program_changes_meanwhile_is_not_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: bytes | None, *, by_edit: bool
) -> None:
    file, fill = tmp_path / "f", changing._fill
    file.write_bytes(b"old")

    def fill_and_lose(descriptor: int, data: bytes) -> None:
        fill(descriptor, data)
        file.unlink()
        if meanwhile is not None:
            (tmp_path / "g").write_bytes(meanwhile)
            (tmp_path / "g").rename(file)

    monkeypatch.setattr(changing, "_fill", fill_and_lose)
    roots = Roots([str(tmp_path)], [])
    seen = Write(path="f", data=b"new", mode=Mode.REPLACE, expected_sha256=sha(b"old"))
    with pytest.raises(Refused, match="changed by somebody else") as caught:
        changing.edit(roots, change("old", "new")) if by_edit else changing.write(roots, seen)

    assert (caught.value.kind, caught.value.field) == ("Conflict", "path")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if meanwhile is None else [meanwhile])


@pytest.mark.parametrize("name", ["link", "folder/f"])
def test_a_change_that_is_permitted_at_one_place_is_led_to_no_other(at: Site, name: str) -> None:
    at.put("hooks/f", "old")
    (at.work / "link").symlink_to("hooks/f")
    (at.work / "folder").symlink_to("hooks")
    asked, meant = str(at.work / name), str(at.work / "hooks/f")

    for ask in (
        Write(path=asked, data=b"new", mode=Mode.REPLACE, at=(asked,)),
        replace(change("old", "new"), path=asked, at=(asked,)),
    ):
        with pytest.raises(Refused, match=r"leads to .*/hooks/f") as caught:
            at.ask(ask)
        assert caught.value.hint == f"ask for {meant} itself"
    at.ask(Write(path=meant, data=b"new", mode=Mode.REPLACE, at=(meant,)))

    assert (at.work / "hooks/f").read_bytes() == b"new"


def test_a_write_through_a_link_changes_its_target_and_keeps_the_link(at: Site) -> None:
    at.put("real")
    (at.work / "link").symlink_to("real")

    at.ask(Write(path="link", data=b"new", mode=Mode.REPLACE))

    assert (at.work / "real").read_text() == "new"
    assert (at.work / "link").is_symlink()


def test_create_never_writes_over_a_file(at: Site) -> None:
    at.put("f", "old")

    refusal = at.refused(Write(path="f", data=b"new", mode=Mode.CREATE))

    assert (refusal.kind, (at.work / "f").read_text()) == ("Conflict", "old")
    assert f"{at.work}/f exists already" in refusal.message


def test_a_change_with_an_expectation_is_made_only_where_it_is_met(at: Site) -> None:
    at.put("f", "old")
    for ask in (
        Write(path="f", data=b"new", mode=Mode.REPLACE, expected_sha256=sha(b"other")),
        change("old", "new", sha(b"other")),
        Write(path="absent", data=b"new", mode=Mode.REPLACE, expected_sha256=sha(b"old")),
    ):
        refusal = at.refused(ask)
        assert (refusal.kind, refusal.field) == ("Conflict", "expected_sha256")
    assert (at.work / "f").read_text() == "old"

    at.ask(Write(path="f", data=b"new", mode=Mode.REPLACE, expected_sha256=sha(b"old").upper()))
    at.ask(change("new", "newer", sha(b"new")))

    assert (at.work / "f").read_text() == "newer"


def test_missing_folders_are_made_only_when_asked(at: Site) -> None:
    refusal = at.refused(Write(path="a/b/c", data=b"x", mode=Mode.CREATE))
    assert (refusal.kind, refusal.hint) == (
        "NotFound",
        "make it with a command, or have write_file make it with create_directories",
    )

    at.ask(Write(path="a/b/c", data=b"x", mode=Mode.CREATE, create_directories=True))

    assert (at.work / "a" / "b" / "c").read_bytes() == b"x"


def test_a_write_that_does_not_fit_leaves_the_old_file_and_no_other(at: Site) -> None:
    at.put("f", "old")
    most = 1024 * 1024
    with fileworker.running([at.work], most_file_bytes=most) as worker:
        small = Site(at.top, worker)
        for mode in Mode:
            path = "new" if mode is Mode.CREATE else "f"
            assert small.refused(Write(path=path, data=b"x" * (most + 1), mode=mode)).kind == "Exhausted"

    assert at.names() == ["f"]
    assert (at.work / "f").read_text() == "old"


def test_an_edit_shows_its_difference_and_keeps_the_mode(at: Site) -> None:
    at.put("f", "one\ntwo\nthree\n").chmod(0o640)

    answer = at.ask(change("two", "2"))

    assert (at.work / "f").read_text() == "one\n2\nthree\n"
    assert "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n" in answer.diff
    assert stat.S_IMODE((at.work / "f").stat().st_mode) == 0o640
    assert answer.sha256 == sha(b"one\n2\nthree\n")


def test_an_edit_that_fails_in_the_middle_changes_nothing(at: Site) -> None:
    at.put("f", "one two")
    replacements = (Replacement(old_text="one", new_text="1"), Replacement(old_text="three", new_text="3"))

    refusal = at.refused(Edit(path="f", replacements=replacements))

    assert (refusal.kind, refusal.field) == ("Invalid", "replacements[1].old_text")
    assert (at.work / "f").read_text() == "one two"


@pytest.mark.parametrize(
    ("content", "says"), [(b"\xff", "not UTF-8"), (b"x" * (4 * 1024 * 1024 + 1), "too many to edit")]
)
def test_what_is_no_text_or_too_large_is_not_edited(at: Site, content: bytes, says: str) -> None:
    at.put("f", content)

    assert says in at.refused(change("x", "y")).message
