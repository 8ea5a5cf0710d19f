"""Reading a part of a file, by bytes or by lines."""

import codecs
import hashlib
import os
from dataclasses import dataclass
from typing import BinaryIO

from wand_hostagent.filesystem.model import Read, ReadAnswer
from wand_hostagent.filesystem.paths import Roots, require_file
from wand_hostagent.filesystem.refusal import Refused

WHOLE_BYTES = 8 * 1024 * 1024  # up to this size a file is read whole, and hashed
_USUAL_BYTES = 64 * 1024
_MOST_BYTES = 1024 * 1024
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Part:
    data: bytes
    offset: int
    total: int
    sha256: str = ""
    next_line: int = 0


def read(roots: Roots, ask: Read) -> ReadAnswer:
    """The part of the file that was asked for."""
    if ask.max_bytes > _MOST_BYTES:
        raise Refused("Invalid", f"must be at most {_MOST_BYTES}", field="max_bytes")
    with roots.opened(ask.path, os.O_PATH) as (found, place):
        require_file(os.fstat(found), place.shown)  # before it is opened in earnest: opening a device can act
    with roots.opened(ask.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as (descriptor, place):
        about = os.fstat(descriptor)
        require_file(about, place.shown)
        part = _part(descriptor, ask, about.st_size)
    return ReadAnswer(
        path=place.shown,
        data=part.data,
        offset=part.offset,
        total_bytes=part.total,
        binary=is_binary(part.data, from_start=part.offset == 0),
        sha256=part.sha256,
        modified_unix_seconds=about.st_mtime,
        first_line=ask.first_line,
        next_line=part.next_line,
    )


def _part(descriptor: int, ask: Read, size: int) -> _Part:
    most = ask.max_bytes or _USUAL_BYTES
    with open(descriptor, "rb", closefd=False) as file:
        if ask.last_lines:
            return _last_lines(file, ask, most, size)
        if size <= WHOLE_BYTES:
            whole = file.read(WHOLE_BYTES + 1)
            if len(whole) <= WHOLE_BYTES:
                return _part_of_whole(whole, ask, most)
            size = max(size, os.fstat(descriptor).st_size)  # it has grown
        if ask.first_line:
            return _lines(file, ask, most, size)
        file.seek(ask.offset)
        return _Part(file.read(most), ask.offset, size)


def _part_of_whole(whole: bytes, ask: Read, most: int) -> _Part:
    sha256 = hashlib.sha256(whole).hexdigest()
    if not ask.first_line:
        return _Part(whole[ask.offset : ask.offset + most], ask.offset, len(whole), sha256)
    start = 0
    for _ in range(ask.first_line - 1):
        start = whole.find(b"\n", start) + 1
        if start == 0:
            return _Part(b"", len(whole), len(whole), sha256)
    end, count = _end_of_lines(whole, start, ask.max_lines, most)
    following = ask.first_line + count if end < len(whole) else 0
    return _Part(whole[start:end], start, len(whole), sha256, following)


def _end_of_lines(text: bytes, start: int, max_lines: int, most: int) -> tuple[int, int]:
    """Where to stop so that whole lines are given, and how many; a line that is too long is cut."""
    end, count = start, 0
    while end < len(text) and (not max_lines or count < max_lines):
        newline = text.find(b"\n", end, start + most)
        after = newline + 1 if newline >= 0 else min(len(text), start + most)
        is_whole = newline >= 0 or after == len(text)
        if not is_whole and count:
            break
        end, count = after, count + 1
        if not is_whole:
            break
    return end, count


def _lines(file: BinaryIO, ask: Read, most: int, size: int) -> _Part:
    """The lines of a file too large to be read whole."""
    start = _offset_of_line(file, ask.first_line)
    if start is None:
        return _Part(b"", size, size)
    file.seek(start)
    text = file.read(most)
    end, count = _end_of_lines(text, 0, ask.max_lines, most)
    more = start + end < size
    return _Part(text[:end], start, size, "", ask.first_line + count if more else 0)


def _last_lines(file: BinaryIO, ask: Read, most: int, size: int) -> _Part:
    """The lines at the end: as many as are wanted, and as fit."""
    begin = max(0, size - most)
    file.seek(begin)
    text = file.read(most)
    start = len(text) - (1 if text.endswith(b"\n") else 0)
    for _ in range(ask.last_lines):
        start = text.rfind(b"\n", 0, start)
        if start < 0:
            break
    start = start + 1 if start >= 0 or not begin else text.find(b"\n") + 1
    return _Part(text[start:], begin + start, size)


def _offset_of_line(file: BinaryIO, line: int) -> int | None:
    before, offset = line - 1, 0
    while before:
        chunk = file.read(_CHUNK)
        if not chunk:
            return None
        inside = chunk.count(b"\n")
        if inside >= before:
            place = -1
            for _ in range(before):
                place = chunk.find(b"\n", place + 1)
            return offset + place + 1
        before -= inside
        offset += len(chunk)
    return 0


def is_binary(data: bytes, *, from_start: bool = True) -> bool:
    """Whether it holds a NUL byte or is not UTF-8; one may be cut at its ends."""
    if b"\0" in data:
        return True
    skip = 0
    while not from_start and skip < min(3, len(data)) and data[skip] & 0xC0 == 0x80:
        skip += 1
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data[skip:])
    except UnicodeDecodeError:
        return True
    return False
