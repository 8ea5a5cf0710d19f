"""read_file and write_file: one file, or what a job wrote."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wand_proto.errors import Invalid, WandError
from wand_server.model import Call
from wand_server.ports import (
    FileRead,
    FileWritten,
    Host,
    OutputPart,
    Reading,
    Replacement,
    StreamName,
    Writing,
)
from wand_server.tools import render, unseen, views
from wand_server.tools.base import Answer, Tool

READ_CEILING = 48 * 1024  # bytes in one answer
MOST_COUNTED = 2**53 - 1  # the greatest whole number that every JSON parser reads as it is
_JOB_OUTPUT = re.compile(r"wand://jobs/([A-Za-z0-9_-]{1,64})/(stdout|stderr)")

Path = Annotated[
    str, Field(min_length=1, max_length=4096, description="absolute, or relative to the workspace")
]


class ReadAnswer(Answer):
    """A part of a file."""

    path: str
    content: str
    offset: int
    total_bytes: int
    next_offset: int | None = Field(description="where to go on; null at the end")
    first_line: int | None = None
    next_line: int | None = Field(default=None, description="null at the end, or where bytes were asked")
    binary: bool = False
    sha256: str = Field(default="", description="of the whole file, where it was read whole")
    running: bool = False
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        return "\n".join((self._heading(), *self.notes, *self._how_to_go_on(), "", self.content))

    def _heading(self) -> str:
        digest = f", sha256 {self.sha256}" if self.sha256 else ""
        where = f", from line {self.first_line}" if self.first_line else f", from byte {self.offset}"
        start = where if self.offset or self.next_offset is not None else ""
        return f"{self.path}: {render.count(self.total_bytes, 'byte')}{digest}{start}"

    def _ends_within_line(self) -> bool:
        is_one_line = self.first_line is not None and self.next_line == self.first_line + 1
        return is_one_line and self.next_offset is not None and not self.content.endswith("\n")

    def _how_to_go_on(self) -> tuple[str, ...]:
        if self._ends_within_line():
            goes_on = f"line {self.first_line} goes on: read on with offset={self.next_offset}"
            return (f"{goes_on}; the line after it is first_line={self.next_line}.",)
        if self.next_line is not None:
            return (f"There is more: read on with first_line={self.next_line}.",)
        if self.next_offset is not None:
            return (f"There is more: read on with offset={self.next_offset}.",)
        return ("The job still runs: more may come.",) if self.running else ()


class ReadFile(Tool):
    """Read a file in the workspace, or what a job printed (`wand://jobs/<job>/stdout` or `.../stderr`).

    At most 48 KiB come back at once; the answer says how to read on. Choose the part by lines (`first_line`,
    `max_lines`) or by bytes (`offset`, `max_bytes`). `sha256` can be given to write_file to change only what
    you have read.
    """

    name = "read_file"
    title = "Read a file"
    toolset = "files"
    answer = ReadAnswer
    read_only = True
    idempotent = True

    path: Path
    first_line: int = Field(default=0, ge=0, le=MOST_COUNTED, description="1 is the first")
    max_lines: int = Field(default=0, ge=0, le=1_000_000, description="0: as many as fit")
    offset: int | None = Field(default=None, ge=0, le=MOST_COUNTED, description="in bytes, instead of lines")
    max_bytes: int = Field(default=0, ge=0, description="0: as many as fit")

    @model_validator(mode="after")
    def _lines_or_bytes(self) -> Self:
        if self.offset is not None and (self.first_line or self.max_lines):
            raise ValueError("give either lines (first_line, max_lines) or bytes (offset, max_bytes)")
        return self

    async def call(self, host: Host, call: Call) -> ReadAnswer:
        most = min(self.max_bytes or READ_CEILING, READ_CEILING)
        if self.path.startswith("wand:"):
            return await self._read_output(host, call, most)
        by_lines = self.offset is None and not self.max_bytes
        reading = Reading(
            path=self.path,
            first_line=(self.first_line or 1) if by_lines or self.first_line else 0,
            max_lines=self.max_lines,
            offset=self.offset or 0,
            max_bytes=most,
        )
        return _file_answer(await host.read_file(call, reading))

    async def _read_output(self, host: Host, call: Call, most: int) -> ReadAnswer:
        named = _JOB_OUTPUT.fullmatch(self.path)
        if named is None:
            raise Invalid(
                f"{self.path} is not the output of a job",
                hint="wand://jobs/<job>/stdout or wand://jobs/<job>/stderr",
                field="path",
            )
        if self.first_line or self.max_lines:
            raise Invalid("what a job printed is read by bytes", hint="give offset", field="first_line")
        stream: StreamName = "stdout" if named[2] == "stdout" else "stderr"
        offset = self.offset or 0
        part = await host.read_output(call, named[1], stream, (offset, most))
        return _output_answer(self.path, part, lost_bytes=part.offset - offset)


def _file_answer(read: FileRead) -> ReadAnswer:
    is_binary = render.is_binary(read.data)
    data = read.data[: render.BINARY_SHOWN] if is_binary else read.data
    end = read.offset + len(data)
    if end < read.total_bytes and not read.first_line and not is_binary:
        data = render.whole_characters(data)
        end = read.offset + len(data)
    content, notes = content_of(data, is_binary=is_binary)
    return ReadAnswer(
        path=read.path,
        content=content,
        offset=read.offset,
        total_bytes=read.total_bytes,
        next_offset=end if end < read.total_bytes else None,
        first_line=None if is_binary else read.first_line or None,
        next_line=None if is_binary else read.next_line or None,
        binary=read.binary or is_binary,
        sha256=read.sha256,
        notes=(*notes, *_nothing_here(content, read.offset, read.first_line)),
    )


def _output_answer(path: str, part: OutputPart, *, lost_bytes: int) -> ReadAnswer:
    is_binary = render.is_binary(part.data)
    data = part.data[: render.BINARY_SHOWN] if is_binary else part.data
    more = part.offset + len(data) < part.total_bytes
    if more and not is_binary:
        data = render.whole_characters(data) or data
    content, notes = content_of(data, is_binary=is_binary)
    if not more and not part.running:
        notes = (*notes, *_nothing_here(content, part.offset))
    if lost_bytes > 0:
        notes = (f"before this {render.lost(lost_bytes)}", *notes)
    return ReadAnswer(
        path=path,
        content=render.plain(content),
        offset=part.offset,
        total_bytes=part.total_bytes,
        next_offset=part.offset + len(data) if more or part.running else None,
        binary=is_binary,
        running=part.running,
        notes=notes,
    )


def _nothing_here(content: str, offset: int, first_line: int = 0) -> tuple[str, ...]:
    is_past_end = not content and (offset > 0 or first_line > 1)
    return ("There is nothing here: this is past its end.",) if is_past_end else ()


def content_of(data: bytes, *, is_binary: bool) -> tuple[str, tuple[str, ...]]:
    if is_binary:
        return render.escaped(data), ("binary: shown escaped, a little at a time",)
    try:
        text = data.decode()
        return text, unseen.notes("content", text, "left as they are")
    except UnicodeDecodeError:
        return data.decode(errors="backslashreplace"), ("bytes that are not UTF-8 are shown as \\xNN",)


class EditPart(BaseModel):
    """One replacement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    old_text: str = Field(min_length=1, description="exactly as in the file; once, unless every is set")
    new_text: str
    every: bool = False


