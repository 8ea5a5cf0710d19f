"""Which number belongs to which principal, in a file that only grows: a number is never given to another."""

import fcntl
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wand_hostagent.launcher.ledgerfile import keep_name
from wand_hostagent.launcher.refusal import Refused, kind_of, reason_of

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Register:
    """One line a number, `{"number": 70000, "principal": "alice"}`, durable before the number is used."""

    def __init__(self, path: str, is_taken: Callable[[int], bool]) -> None:
        self._path = path
        self._is_taken = is_taken
        self._file = -1
        self._size = 0
        self._given: dict[int, str] = {}

    def number(self, principal: str, first: int, last: int) -> int:
        """The number of that principal between these two, a new one if it has none.

        Raises:
            Refused: none is left, or the file cannot be read or written.
        """
        if self._file < 0:
            self._open()
        for number, owner in self._given.items():
            if owner == principal and first <= number <= last:
                return number
        for number in range(first, last + 1):
            if number not in self._given and not self._is_taken(number):
                self._add(number, principal)
                return number
        hint = "let users of the profile reach further"
        raise Refused("Exhausted", f"every number from {first} to {last} belongs to somebody", hint=hint)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _add(self, number: int, principal: str) -> None:
        line = json.dumps({"number": number, "principal": principal}).encode() + b"\n"
        try:
            rest = line
            while rest:  # where the disk takes a part, the next write says why not all
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise self._failed(error) from error
        self._size += len(line)
        self._given[number] = principal

    def _open(self) -> None:
        try:
            file = os.open(self._path, _FLAGS, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._take(file)
        except OSError as error:
            os.close(file)
            raise self._failed(error) from error
        except BaseException:
            os.close(file)
            raise
        self._file = file

    def _take(self, file: int) -> None:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise Refused("Broken", f"{self._path} must be a file of the launcher's user alone, mode 0600")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = os.pread(file, about.st_size, 0)
        whole = content[: content.rfind(b"\n") + 1]
        given = {}
        for place, line in enumerate(whole.splitlines(), 1):
            number, principal = _read(line)
            if number < 0 or number in given:
                raise Refused("Broken", f"{self._path}: line {place} is no number with its principal")
            given[number] = principal
        os.ftruncate(file, len(whole))  # a torn line was never durable, so its number was never used
        keep_name(Path(self._path).parent)
        self._given, self._size = given, len(whole)

    def _failed(self, error: OSError) -> Refused:
        number = error.errno or 0
        return Refused(kind_of(number), f"{self._path}, the list of users: {reason_of(number)}")


def _read(line: bytes) -> tuple[int, str]:
    """A line; the number is -1 where it is none."""
    try:
        told = json.loads(line)
        number, principal = told["number"], told["principal"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return -1, ""
    fits = type(number) is int and number > 0 and isinstance(principal, str) and len(told) == 2
    return (number, principal) if fits else (-1, "")
