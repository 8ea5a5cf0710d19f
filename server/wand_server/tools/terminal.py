"""What a job in a terminal shows: its screen as a person would see it, and all of it as an asciicast.

The recording is asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a line of JSON that is its head, and
one for each moment. The screen is drawn from what came last of the stream, for a program draws all anew.
"""

import asyncio
import codecs
import json
import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wand_proto.errors import Exhausted, NotFound
from wand_server.model import Call
from wand_server.ports import Host, ListedJob, Size
from wand_server.tools import render

DRAWN_BYTES = 128 * 1024  # of the end of the stream
CAST_BYTES = 128 * 1024  # of the stream, in one part of a recording
DRAW_SECONDS = 5.0
_THREADS = ThreadPoolExecutor(2, "drawing")  # of their own: it may take long, and others need theirs
_AT_ONCE_BYTES = 256  # drawn between two looks at the clock
_TIMES_BYTES = 1024 * 1024  # asked for at once
_MOST_TIMES_BYTES = 16 * 1024 * 1024
_TITLE_CHARACTERS = 200
_ANEW = re.compile(rb"\x1bc|\x1b\[[23]J|\x1b\[\?1049h")  # where all that was there before is gone
_LINE = re.compile(r"([0-9]+\.[0-9]+) (?:o ([0-9]{1,18})|r ([0-9]{1,4}x[0-9]{1,4}))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """A terminal as it looks now; the cursor is (row, column), the first being 1."""

    size: Size
    lines: tuple[str, ...]
    cursor: Size
    running: bool

    def text(self) -> str:
        """What a model reads."""
        rows = "\n".join(self.lines)
        return f"screen {self.size[0]}x{self.size[1]}, cursor at {self.cursor[0]}:{self.cursor[1]}\n{rows}"


async def screen_of(host: Host, call: Call, job: str) -> Screen:
    """The screen of a job.

    Raises:
        NotFound: there is no such job, or it has no terminal.
        Exhausted: it takes too long to draw.
    """
    listed, size = await _in_terminal(host, call, job)
    offset = max(0, listed.stdout_bytes - DRAWN_BYTES)
    part = await host.read_output(call, job, "stdout", (offset, DRAWN_BYTES + 64 * 1024))
    drawing = asyncio.get_running_loop().run_in_executor(_THREADS, drawn, part.data, size)
    lines, cursor = await drawing
    return Screen(size=size, lines=lines, cursor=cursor, running=listed.end is None)


async def _in_terminal(host: Host, call: Call, job: str) -> tuple[ListedJob, Size]:
    (listed,) = await host.list_jobs(call, job)
    if listed.terminal is None:
        raise NotFound(f"job {job} has no terminal", hint="start it with terminal", field="job")
    return listed, listed.terminal


def drawn(data: bytes, size: Size) -> tuple[tuple[str, ...], Size]:
    """The lines that such a terminal shows, but for empty ones at the end, and where its cursor is.

    Raises:
        Exhausted: it takes too long; a program can write what takes hours.
    """
    import pyte  # noqa: PLC0415 - hardly ever wanted, and it takes its time to load

    began = [found.start() for found in _ANEW.finditer(data)]
    screen = pyte.Screen(*size)
    for name in set(pyte.Stream.csi.values()):
        setattr(screen, name, _lenient(getattr(screen, name)))
    for name in set(pyte.Stream.sharp.values()):  # a picture to adjust a tube by: 4 bytes fill all of it
        setattr(screen, name, lambda: None)
    stream = pyte.ByteStream(screen)
    until = time.monotonic() + DRAW_SECONDS
    for start in range(began[-1] if began else 0, len(data), _AT_ONCE_BYTES):
        stream.feed(data[start : start + _AT_ONCE_BYTES])
        if time.monotonic() > until:
            message = f"the screen of {size[0]}x{size[1]} could not be drawn within {DRAW_SECONDS:g} s"
            raise Exhausted(
                message, hint="read what it printed, or give it fewer columns and rows", field="job"
            )
    lines = [_line(screen.buffer.get(row, {})) for row in range(size[1])]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines), (screen.cursor.y + 1, min(screen.cursor.x, size[0] - 1) + 1)


def _lenient(act: Callable[..., None]) -> Callable[..., None]:
    """The same, but for what the library does not know of it and a terminal ignores: vim sends some."""

    def acts(*arguments: Any, **named: Any) -> None:
        with suppress(TypeError, UnboundLocalError):
            act(*arguments, **named)

    return acts


def _line(cells: Mapping[int, Any]) -> str:
    """A row of characters, of which a wide one takes two cells, the second of them empty."""
    shown = ""
    for column in range(max(cells, default=-1) + 1):
        data = cells[column].data if column in cells else " "
        is_half = not data and unicodedata.east_asian_width(shown[-1:] or " ") not in {"W", "F"}
        shown += " " if is_half else data  # what stood in the other cell was written over
    return shown.rstrip()


@dataclass(frozen=True, slots=True)
class Moment:
    """So many seconds after the start the stream went on from `offset`, or the terminal had another size."""

    seconds: float
    offset: int
    size: str = ""


async def cast_part(host: Host, call: Call, job: str, offset: int) -> tuple[str, int | None]:
    """A part of the recording, from that byte of the stream on, and where the next one begins.

    Raises:
        NotFound: there is no such job, or it has no terminal.
    """
    listed, size = await _in_terminal(host, call, job)
    moments = list(_moments(await _times(host, call, job)))
    part = await host.read_output(call, job, "stdout", (offset, CAST_BYTES))
    is_last = part.offset + len(part.data) >= part.total_bytes and not part.running
    data = part.data if is_last else render.whole_characters(part.data)
    first = moments[0].size if moments and moments[0].size else f"{size[0]}x{size[1]}"
    lines = [_head(listed, first)] if offset == 0 else []
    lines += [
        json.dumps(event, ensure_ascii=False)
        for event in events(moments, data, part.offset, part.total_bytes)
    ]
    return "".join(f"{line}\n" for line in lines), None if is_last else part.offset + len(data)


def _head(listed: ListedJob, size: str) -> str:
    columns, _, rows = size.partition("x")
    head = {
        "version": 2,
        "width": int(columns),
        "height": int(rows),
        "timestamp": int(listed.started_unix_seconds),
        "title": " ".join(" ".join(listed.argv).split())[:_TITLE_CHARACTERS],
    }
    return json.dumps(head)


async def _times(host: Host, call: Call, job: str) -> bytes:
    times = bytearray()
    while len(times) < _MOST_TIMES_BYTES:
        part = await host.read_output(call, job, "times", (len(times), _TIMES_BYTES))
        if not part.data:
            break
        times += part.data
    return bytes(times)


def _moments(times: bytes) -> Iterator[Moment]:
    """What the lines say; one that an end of the host agent has torn says nothing."""
    offset = 0
    for line in times.decode("ascii", "replace").splitlines():
        if (found := _LINE.fullmatch(line)) is None:
            continue
        if found[2]:
            offset = int(found[2])
        yield Moment(float(found[1]), offset, found[3] or "")


def events(
    moments: Sequence[Moment], data: bytes, begin: int, total_bytes: int
) -> Iterator[tuple[float, str, str]]:
    """The events of an asciicast for `data`, which begins at that byte of a stream of so many."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    end, at = begin + len(data), begin
    for moment, until in _until(moments, total_bytes):
        if moment.size:
            if begin < until <= end or until == begin == 0:
                yield moment.seconds, "r", moment.size
        elif at < until and moment.offset < end:
            yield from _shown(moment.seconds, decoder.decode(data[at - begin : until - begin]))
            at = until


def _until(moments: Sequence[Moment], total_bytes: int) -> Iterator[tuple[Moment, int]]:
    """Each moment but the size at the start, and the byte up to which had been shown when it was over."""
    until = total_bytes
    found = []
    for moment in reversed(moments):
        found.append((moment, until))
        if not moment.size:
            until = moment.offset
    yield Moment(0.0, 0), until
    yield from reversed(found[:-1] if moments and moments[0].size else found)


def _shown(seconds: float, text: str) -> Iterator[tuple[float, str, str]]:
    if text:
        yield seconds, "o", text
