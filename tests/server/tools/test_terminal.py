"""What a terminal shows is drawn as a person would see it, and plays back at the times at which it came."""

import asyncio
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from typing import Any

import pytest

from support.host import FakeHost, call
from wand_proto.errors import Exhausted, NotFound
from wand_server import ports
from wand_server.model import Call
from wand_server.tools import terminal
from wand_server.tools.registry import Registry
from wand_server.tools.resources import HostResources
from wand_server.tools.terminal import CAST_BYTES, Moment, drawn, events

LISTED = ports.ListedJob(
    job="j1",
    argv=("top",),
    backend="native",
    started_unix_seconds=1_700_000_000.0,
    wall_seconds=5.0,
    end=None,
    stdout_bytes=0,
    stderr_bytes=0,
    terminal=(20, 4),
)


@dataclass
class Terminal(FakeHost):
    """A host with one job, that shows this at these times."""

    stdout: bytes = b""
    times: bytes = b"0.000 r 20x4\n"
    running: bool = False

    def __post_init__(self) -> None:
        self.listed = (replace(LISTED, stdout_bytes=len(self.stdout)),)

    async def read_output(
        self, call: Call, job: str, stream: ports.Readable, part: tuple[int, int]
    ) -> ports.OutputPart:
        of = self.times if stream == "times" else self.stdout
        data = of[part[0] : part[0] + part[1]]
        return ports.OutputPart(data=data, offset=part[0], total_bytes=len(of), running=self.running)


async def test_screens_that_take_long_to_draw_keep_nothing_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_end = threading.Event()

    def slow(data: bytes, size: ports.Size) -> tuple[tuple[str, ...], ports.Size]:
        may_end.wait(120)
        return (), (1, 1)

    monkeypatch.setattr(terminal, "drawn", slow)
    drawing = [asyncio.create_task(terminal.screen_of(Terminal(), call(), "j1")) for _ in range(40)]
    try:
        await asyncio.sleep(0)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 60) == "done"
    finally:
        may_end.set()
        await asyncio.gather(*drawing)


@pytest.mark.parametrize(
    ("data", "lines", "cursor"),
    [
        (b"", (), (1, 1)),
        (b"one\r\ntwo\r\n", ("one", "two"), (3, 1)),
        (b"progress 10%\rprogress 99%", ("progress 99%",), (1, 13)),
        (b"old\x1b[2J\x1b[Hnew", ("new",), (1, 4)),
        (b"\x1b[3;5H\x1b[31mx\x1b[0m", ("", "", "    x"), (3, 6)),
        (b"1\r\n2\r\n3\r\n4\r\n5", ("2", "3", "4", "5"), (4, 2)),
        (b"x" * 25, ("x" * 20, "xxxxx"), (2, 6)),
        ("\u65e5\u672c \u00e9".encode(), ("\u65e5\u672c \u00e9",), (1, 7)),
        (b"\xff\xfe broken", ("\ufffd\ufffd broken",), (1, 10)),
        (b"gone\x1b[?1049h\x1b[Hmenu", ("menu",), (1, 5)),
        ("\u65e5\u672c|\rx".encode(), ("x \u672c|",), (1, 2)),
        (b"a\x1b#8b", ("ab",), (1, 3)),
        (b"a\x1b[?4mb\x1b[>4;2m\x1b[?1;2r\x1b[5Jc\x1b[1;2;3Gd", ("abcd",), (1, 5)),
    ],
)
def test_a_screen_is_what_a_person_would_see(
    data: bytes, lines: tuple[str, ...], cursor: tuple[int, int]
) -> None:
    assert drawn(data, (20, 4)) == (lines, cursor)


def test_a_screen_that_would_take_hours_to_draw_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "DRAW_SECONDS", 0.0)
    with pytest.raises(Exhausted, match="screen of 1000x1000 could not be drawn") as caught:
        drawn(b"\n" * 100_000, (1000, 1000))
    assert caught.value.field == "job"


