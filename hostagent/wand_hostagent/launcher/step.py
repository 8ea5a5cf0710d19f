"""One system call as a row of a table, and the memory that its arguments point into.

A table needs nothing of Python to be run: numbers and addresses, from top to bottom, until a call fails.
"""

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wand_hostagent.launcher import syscalls

_Memory = ctypes.Array[ctypes.c_uint32] | ctypes.Array[ctypes.c_uint64] | ctypes.Array[ctypes.c_char]


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
    return Step(name, syscalls.NUMBERS[name], tuple(map(int, arguments)), f"{name}({text})")


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

    def keep(self, memory: _Memory) -> int:
        self._kept.append(memory)
        return ctypes.addressof(memory)

    def numbers(self, *numbers: int) -> int:
        """Some 64-bit numbers in a row."""
        return self.keep((ctypes.c_uint64 * len(numbers))(*(number % 2**64 for number in numbers)))

    def text(self, text: bytes) -> int:
        """A text with a zero at its end."""
        return self.keep(ctypes.create_string_buffer(text))

    def block(self, content: bytes) -> int:
        """Bytes as they are."""
        return self.keep(ctypes.create_string_buffer(content, len(content)))

    def words(self, words: Sequence[bytes]) -> int:
        """A list of texts as execve(2) takes it."""
        return self.numbers(*map(self.text, words), 0)
