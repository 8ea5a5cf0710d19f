"""One field of an untrusted message: read it, or raise Invalid naming it and what would be right."""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from wand_hostagent.launcher.spelling import meant
from wand_proto.errors import Invalid

BIGGEST = 2**63 - 1  # of a count or offset: what the kernel and the launcher can hold
PATH_BYTES = 4096  # PATH_MAX, limits.h(0p)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
_BACKEND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:=,-]{0,255}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


def text(untrusted: str, field: str, *, most_bytes: int, empty: bool = True) -> str:
    """Text of at most so many bytes of UTF-8, without a NUL."""
    if not untrusted and not empty:
        raise Invalid("must not be empty", field=field)
    size = len(untrusted.encode())
    if size > most_bytes:
        raise Invalid(f"has {size} bytes; the most is {most_bytes}", field=field)
    if "\0" in untrusted:
        raise Invalid("holds a NUL character, which no program can be given", field=field)
    return untrusted


def path(untrusted: str, field: str, *, empty: bool = False) -> str:
    """A path, relative or absolute; whether it may be used is decided elsewhere."""
    return text(untrusted, field, most_bytes=PATH_BYTES - 1, empty=empty)


def spelled(untrusted: str, field: str, *, empty: bool = False) -> str:
    """A path as it is meant: what is not UTF-8 in it is spelled."""
    return meant(path(untrusted, field, empty=empty))


def name(untrusted: str, field: str, *, empty: bool = False) -> str:
    """The name of a job or profile."""
    if (untrusted or not empty) and not _NAME.fullmatch(untrusted):
        raise Invalid("must be 1 to 128 letters, digits, dots, dashes, underscores or @", field=field)
    return untrusted


def backend(untrusted: str, field: str, *, empty: bool = False) -> str:
    """The name of a backend, or labels."""
    if (untrusted or not empty) and not _BACKEND.fullmatch(untrusted):
        right = "must be a name as docker:build, or labels as os=debian,role=build"
        raise Invalid(f"is {untrusted!r:.80}; it {right}", field=field)
    return untrusted


def sha256(untrusted: str, field: str) -> str:
    """A digest, or nothing."""
    if untrusted and not _SHA256.fullmatch(untrusted):
        raise Invalid("must be 64 lower-case hexadecimal digits, or empty", field=field)
    return untrusted


def whole(untrusted: int, field: str, *, least: int = 0, most: int = BIGGEST) -> int:
    """A whole number from `least` to `most`."""
    if not least <= untrusted <= most:
        raise Invalid(f"is {untrusted}; it must be from {least} to {most}", field=field)
    return untrusted


def seconds(untrusted: float, field: str, *, most: float) -> float:
    """A duration above zero."""
    if not math.isfinite(untrusted) or not 0 < untrusted <= most:
        raise Invalid(f"is {untrusted:g}; it must be above 0 and at most {most:g} seconds", field=field)
    return untrusted


def blob(untrusted: bytes, field: str, *, most_bytes: int) -> bytes:
    """Bytes, as many as are allowed."""
    if len(untrusted) > most_bytes:
        raise Invalid(f"has {len(untrusted)} bytes; the most is {most_bytes}", field=field)
    return untrusted


def chosen(untrusted: int, field: str, known: Mapping[Any, T]) -> T:
    """What an enum's number stands for here."""
    if untrusted not in known:
        names = ", ".join(str(value) for value in known.values())
        raise Invalid(f"is {untrusted}, which is not one of: {names}", field=field)
    return known[untrusted]
