"""Files over the wire, changed in the confined worker of a real launcher."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support import hostagent
from support.calls import asking, failure
from support.hostagent import Wand
from wand_proto import errors
from wand_proto.v1 import files_pb2 as wire
from wand_proto.v1.files_pb2_grpc import FilesStub

MIB = 1024 * 1024
NO_ACCENTS = """
[[rule]]
name = "no accents"
verdict = "deny"
principals = ["*"]
names = ["caf?", "thé"]
"""


@pytest.fixture(scope="module")
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


@pytest.fixture
async def files(wand: Wand) -> AsyncIterator[Any]:
    async with wand.channel() as channel:
        yield FilesStub(channel)


async def test_what_is_written_is_read_again_and_recorded(wand: Wand, files: Any) -> None:
    data = bytes(range(256)) * 4096
    asked = wire.WriteRequest(path="a/b.bin", data=data, mode=wire.WRITE_MODE_CREATE, create_directories=True)

    written = await files.Write(asked, metadata=asking())
    read = await files.Read(wire.ReadRequest(path="a/b.bin", max_bytes=MIB), metadata=asking())

    assert written.created
    assert written.sha256 == hashlib.sha256(data).hexdigest() == read.sha256
    assert (read.data, read.binary, read.path) == (data, True, f"{wand.workspace}/a/b.bin")
    assert [line for line in wand.recorded("file") if line["fields"]["path"].endswith("a/b.bin")]


async def test_the_largest_file_that_may_be_written_fits_into_a_message(files: Any) -> None:
    asked = wire.WriteRequest(path="large", data=bytes(4 * MIB), mode=wire.WRITE_MODE_REPLACE)

    assert (await files.Write(asked, metadata=asking())).total_bytes == 4 * MIB


async def test_an_edit_answers_with_its_difference(wand: Wand, files: Any) -> None:
    (wand.workspace / "edited").write_text("one\ntwo\n")
    replacement = wire.Replacement(old_text="two", new_text="three")

    reply = await files.Edit(wire.EditRequest(path="edited", replacements=[replacement]), metadata=asking())

    assert "-two\n+three" in reply.diff
    assert (wand.workspace / "edited").read_text() == "one\nthree\n"


async def test_folders_are_listed_and_searched(wand: Wand, files: Any) -> None:
    (wand.workspace / "tree").mkdir()
    (wand.workspace / "tree/x.py").write_text("needle\n")

    listed = await files.List(wire.ListRequest(path="tree"), metadata=asking())
    found = await files.Search(wire.SearchRequest(path="tree", pattern="need"), metadata=asking())

    assert [(entry.path, entry.kind) for entry in listed.entries] == [("x.py", wire.FILE_KIND_FILE)]
    assert [(match.path, match.line, match.text) for match in found.matches] == [("x.py", 1, "needle")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("none", errors.NotFound), ("/etc/hostname", errors.Denied), ("../outside", errors.Denied)],
)
async def test_a_file_that_may_not_be_read_is_refused_by_its_class(
    files: Any, path: str, kind: type[errors.WandError]
) -> None:
    error = await failure(files.Read(wire.ReadRequest(path=path), metadata=asking()))

    assert type(error) is kind


async def test_a_link_out_of_the_workspace_leads_nowhere(wand: Wand, files: Any) -> None:
    (wand.workspace / "out").symlink_to("/etc/hostname")

    error = await failure(files.Read(wire.ReadRequest(path="out"), metadata=asking()))

    assert type(error) is errors.Denied


async def test_a_message_that_is_too_large_is_refused_and_the_link_lives(files: Any) -> None:
    asked = wire.WriteRequest(path="huge", data=bytes(5 * MIB), mode=wire.WRITE_MODE_REPLACE)

    error = await failure(files.Write(asked, metadata=asking()))

    assert type(error) is errors.Exhausted
    assert (await files.List(wire.ListRequest(), metadata=asking())).path


def put(wand: Wand, name: bytes, text: str) -> None:
    path = wand.workspace / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


async def test_a_name_that_is_not_utf8_is_used_as_it_is_listed(wand: Wand, files: Any) -> None:
    put(wand, b"odd/caf\xe9", "one\n")
    edits = [wire.Replacement(old_text="one", new_text="two")]

    listed = await files.List(wire.ListRequest(path="odd"), metadata=asking())
    (name,) = (f"odd/{entry.path}" for entry in listed.entries)
    edited = await files.Edit(wire.EditRequest(path=name, replacements=edits), metadata=asking())
    for what, path, to in (
        (wire.ARRANGEMENT_COPY, name, "odd/b\\xff"),
        (wire.ARRANGEMENT_REMOVE, name, ""),
        (wire.ARRANGEMENT_RESTORE, name, ""),
        (wire.ARRANGEMENT_MOVE, name, "odd/\\x5cxe9"),
    ):
        asked = wire.ArrangeRequest(what=what, path=path, to=to)
        arranged = await files.Arrange(asked, metadata=asking())
    read = await files.Read(wire.ReadRequest(path="odd/b\\xff"), metadata=asking())
    found = await files.Search(wire.SearchRequest(path="odd", pattern="two"), metadata=asking())

    assert (name, edited.path) == ("odd/caf\\xe9", f"{wand.workspace}/odd/caf\\xe9")
    assert (read.data, arranged.to) == (b"two\n", f"{wand.workspace}/odd/\\x5cxe9")
    assert [match.path for match in found.matches] == ["\\x5cxe9", "b\\xff"]
    names = [os.fsencode(path.name) for path in sorted((wand.workspace / "odd").iterdir())]
    assert names == [b"\\xe9", b"b\xff"]
    told = [line["fields"] for line in wand.recorded("file") if "/odd/" in line["fields"]["path"]]
    assert {one["path"] for one in told} == {edited.path}
    assert told[-1]["to"] == arranged.to


async def test_a_rule_bites_whatever_a_name_is_written_in() -> None:
    with hostagent.running(policy=f"{hostagent.POLICY}{NO_ACCENTS}") as wand:
        put(wand, b"caf\xe9", "x")
        put(wand, "thé".encode(), "x")
        async with wand.channel() as channel:
            for path in ("caf\\xe9", "th\\xc3\\xa9"):
                error = await failure(FilesStub(channel).Read(wire.ReadRequest(path=path), metadata=asking()))
                assert type(error) is errors.Denied
                assert "is denied by the rule 'no accents'" in error.message
        assert wand.recorded("refused")[0]["fields"]["path"] == f"{wand.workspace}/caf\\xe9"