class WriteAnswer(Answer):
    """The file as it is now."""

    path: str
    total_bytes: int
    sha256: str
    created: bool
    diff: str = ""

    def text(self) -> str:
        verb = "created" if self.created else "changed" if self.diff else "written"
        first = f"{self.path} {verb}: {render.count(self.total_bytes, 'byte')}, sha256 {self.sha256}"
        return f"{first}\n{self.diff}" if self.diff else first


class WriteFile(Tool):
    """Write a file in the workspace, or change parts of one.

    Give `content` with `mode` create (fails where the file exists), replace (all of it) or append; or give
    `edits`, which are made in order, all or none, and come back as a diff. With `expected_sha256` nothing is
    changed unless the file is still the one that you read.
    """

    name = "write_file"
    title = "Write or edit a file"
    toolset = "files"
    answer = WriteAnswer
    destructive = True
    view = views.APPROVAL

    path: Path
    content: str | None = None
    mode: Literal["create", "replace", "append"] = "create"
    edits: tuple[EditPart, ...] = Field(default=(), max_length=100)
    expected_sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    create_directories: bool = Field(default=False, description="make missing folders above it")

    @model_validator(mode="after")
    def _content_or_edits(self) -> Self:
        if (self.content is None) == (not self.edits):
            raise ValueError("give exactly one of content (the text to write) and edits (what to change)")
        if self.edits and (self.mode != "create" or self.create_directories):  # some clients say defaults
            raise ValueError("mode and create_directories go with content, not with edits")
        return self

    async def call(self, host: Host, call: Call) -> WriteAnswer:
        written = await (
            self._edit(host, call) if self.content is None else self._write(host, call, self.content)
        )
        return WriteAnswer(
            path=written.path,
            total_bytes=written.total_bytes,
            sha256=written.sha256,
            created=written.created,
            diff=render.clipped(written.diff, READ_CEILING),
        )

    async def _write(self, host: Host, call: Call, content: str) -> FileWritten:
        writing = Writing(
            path=self.path,
            content=content.encode(),
            mode=self.mode,
            expected_sha256=self.expected_sha256,
            create_directories=self.create_directories,
        )
        try:
            return await host.write_file(call, writing)
        except WandError as error:
            error.field = error.field.replace("data", "content", 1)  # as the caller wrote it
            raise

    async def _edit(self, host: Host, call: Call) -> FileWritten:
        replacements = [
            Replacement(old_text=edit.old_text, new_text=edit.new_text, every=edit.every)
            for edit in self.edits
        ]
        try:
            return await host.edit_file(call, self.path, replacements, expected_sha256=self.expected_sha256)
        except WandError as error:
            error.field = error.field.replace("replacements", "edits", 1)  # as the caller wrote it
            raise
