"""What a job wrote, by the name under which read_file knows it; of a terminal also its screen."""

import re
from dataclasses import dataclass

from wand_proto.errors import Invalid
from wand_proto.plaintext import plain
from wand_server.model import Call
from wand_server.ports import Host, OutputPart, StreamName
from wand_server.tools import render
from wand_server.tools.reading import ReadAnswer, nothing_here, readable
from wand_server.tools.terminal import screen_of

JOB_NAMED = re.compile(r"wand://jobs/([A-Za-z0-9_-]{1,64})/(stdout|stderr|screen)")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReading:
    """Which part is wanted; `lines` is (first, most), and only a first below 0 can be meant."""

    path: str
    lines: tuple[int, int]
    offset: int
    most_bytes: int

    async def read(self, host: Host, call: Call) -> ReadAnswer:
        """Read it.

        Raises:
            Invalid: nothing of a job has that name, or it cannot be read so.
        """
        job, name = named(self.path)
        if name == "screen":
            return await self._read_screen(host, call, job)
        if self.lines[0] > 0 or self.lines[1]:
            hint = "give offset, or first_line=-20 for the last 20 lines"
            raise Invalid(
                "what a job printed is read by bytes, or from its end", hint=hint, field="first_line"
            )
        stream: StreamName = "stdout" if name == "stdout" else "stderr"
        begin = await self._begin(host, call, job, stream)
        part = await host.read_output(call, job, stream, (begin, self.most_bytes))
        return _output_answer(self.path, _last_lines(part, -self.lines[0]), lost_bytes=part.offset - begin)

    async def _begin(self, host: Host, call: Call, job: str, stream: StreamName) -> int:
        back = self.most_bytes if self.lines[0] else -self.offset
        if back <= 0:
            return self.offset
        known = await host.read_output(call, job, stream, (0, 1))
        return max(0, known.total_bytes - back)

    async def _read_screen(self, host: Host, call: Call, job: str) -> ReadAnswer:
        screen = await screen_of(host, call, job)
        text = screen.text()
        return ReadAnswer(
            path=self.path,
            content=text,
            offset=0,
            total_bytes=len(text.encode()),
            next_offset=None,
            running=screen.running,
        )


def named(path: str) -> tuple[str, str]:
    """The job that a path names, and what of it.

    Raises:
        Invalid: it names nothing of a job.
    """
    found = JOB_NAMED.fullmatch(path)
    if found is None:
        hint = "wand://jobs/<job>/stdout, /stderr or /screen; all else of wand:// is a resource, not a path"
        raise Invalid(f"{path} is not the output of a job", hint=hint, field="path")
    return found[1], found[2]


def _last_lines(part: OutputPart, count: int) -> OutputPart:
    """The part without what comes before its last lines."""
    if count <= 0:
        return part
    lines = part.data.splitlines(keepends=True)[-count:]
    data = b"".join(lines)
    return OutputPart(
        data=data,
        offset=part.offset + len(part.data) - len(data),
        total_bytes=part.total_bytes,
        running=part.running,
    )


def _output_answer(path: str, part: OutputPart, *, lost_bytes: int) -> ReadAnswer:
    is_binary = render.is_binary(part.data)
    data = part.data[: render.BINARY_SHOWN] if is_binary else part.data
    more = part.offset + len(data) < part.total_bytes
    if more and not is_binary:
        data = render.whole_characters(data) or data
    content, notes = readable(data, is_binary=is_binary)
    if not more and not part.running:
        notes = (*notes, *nothing_here(content, part.offset))
    if lost_bytes > 0:
        notes = (f"before this {render.lost(lost_bytes)}", *notes)
    return ReadAnswer(
        path=path,
        content=plain(content),
        offset=part.offset,
        total_bytes=part.total_bytes,
        next_offset=part.offset + len(data) if more or part.running else None,
        binary=is_binary,
        running=part.running,
        notes=notes,
    )
