"""list_jobs, manage_file and pictures: what is asked of the host, and what a model and a client are given."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from support.host import FILE, FakeHost, call
from wand_server import ports
from wand_server.model import ToolResult
from wand_server.protocol.methods import wire_result
from wand_server.tools.pictures import MOST_BYTES
from wand_server.tools.registry import Registry

RUNNING = ports.ListedJob(
    job="j1",
    argv=("make\n  all",),
    backend="native",
    started_unix_seconds=0.0,
    wall_seconds=75.0,
    end=None,
    stdout_bytes=2048,
    stderr_bytes=0,
    terminal=(80, 24),
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


async def use(host: FakeHost, tool: str, **arguments: Any) -> ToolResult:
    return await Registry(host).call(tool, arguments, call())


def ended(reason: ports.Reason, exit_code: int | None = None, signal: int | None = None) -> ports.ListedJob:
    end = ports.JobEnd(reason=reason, exit_code=exit_code, signal=signal)
    return replace(RUNNING, job="j2", argv=("ls", "-l"), backend="ssh:web1", terminal=None, end=end)


async def test_a_list_of_jobs_has_a_line_for_each() -> None:
    ends = (
        ended("exited", 2),
        ended("timed_out", signal=9),
        ended("signaled", signal=15),
        ended("cancelled"),
    )
    host = FakeHost(listed=(RUNNING, *ends, replace(ends[0], wall_seconds=0.0123)))
    result = await use(host, "list_jobs")

    assert result.text.splitlines() == [
        "j1  runs since 75 s, terminal 80x24, 2.0 KiB printed: make all",
        "j2  exit code 2 after 75 s on ssh:web1, 2.0 KiB printed: ls -l",
        "j2  ended by SIGKILL (timed_out) after 75 s on ssh:web1, 2.0 KiB printed: ls -l",
        "j2  ended by SIGTERM after 75 s on ssh:web1, 2.0 KiB printed: ls -l",
        "j2  cancelled after 75 s on ssh:web1, 2.0 KiB printed: ls -l",
        "j2  exit code 2 after 12 ms on ssh:web1, 2.0 KiB printed: ls -l",
    ]
    assert result.structured["jobs"][0]["state"] == "runs"


async def test_a_list_of_jobs_is_bounded() -> None:
    result = await use(FakeHost(listed=(replace(RUNNING, argv=("x" * 9999,)),) * 300), "list_jobs")

    assert (len(result.structured["jobs"]), result.structured["left_out"]) == (50, 250)
    assert len(result.text) < 20_000
    assert (await use(FakeHost(), "list_jobs")).text == "No job runs, and none has ended lately."


@pytest.mark.parametrize("action", ["move", "copy", "remove", "restore"])
async def test_what_becomes_of_a_file_is_asked_as_it_was_said(action: str) -> None:
    host = FakeHost()
    to = "" if action in {"remove", "restore"} else "b.txt"
    result = await use(host, "manage_file", action=action, path="a.txt", to=to)

    assert host.asked == [ports.Arranging(what=action, path="a.txt", to=to)]  # type: ignore[arg-type]
    assert result.text.startswith(
        f"/work/a.txt {'copied' if action == 'copy' else action.rstrip('e') + 'ed'}"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action": "move", "path": "a"}, "give `to`"),
        ({"action": "copy", "path": "a"}, "give `to`"),
        ({"action": "remove", "path": "a", "to": "b"}, "leave `to` out"),
        ({"action": "delete", "path": "a"}, "action: must be"),
        ({"action": "remove"}, "path: is missing"),
    ],
)
async def test_what_makes_no_sense_of_a_file_is_refused_in_words(
    arguments: dict[str, Any], said: str
) -> None:
    host = FakeHost()
    result = await use(host, "manage_file", **arguments)

    assert (result.is_error, said in result.text, host.asked) == (True, True, [])


@pytest.mark.parametrize(
    ("begins", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf"),
    ],
)
async def test_an_image_comes_as_one_and_a_pdf_as_a_resource(begins: bytes, kind: str) -> None:
    file = replace(FILE, path="/work/a b", data=begins, total_bytes=len(begins), binary=True)
    result = await use(FakeHost(file=file), "read_file", path="a b")
    text, shown = wire_result(result, "2025-11-25")["content"]

    assert f"{kind}, " in text["text"]
    data = base64.b64encode(begins).decode()
    if kind.startswith("image/"):
        assert shown == {"type": "image", "data": data, "mimeType": kind}
    else:
        uri = "wand://files/work/a%20b"
        assert shown == {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}}
    assert "shown" not in result.structured


async def test_a_part_of_an_image_and_one_that_is_too_large_are_told_in_words() -> None:
    file = replace(FILE, data=PNG, total_bytes=len(PNG), binary=True)
    part = await use(FakeHost(file=file), "read_file", path="a.png", offset=0)
    large = await use(FakeHost(file=replace(file, total_bytes=MOST_BYTES + 1)), "read_file", path="a.png")

    assert "shown escaped" in part.text
    assert "too large to be shown, the most is 3.0 MiB" in large.text
    assert part.pictures == large.pictures == ()


async def test_the_last_lines_and_the_last_bytes_are_asked_of_the_host() -> None:
    host = FakeHost()
    await use(host, "read_file", path="a.txt", first_line=-20)
    await use(host, "read_file", path="a.txt", offset=-3)

    (lines, _, bytes_) = [one for one in host.asked if isinstance(one, ports.Reading)]
    assert (lines.last_lines, lines.first_line, lines.offset) == (20, 0, 0)
    assert (bytes_.offset, bytes_.first_line) == (5, 0)


async def test_the_end_of_what_a_job_printed_is_found_from_its_length() -> None:
    part = ports.OutputPart(data=b"a\nb\nc\n", offset=94, total_bytes=100, running=False)
    host = FakeHost(part=part)
    by_lines = await use(host, "read_file", path="wand://jobs/j1/stdout", first_line=-2)
    by_bytes = await use(host, "read_file", path="wand://jobs/j1/stderr", offset=-6)

    assert (by_lines.structured["content"], by_lines.structured["offset"]) == ("b\nc\n", 96)
    assert by_bytes.structured["content"] == "a\nb\nc\n"
    assert host.asked[-1] == ("j1", "stderr", (94, 48 * 1024))


async def test_what_a_job_printed_is_searched_by_its_name() -> None:
    host = FakeHost()
    await use(host, "search_files", path="wand://jobs/j1/stderr", pattern="x", skip=3)
    wrong = await use(host, "search_files", path="wand://jobs/j1/screen", pattern="x")

    ((job, stream, offset, search),) = [one for one in host.asked if isinstance(one, tuple)]
    assert (job, stream, offset, search.pattern, search.skip) == ("j1", "stderr", 0, "x", 3)
    assert "only lines of stdout or stderr" in wrong.text
