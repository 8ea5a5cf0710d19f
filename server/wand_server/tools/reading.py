"""What comes back where something is read: a part of a file, or of what a job wrote."""

from typing import Annotated

from pydantic import Field

from wand_server.model import Picture
from wand_server.ports import FileRead
from wand_server.tools import render, unseen
from wand_server.tools.base import Answer

READ_CEILING = 48 * 1024  # bytes in one answer
MOST_COUNTED = 2**53 - 1  # the greatest whole number that every JSON parser reads as it is

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
    shown: tuple[Picture, ...] = Field(default=(), exclude=True)

    def pictures(self) -> tuple[Picture, ...]:
        return self.shown

    def text(self) -> str:
        return "\n".join((self._heading(), *self.notes, *self._how_to_go_on(), "", self.content))

    def _heading(self) -> str:
        digest = f", sha256 {self.sha256}" if self.sha256 else ""
        where = f", from line {self.first_line}" if self.first_line else f", from byte {self.offset}"
        start = where if self.offset or self.next_offset is not None else ""
        return f"{unseen.one_line(self.path)}: {render.count(self.total_bytes, 'byte')}{digest}{start}"

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


def file_answer(read: FileRead) -> ReadAnswer:
    """A part of a file as a client sees it."""
    is_binary = render.is_binary(read.data)
    data = read.data[: render.BINARY_SHOWN] if is_binary else read.data
    end = read.offset + len(data)
    if end < read.total_bytes and not is_binary:
        data = render.whole_characters(data) or data
        end = read.offset + len(data)
    content, notes = readable(data, is_binary=is_binary)
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
        notes=(*notes, *nothing_here(content, read.offset, read.first_line)),
    )


def nothing_here(content: str, offset: int, first_line: int = 0) -> tuple[str, ...]:
    """What to say where somebody reads past the end."""
    is_past_end = not content and (offset > 0 or first_line > 1)
    return ("There is nothing here: this is past its end.",) if is_past_end else ()


def readable(data: bytes, *, is_binary: bool) -> tuple[str, tuple[str, ...]]:
    """Bytes as text, and what has to be said about them."""
    if is_binary:
        return render.escaped(data), ("binary: shown escaped, a little at a time",)
    try:
        text = data.decode()
        return text, unseen.notes("content", text, "left as they are")
    except UnicodeDecodeError:
        return data.decode(errors="backslashreplace"), ("bytes that are not UTF-8 are shown as \\xNN",)
