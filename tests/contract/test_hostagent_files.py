"""Files over the wire, changed in the confined worker of a real launcher."""

import hashlib
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