async def test_a_screen_is_read_by_either_tool_and_as_a_resource() -> None:
    host = Terminal(stdout=b"\x1b[2J\x1b[H\x1b[1mhello\x1b[0m\r\n> ", part=ports.OutputPart(
        data=b"", offset=0, total_bytes=0, running=True))  # fmt: skip
    shown = "screen 20x4, cursor at 2:3\nhello\n>"

    read = await Registry(host).call("read_file", {"path": "wand://jobs/j1/screen"}, call())
    sent = await Registry(host).call("send_input", {"job": "j1", "screen": True, "wait_seconds": 0}, call())
    resource = await HostResources(host).read("wand://jobs/j1/screen", call())

    assert read.structured["content"] == sent.structured["stdout"] == resource.data.decode() == shown


async def test_a_job_without_a_terminal_has_neither_screen_nor_recording() -> None:
    host = Terminal()
    host.listed = (replace(LISTED, terminal=None),)
    for uri in ("wand://jobs/j1/screen", "wand://jobs/j1/cast"):
        with pytest.raises(NotFound, match="has no terminal"):
            await HostResources(host).read(uri, call())


def test_what_came_at_once_is_one_moment_and_sizes_stand_between() -> None:
    moments = [
        Moment(0, 0, "80x24"), Moment(0.5, 0), Moment(1, 3), Moment(1.5, 3, "132x43"), Moment(2, 7),
    ]  # fmt: skip

    assert list(events(moments, b"oneTWO!last", 0, 11)) == [
        (0.5, "o", "one"), (1, "o", "TWO!"), (1.5, "r", "132x43"), (2, "o", "last"),
    ]  # fmt: skip


def test_a_character_that_came_in_two_halves_is_shown_when_it_is_whole() -> None:
    whole = "a\u00e9b".encode()

    assert list(events([Moment(0, 0, "80x24"), Moment(1, 0), Moment(2, 2)], whole, 0, 4)) == [
        (1, "o", "a"),
        (2, "o", "\u00e9b"),
    ]


async def recording(host: FakeHost) -> list[Any]:
    """Every line, read on as a client does."""
    uri, text = "wand://jobs/j1/cast", ""
    while uri:
        part = await HostResources(host).read(uri, call())
        uri, text = part.next_uri, text + part.data.decode()
    return [json.loads(line) for line in text.splitlines()]


async def test_a_long_recording_comes_in_parts_that_join_without_a_seam() -> None:
    stdout = ("\u65e5" * (CAST_BYTES // 2)).encode() + b"end"
    half = len(stdout) // 2 + 1
    times = f"0.000 r 20x4\n0.100 o 0\ntorn li\n2.000 o {half}\n3.000 r 30x5\n".encode()

    head, *rest = await recording(Terminal(stdout=stdout, times=times))

    assert head == {"version": 2, "width": 20, "height": 4, "timestamp": 1_700_000_000, "title": "top"}
    assert "".join(text for _, kind, text in rest if kind == "o") == stdout.decode()
    assert [seconds for seconds, _, _ in rest] == sorted(seconds for seconds, _, _ in rest)
    assert [event for event in rest if event[1] == "r"] == [[3.0, "r", "30x5"]]
    assert {event[0] for event in rest} == {0.1, 2.0, 3.0}


async def test_a_recording_of_a_job_that_runs_says_where_to_go_on() -> None:
    host = Terminal(stdout=b"so far", times=b"0.000 r 20x4\n0.100 o 0\n", running=True)

    part = await HostResources(host).read("wand://jobs/j1/cast", call())
    later = await HostResources(host).read(part.next_uri, call())

    assert part.next_uri == "wand://jobs/j1/cast?offset=6"
    assert (later.data, later.next_uri) == (b"", part.next_uri)


def test_what_draws_screens_is_not_loaded_with_the_server() -> None:
    code = "import sys, wand_server.app; sys.exit('pyte' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
