"""read_file and write_file: one file, or what a job wrote."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wand_proto.errors import WandError
from wand_server.model import Call
from wand_server.ports import FileWritten, Host, Reading, Replacement, Writing
from wand_server.tools import pictures, render, views
from wand_server.tools.base import Answer, Tool
from wand_server.tools.outputs import JobReading
from wand_server.tools.reading import MOST_COUNTED, READ_CEILING, Path, ReadAnswer, file_answer


class ReadFile(Tool):
    """Read a file in the workspace, an image or PDF too, or of a job `wand://jobs/<job>/stdout`, `.../stderr`
    or `.../screen`, which its terminal shows.

    At most 48 KiB come back at once; the answer says how to read on. Choose the part by lines or by bytes.
    `sha256` can be given to write_file to change only what you have read.
    """

    name = "read_file"
    title = "Read a file"
    toolset = "files"
    answer = ReadAnswer
    read_only = True
    idempotent = True

    path: Path
    first_line: int = Field(default=0, ge=-1_000_000, le=MOST_COUNTED, description="-20: the last 20")
    max_lines: int = Field(default=0, ge=0, le=1_000_000, description="0: as many as fit")
    offset: int | None = Field(
        default=None, ge=-MOST_COUNTED, le=MOST_COUNTED, description="in bytes; below 0: from the end"
    )
    max_bytes: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _lines_or_bytes(self) -> Self:
        if self.offset is not None and (self.first_line or self.max_lines):
            raise ValueError("give either lines (first_line, max_lines) or bytes (offset, max_bytes)")
        if self.first_line < 0 and self.max_lines:
            raise ValueError("max_lines says nothing beside a first_line below 0, which counts them itself")
        return self

    async def call(self, host: Host, call: Call) -> ReadAnswer:
        most = min(self.max_bytes or READ_CEILING, READ_CEILING)
        if self.path.startswith("wand:"):
            reading = JobReading(
                path=self.path,
                lines=(self.first_line, self.max_lines),
                offset=self.offset or 0,
                most_bytes=most,
            )
            return await reading.read(host, call)
        return await self._read_file(host, call, most)

    async def _read_file(self, host: Host, call: Call, most: int) -> ReadAnswer:
        by_lines = self.offset is None and not self.max_bytes
        offset = self.offset or 0
        if offset < 0:
            known = await host.read_file(call, Reading(path=self.path, max_bytes=1))
            offset = max(0, known.total_bytes + offset)
        reading = Reading(
            path=self.path,
            first_line=max(0, self.first_line or 1) if by_lines or self.first_line else 0,
            max_lines=self.max_lines,
            offset=offset,
            max_bytes=most,
            last_lines=max(0, -self.first_line),
        )
        read = await host.read_file(call, reading)
        if by_lines and not self.first_line and (kind := pictures.kind_of(read.data)):
            return await pictures.answer(host, call, read, kind)
        return file_answer(read)


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
    create_directories: bool = False

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
