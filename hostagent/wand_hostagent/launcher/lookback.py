"""Reads back in the ledger's files: the lines before a record, as many as one message holds.

Lines lie in the order of their numbers, so that the place of one is found by halving; no more of a file is
read than that takes.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wand_hostagent.launcher.ledgerfile import kept_name

MOST_BYTES = 64 * 1024  # told at one time: with every mark of it escaped still one message
_CHUNK = 4096
_SEQ = re.compile(rb'\{"seq":(\d{1,15}),')
_KEPT = re.compile(r"ledger-(\d{12})\.jsonl")


def lines_before(descriptor: int, size: int, seq: int | None) -> list[str]:
    """The last lines of a file of that size with a lower number than `seq`, the oldest first.

    Raises:
        OSError: they cannot be read.
    """
    end = size if seq is None else _place_of(descriptor, size, seq)
    begin = max(0, end - MOST_BYTES)
    lines = os.pread(descriptor, end - begin, begin).splitlines()
    if not begin:
        return [_text(line) for line in lines]
    return [_text(line) for line in lines[1:]] or [_too_long(descriptor, end)]


@contextmanager
def kept_before(folder: Path, seq: int) -> Iterator[tuple[int, int] | None]:
    """The file that is kept and holds the record before that one, with its size; None where there is none.

    Raises:
        OSError: it cannot be read, or is no file of ours.
    """
    found = [int(named[1]) for path in folder.iterdir() if (named := _KEPT.fullmatch(path.name))]
    first = max((one for one in found if one < seq), default=None)
    if first is None:
        yield None
        return
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(folder / kept_name(first), flags)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid():
            raise PermissionError(1, "no file of the launcher's")
        yield descriptor, about.st_size
    finally:
        os.close(descriptor)


def _place_of(descriptor: int, size: int, seq: int) -> int:
    """Where the first line begins that has this number or a higher one."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        begin = _line_from(descriptor, middle, size)
        if begin >= high or _seq_at(descriptor, begin) >= seq:
            high = middle
        else:
            low = begin + 1
    return _line_from(descriptor, low, size)


def _line_from(descriptor: int, at: int, size: int) -> int:
    """Where the first line begins that does not begin before `at`."""
    if not at:
        return 0
    at -= 1  # the newline may be just before it
    while at < size and (part := os.pread(descriptor, _CHUNK, at)):
        if (found := part.find(b"\n")) >= 0:
            return at + found + 1
        at += len(part)
    return size


def _line_before(descriptor: int, end: int) -> int:
    """Where the line begins that ends there."""
    at = end - 1
    while at:
        part = os.pread(descriptor, min(_CHUNK, at), max(0, at - _CHUNK))
        if (found := part.rfind(b"\n")) >= 0:
            return at - len(part) + found + 1
        at -= len(part)
    return 0


def _seq_at(descriptor: int, begin: int) -> int:
    found = _SEQ.match(os.pread(descriptor, 32, begin))
    if found is None:
        raise OSError(5, "a line that is no record")
    return int(found[1])


def _too_long(descriptor: int, end: int) -> str:
    """What stands for a line that no message holds."""
    begin = _line_before(descriptor, end)
    return f'{{"seq":{_seq_at(descriptor, begin)},"bytes":{end - begin},"unread":"audit show has it"}}'


def _text(line: bytes) -> str:
    return line.decode("ascii", "replace")
