"""One system call as a row of a table, and the memory that its arguments point into.

A table needs nothing of Python to be run: numbers and addresses, from top to bottom, until a call fails.
"""

import ctypes
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wand_hostagent.launcher import syscalls

_Memory = ctypes.Array[ctypes.c_uint32] | ctypes.Array[ctypes.c_uint64] | ctypes.Array[ctypes.c_char]

RECORD = struct.Struct("=7Q")  # one row of a table in memory, as the machine code reads it
_POINTER = struct.Struct("=Q")
RECORD_BYTES = RECORD.size


class Address(int):
    """An argument that is the place of something in a Memory."""


@dataclass(frozen=True, slots=True)
class Step:
    """One system call; `shown` is what stands in the printed table."""

    name: str
    number: int
    arguments: tuple[int, ...]
    shown: str


def step(name: str, *arguments: int, shown: str = "") -> Step:
    """The call of that name; its arguments are shown as they are where nothing else is."""
    text = shown or ", ".join(map(str, arguments))
    plain = tuple(one if isinstance(one, Address) else int(one) for one in arguments)
    return Step(name, syscalls.NUMBERS[name], plain, f"{name}({text})")


def run(steps: Iterable[Step]) -> tuple[int, int] | None:
    """Do them in their order; what comes back is the place of the one that failed and its errno."""
    for index, one in enumerate(steps):
        try:
            syscalls.raw(one.number, one.arguments)
        except OSError as error:
            return index, error.errno or 0
    return None


class Memory:
    """What the arguments of steps point into; it must live as long as they do."""

    def __init__(self) -> None:
        self._kept: list[_Memory] = []
        self._pointers: list[tuple[Address, int]] = []  # where an address is, as place and offset

    def keep(self, memory: _Memory) -> Address:
        self._kept.append(memory)
        return Address(ctypes.addressof(memory))

    def numbers(self, *numbers: int) -> Address:
        """Some 64-bit numbers in a row."""
        return self.keep((ctypes.c_uint64 * len(numbers))(*(number % 2**64 for number in numbers)))

    def text(self, text: bytes) -> Address:
        """A text with a zero at its end."""
        return self.keep(ctypes.create_string_buffer(text))

    def block(self, content: bytes, *pointers: int) -> Address:
        """Bytes as they are; at the offsets `pointers` they hold addresses of this memory."""
        place = self.keep(ctypes.create_string_buffer(content, len(content)))
        self._pointers += [(place, offset) for offset in pointers]
        return place

    def words(self, words: Sequence[bytes]) -> Address:
        """A list of texts as execve(2) takes it."""
        place = self.numbers(*map(self.text, words), 0)
        self._pointers += [(place, 8 * index) for index in range(len(words))]
        return place

    @property
    def places(self) -> dict[int, int]:
        """Where each thing is: where it is."""
        return {address: address for address in map(ctypes.addressof, self._kept)}

    def moved(self, base: int) -> tuple[bytes, dict[int, int]]:
        """The same memory as it has to be to lie at `base`, and where each thing in it is then."""
        places, parts, size = {}, [], 0
        for memory in self._kept:
            content = bytes(memory)
            places[ctypes.addressof(memory)] = base + size
            parts.append(content + bytes(-len(content) % 8))
            size += len(parts[-1])
        image = bytearray(b"".join(parts))
        for place, offset in self._pointers:
            at = places[place] - base + offset
            _POINTER.pack_into(image, at, places[_POINTER.unpack_from(image, at)[0]])
        return bytes(image), places


def packed(steps: Sequence[Step], places: Mapping[int, int]) -> bytes:
    """The steps as records of seven numbers each, what they point to being at `places`."""
    return b"".join(_record(one, places) for one in steps)


def _record(one: Step, places: Mapping[int, int]) -> bytes:
    numbers = [places[arg] if isinstance(arg, Address) else arg % 2**64 for arg in one.arguments]
    return RECORD.pack(one.number, *numbers, *(0,) * (6 - len(numbers)))
