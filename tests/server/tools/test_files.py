"""read_file, write_file, list_directory, search_files: what they ask, what they answer, how to go on."""

from dataclasses import replace
from typing import Any

import pytest

from support.host import FILE, FakeHost, call, refusing
from wand_proto.errors import Invalid
from wand_server import ports
from wand_server.model import ToolResult
from wand_server.tools.registry import Registry


async def use(host: FakeHost, tool: str, **arguments: Any) -> ToolResult:
    return await Registry(host).call(tool, arguments, call())


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, ports.Reading(path="a", first_line=1, max_bytes=49152)),
        (
            {"first_line": 9, "max_lines": 3},
            ports.Reading(path="a", first_line=9, max_lines=3, max_bytes=49152),
        ),
        ({"max_lines": 3}, ports.Reading(path="a", first_line=1, max_lines=3, max_bytes=49152)),
        ({"offset": 0}, ports.Reading(path="a", max_bytes=49152)),
        ({"offset": 7, "max_bytes": 10}, ports.Reading(path="a", offset=7, max_bytes=10)),
        ({"max_bytes": 10**9}, ports.Reading(path="a", max_bytes=49152)),
    ],
)
async def test_a_file_is_read_by_lines_or_by_bytes(arguments: Any, asked: ports.Reading) -> None:
    host = FakeHost()

    await use(host, "read_file", path="a", **arguments)

    assert host.asked == [asked]


async def test_a_whole_file_comes_with_its_digest() -> None:
    result = await use(FakeHost(), "read_file", path="a.txt")

    assert result.text == f"/work/a.txt: 8 bytes, sha256 {'ab' * 32}\n\none\ntwo\n"
    assert result.structured["next_line"] is None


async def test_a_part_by_lines_says_the_next_line() -> None:
    part = replace(FILE, total_bytes=100, next_line=3, sha256="")

    result = await use(FakeHost(file=part), "read_file", path="a.txt")

    assert "read on with first_line=3" in result.text
    assert (result.structured["next_line"], result.structured["next_offset"]) == (3, 8)


async def test_a_line_too_long_for_an_answer_goes_on_by_bytes() -> None:
    part = replace(FILE, data=b"x" * 100, total_bytes=300, next_line=2, sha256="")

    result = await use(FakeHost(file=part), "read_file", path="a.txt")

    assert "line 1 goes on: read on with offset=100; the line after it is first_line=2." in result.text


@pytest.mark.parametrize("how", [{"offset": 10}, {"first_line": 4}])
async def test_a_part_ends_with_a_whole_character(how: Any) -> None:
    line = how.get("first_line", 0)
    part = replace(FILE, data="ab€".encode()[:4], first_line=line, offset=10, total_bytes=100, sha256="")

    result = await use(FakeHost(file=part), "read_file", path="a.txt", **how)

    assert (result.structured["content"], result.structured["next_offset"]) == ("ab", 12)
    assert "read on with offset=12" in result.text


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_a_part_that_is_less_than_a_character_is_shown_and_left_behind(most: int) -> None:
    data = "€".encode()[:most]
    part = replace(FILE, data=data, first_line=0, offset=10, total_bytes=100, sha256="")

    result = await use(FakeHost(file=part), "read_file", path="a.txt", offset=10, max_bytes=most)

    assert result.structured["next_offset"] == 10 + most
    assert result.structured["content"] == data.decode(errors="backslashreplace")


async def test_a_binary_file_is_shown_escaped_and_said_to_be_binary() -> None:
    part = replace(FILE, data=b"\0" * 5000, total_bytes=5000, binary=True)

    result = await use(FakeHost(file=part), "read_file", path="a.bin")

    assert "binary: shown escaped" in result.text
    assert (len(result.structured["content"]), result.structured["next_offset"]) == (4 * 512, 512)
    assert "read on with offset=512" in result.text
    assert result.structured["binary"] is True


async def test_what_a_job_printed_is_read_from_its_handle() -> None:
    host = FakeHost(
        part=ports.OutputPart(data=b"\x1b[1mmore\x1b[0m", offset=24, total_bytes=99, running=True)
    )

    result = await use(host, "read_file", path="wand://jobs/j1/stderr", offset=24)

    assert host.asked == [("j1", "stderr", (24, 49152))]
    assert result.structured["content"] == "more"
    assert result.structured["next_offset"] == 24 + 12
    assert result.structured["running"] is True


async def test_the_output_of_a_job_that_runs_can_be_asked_for_again_at_its_end() -> None:
    host = FakeHost(part=ports.OutputPart(data=b"", offset=99, total_bytes=99, running=True))

    assert (await use(host, "read_file", path="wand://jobs/j1/stdout")).structured["next_offset"] == 99


@pytest.mark.parametrize(("asked", "note"), [(5, "before this 19 bytes are lost: the host agent"), (24, "")])
async def test_output_that_is_lost_is_stepped_over_and_said_to_be_lost(asked: int, note: str) -> None:
    host = FakeHost(part=ports.OutputPart(data=b"after", offset=24, total_bytes=29, running=False))

    result = await use(host, "read_file", path="wand://jobs/j1/stdout", offset=asked)

    assert (result.structured["offset"], result.structured["content"]) == (24, "after")
    assert note in "".join(result.structured["notes"])
    assert bool(note) == bool(result.structured["notes"])


async def test_half_a_character_before_a_loss_is_not_asked_for_for_ever() -> None:
    host = FakeHost(part=ports.OutputPart(data=b"\xe2\x82", offset=7, total_bytes=99, running=False))

    assert (await use(host, "read_file", path="wand://jobs/j1/stdout", offset=7)).structured[
        "next_offset"
    ] == 9


