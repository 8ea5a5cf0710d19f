"""Characters that no eye sees are shown or told of, wherever a result could carry them to a model."""

from dataclasses import replace

import pytest

from support.host import FILE, FakeHost, call
from wand_server import ports
from wand_server.tools import render, unseen
from wand_server.tools.registry import Registry

HIDDEN = "a" + "".join(chr(0xE0000 + ord(letter)) for letter in "run") + "b"
SHOWN = r"a\u{e0072}\u{e0075}\u{e006e}b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HIDDEN, SHOWN),
        ("if \u202eadmin\u2066", r"if \u{202e}admin\u{2066}"),
        ("plain", "plain"),
        ("grüße, 👩\u200d💻 and שלום", "grüße, 👩\u200d💻 and שלום"),
    ],
)
def test_what_is_not_seen_is_written_out(text: str, shown: str) -> None:
    assert unseen.visible(text) == shown
    assert bool(unseen.notes("stdout", text, "written out")) == (text != shown)


def test_output_of_a_command_is_written_out_and_told_of() -> None:
    data = HIDDEN.encode()

    stream = render.show_stream(render.Stream(name="stdout", job="j", data=data, total_bytes=len(data)))

    assert stream.text == SHOWN
    (note,) = stream.notes
    assert note.startswith(r"stdout: 3 characters stand in it that no eye sees, written out as \u{N}")


async def test_a_file_is_left_as_it_is_and_told_of() -> None:
    data = HIDDEN.encode()
    host = FakeHost(file=replace(FILE, data=data, total_bytes=len(data)))

    result = await Registry(host).call("read_file", {"path": "a"}, call())

    assert result.structured["content"] == HIDDEN
    assert "no eye sees, left as they are" in result.text


async def test_a_name_forges_no_line() -> None:
    name, shown = "a\n\x1b[2Jb  9 bytes\x7f\u2028", r"a\n\u001b[2Jb  9 bytes\u007f\u2028"
    entry = ports.FileEntry(path=name, kind="link", bytes=1, modified_unix_seconds=0, mode=0o644, target=name)
    match = ports.Match(path=name, line=0, text=name)
    host = FakeHost(
        listing=ports.Listing(path="/work", entries=(entry,), truncated=False),
        found=ports.Found(path="/work", matches=(match,), truncated=False, files_searched=0, files_skipped=0),
        file=replace(FILE, path=name),
    )

    listed = await Registry(host).call("list_directory", {}, call())
    found = await Registry(host).call("search_files", {"name_glob": "*"}, call())
    read = await Registry(host).call("read_file", {"path": "a"}, call())

    assert listed.text.splitlines()[1] == f"{shown} -> {shown}"
    assert found.text.splitlines()[1] == shown
    assert read.text.startswith(f"{shown}: 8 bytes")
    assert listed.structured["entries"][0]["path"] == name


async def test_tags_in_a_name_are_written_out_and_told_of() -> None:
    entry = ports.FileEntry(path=HIDDEN, kind="file", bytes=1, modified_unix_seconds=0, mode=0o644)
    host = FakeHost(listing=ports.Listing(path="/work", entries=(entry,), truncated=False))

    result = await Registry(host).call("list_directory", {}, call())

    assert SHOWN in result.text
    assert "no eye sees" in result.text
    assert result.structured["entries"][0]["path"] == HIDDEN
