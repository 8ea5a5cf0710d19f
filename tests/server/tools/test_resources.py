"""What can be read by URI: which part of the host each URI asks for, and what comes back."""

import json
from dataclasses import replace
from typing import Any, Literal

import pytest

from support.host import FILE, FakeHost, call
from wand_proto.errors import Invalid, NotFound, WandError
from wand_server import ports
from wand_server.tools.resources import READ_CEILING, HostResources

CASES: list[tuple[str, Any]] = [
    ("wand://files/a.txt", ports.Reading(path="a.txt", max_bytes=READ_CEILING)),
    ("wand://files//etc/hosts", ports.Reading(path="/etc/hosts", max_bytes=READ_CEILING)),
    ("wand://files/a%20b%3F.txt", ports.Reading(path="a b?.txt", max_bytes=READ_CEILING)),
    ("wand://files/a.txt?offset=7", ports.Reading(path="a.txt", offset=7, max_bytes=READ_CEILING)),
]


@pytest.mark.parametrize(("uri", "asked"), CASES)
async def test_a_uri_names_a_file_and_where_to_begin(uri: str, asked: ports.Reading) -> None:
    host = FakeHost()
    content = await HostResources(host).read(uri, call())
    assert (host.asked, content.uri, content.mime_type) == ([asked], uri, "text/plain")


async def test_a_file_that_is_longer_says_where_it_goes_on() -> None:
    host = FakeHost(file=replace(FILE, data=b"one\n", offset=4, total_bytes=100))
    content = await HostResources(host).read("wand://files/a.txt?offset=4", call())
    assert (content.data, content.next_uri) == (b"one\n", "wand://files/a.txt?offset=8")


async def test_text_that_goes_on_is_cut_where_a_character_ends() -> None:
    host = FakeHost(file=replace(FILE, data="aé".encode()[:2], total_bytes=3))
    content = await HostResources(host).read("wand://files/a", call())
    assert (content.data, content.mime_type, content.next_uri) == (
        b"a",
        "text/plain",
        "wand://files/a?offset=1",
    )


async def test_what_a_job_printed_goes_on_while_it_runs() -> None:
    host = FakeHost(part=ports.OutputPart(data=b"\xff\xfe", offset=3, total_bytes=5, running=True))
    content = await HostResources(host).read("wand://jobs/j1/stderr?offset=3", call())
    assert (content.mime_type, content.next_uri) == (
        "application/octet-stream",
        "wand://jobs/j1/stderr?offset=5",
    )


@pytest.mark.parametrize("name", ["info", "status"])
async def test_the_host_tells_of_itself_as_json(name: str) -> None:
    content = await HostResources(FakeHost()).read(f"wand://host/{name}", call())
    assert content.mime_type == "application/json"
    assert isinstance(json.loads(content.data), dict)


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("wand://files/", NotFound),
        ("wand://files/a%00b", NotFound),
        ("wand://jobs/j1", NotFound),
        ("wand://jobs/j1/stdin", NotFound),
        ("wand://host/secrets", NotFound),
        ("wand://elsewhere/a", NotFound),
        ("file:///etc/passwd", NotFound),
        ("wand://files/a?offset=-1", Invalid),
        ("wand://files/a?offset=1e3", Invalid),
        ("wand://files/a?depth=1", NotFound),
        ("wand://files/a#b", NotFound),
        ("wand://[", NotFound),
        ("", NotFound),
    ],
)
async def test_what_is_no_resource_is_not_read(uri: str, error: type[WandError]) -> None:
    host = FakeHost()
    with pytest.raises(error):
        await HostResources(host).read(uri, call())
    assert host.asked == []


def entry(path: str, kind: Literal["file", "directory"] = "file") -> ports.FileEntry:
    return ports.FileEntry(path=path, kind=kind, bytes=1, modified_unix_seconds=0, mode=0o644)


def listed(job: str) -> ports.ListedJob:
    return ports.ListedJob(
        job=job, argv=("true",), backend="native", started_unix_seconds=0, wall_seconds=1, end=None,
        stdout_bytes=0, stderr_bytes=0,
    )  # fmt: skip


FILES, JOBS = "wand://files/{+path}{?offset}", "wand://jobs/{job}/{stream}{?offset}"


@pytest.mark.parametrize(
    ("template", "variable", "begun", "values", "asked"),
    [
        (JOBS, "stream", "std", ("stdout", "stderr"), None),
        (JOBS, "stream", "stde", ("stderr",), None),
        (JOBS, "path", "", (), None),
        (JOBS, "job", "", ("j1", "k2"), "jobs "),
        (JOBS, "job", "k", ("k2",), "jobs "),
        (FILES, "path", "", ("a.txt", "src/", ".env"), ports.List(max_entries=5000)),
        (FILES, "path", "s", ("src/",), ports.List(max_entries=5000)),
        (FILES, "path", ".", (".env",), ports.List(max_entries=5000, hidden=True)),
        (FILES, "path", "lib/x/a", ("lib/x/a.txt",), ports.List(path="lib/x", max_entries=5000)),
        (FILES, "path", "/a", ("/a.txt",), ports.List(path="/", max_entries=5000)),
        (FILES, "offset", "", (), None),
    ],
)
async def test_variables_of_templates_can_be_completed(
    template: str, variable: str, begun: str, values: tuple[str, ...], asked: object
) -> None:
    entries = (entry("a.txt"), entry("src", "directory"), entry(".env"))
    listing = ports.Listing(path="/work", entries=entries, truncated=False)
    host = FakeHost(listing=listing, listed=(listed("j1"), listed("k2")))

    assert await HostResources(host).complete(template, variable, begun, call()) == values
    assert host.asked == ([] if asked is None else [asked])


async def test_a_template_that_is_not_there_is_not_completed() -> None:
    with pytest.raises(NotFound):
        await HostResources(FakeHost()).complete("wand://nothing/{x}", "x", "", call())


async def test_the_audit_is_a_line_for_each_record() -> None:
    host = FakeHost()
    content = await HostResources(host).read("wand://audit", call())
    assert (host.asked, content.data) == (
        ["audit 0"],
        b'{"seq":3,"event":"run"}\n{"seq":4,"event":"run"}\n',
    )
    with pytest.raises(NotFound):
        await HostResources(host).read("wand://audit/x", call())


async def test_the_audit_is_read_back_to_its_first_record() -> None:
    resources, uri, seen = HostResources(FakeHost()), "wand://audit", b""
    while uri:
        content = await resources.read(uri, call())
        uri, seen = content.next_uri, content.data + seen
    assert [json.loads(line)["seq"] for line in seen.splitlines()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("uri", "wrong"),
    [
        ("wand://audit?before=-1", Invalid),
        ("wand://audit?offset=1", NotFound),
        ("wand://audit?before=x", Invalid),
    ],
)
async def test_only_a_number_says_where_in_the_audit(uri: str, wrong: type[WandError]) -> None:
    with pytest.raises(wrong):
        await HostResources(FakeHost()).read(uri, call())