async def test_the_output_of_a_job_is_not_read_by_lines() -> None:
    result = await use(FakeHost(), "read_file", path="wand://jobs/j1/stdout", first_line=2)

    said = "Invalid: first_line: what a job printed is read by bytes, or from its end"
    assert result.text == f"{said}\nHint: give offset, or first_line=-20 for the last 20 lines"


async def test_a_part_past_the_end_is_said_to_be_past_it() -> None:
    past = replace(FILE, data=b"", offset=8, first_line=30)

    result = await use(FakeHost(file=past), "read_file", path="a.txt", first_line=30)
    empty = await use(FakeHost(file=replace(FILE, data=b"", total_bytes=0)), "read_file", path="a.txt")

    assert "There is nothing here: this is past its end." in result.text
    assert "past its end" not in empty.text


async def test_content_is_written_in_its_mode() -> None:
    host = FakeHost()

    result = await use(host, "write_file", path="a", content="é", mode="append", expected_sha256="0" * 64)

    assert host.asked == [
        ports.Writing(path="a", content="é".encode(), mode="append", expected_sha256="0" * 64)
    ]
    assert result.text == f"/work/a.txt created: 8 bytes, sha256 {'cd' * 32}"


async def test_an_empty_file_can_be_written() -> None:
    host = FakeHost()

    assert not (await use(host, "write_file", path="a", content="")).is_error
    assert host.asked == [ports.Writing(path="a", content=b"", mode="create")]


async def test_edits_reach_the_host_in_order_and_the_diff_comes_back() -> None:
    written = ports.FileWritten(path="/work/a", total_bytes=1, sha256="s", created=False, diff="-a\n+b\n")
    host = FakeHost(written=written)
    edits = [{"old_text": "a", "new_text": "b"}, {"old_text": "c", "new_text": "", "every": True}]

    result = await use(host, "write_file", path="a", edits=edits)

    replacements = (
        ports.Replacement(old_text="a", new_text="b"),
        ports.Replacement(old_text="c", new_text="", every=True),
    )
    assert host.asked == [("a", replacements, "")]
    assert result.text == "/work/a changed: 1 byte, sha256 s\n-a\n+b\n"


async def test_a_fault_in_an_edit_is_named_as_the_caller_wrote_it() -> None:
    host = refusing(Invalid("does not occur in the file", field="replacements[0].old_text"))

    result = await use(host, "write_file", path="a", edits=[{"old_text": "a", "new_text": "b"}])

    assert result.text == "Invalid: edits[0].old_text: does not occur in the file"


async def test_a_mode_beside_edits_is_refused() -> None:
    edits = [{"old_text": "a", "new_text": "b"}]

    result = await use(FakeHost(), "write_file", path="a", edits=edits, mode="append")

    assert "mode and create_directories go with content" in result.text


def entry(path: str, **changes: Any) -> ports.FileEntry:
    facts = {"kind": "file", "bytes": 2048, "modified_unix_seconds": 0.0, "mode": 0o644, **changes}
    return ports.FileEntry(path=path, **facts)


async def test_a_folder_reads_as_a_list() -> None:
    entries = (entry("a.py"), entry("b", kind="directory"), entry("c", kind="link", target="a.py"))
    host = FakeHost(listing=ports.Listing(path="/work", entries=entries, truncated=False))

    result = await use(host, "list_directory", depth=2, hidden=True)

    assert host.asked == [ports.List(depth=2, max_entries=300, hidden=True)]
    assert result.text == "/work: 3 entries\na.py  2.0 KiB\nb/\nc -> a.py"
    assert result.structured["entries"][0]["modified"] == "1970-01-01T00:00:00Z"


async def test_a_list_too_long_for_an_answer_is_cut_and_says_so() -> None:
    entries = tuple(entry(f"{'x' * 200}{number}") for number in range(2000))
    host = FakeHost(listing=ports.Listing(path="/work", entries=entries, truncated=False))

    result = await use(host, "list_directory")

    assert result.structured["truncated"] is True
    assert 0 < len(result.structured["entries"]) < 2000
    assert "There are more" in result.text


async def test_what_is_found_reads_as_grep_prints_it() -> None:
    matches = (
        ports.Match(path="a.py", line=7, text="def run():", before=("",), after=("    pass",)),
        ports.Match(path="a.py", line=20, text="run()"),
        ports.Match(path="run.txt", line=0, text=""),
    )
    found = ports.Found(path="/work", matches=matches, truncated=True, files_searched=9, files_skipped=1)
    host = FakeHost(found=found)

    result = await use(host, "search_files", pattern="run", name_glob="*.py", context_lines=1)

    assert host.asked == [ports.Search(pattern="run", name_glob="*.py", context_lines=1, max_matches=100)]
    assert result.text.splitlines() == [
        "3 matches in /work (9 files searched, 1 skipped), and there are more: go on with skip=3",
        "a.py",
        "  6- ",
        "  7: def run():",
        "  8-     pass",
        "  20: run()",
        "run.txt",
    ]


async def test_names_that_are_found_are_not_called_files_searched() -> None:
    matches = (ports.Match(path="run.py", line=0, text=""),)
    found = ports.Found(path="/work", matches=matches, truncated=False, files_searched=0, files_skipped=0)

    result = await use(FakeHost(found=found), "search_files", name_glob="*.py")

    assert result.text == "1 match in /work\nrun.py"
    assert result.structured["searched"] == "names"
