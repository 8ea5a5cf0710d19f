"""Questions to a name server and its answers: addresses alone, and no byte of an answer is believed.

An answer counts where it repeats our number and our question (who cannot see the question has to guess the
number, and the port that it came from), and of its records only those that the question leads to.
"""

import random
import socket
import struct
from dataclasses import dataclass

MOST_BYTES = 1232  # of an answer: what travels in one piece everywhere
KINDS = {1: socket.AF_INET, 28: socket.AF_INET6}  # A, AAAA
_ALIAS, _INTERNET = 5, 1
_HEAD = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_RECURSE, _ANSWER, _CODE = 0x0100, 0x8000, 0x000F
_NO_SUCH_NAME = 3
_MOST_RECORDS, _MOST_JUMPS = 64, 16
# EDNS(0), RFC 6891: the root, OPT, how much we take, nothing else
_EXTENSION = b"\0" + struct.pack("!HHIH", 41, MOST_BYTES, 0, 0)

_chance = random.SystemRandom()


class Unanswered(Exception):
    """No answer to our question, or one that says that the server cannot help."""


@dataclass(frozen=True, slots=True)
class Question:
    """One name, asked for one kind of address."""

    number: int
    kind: int
    name: bytes  # as it stands in the message

    @property
    def packed(self) -> bytes:
        head = _HEAD.pack(self.number, _RECURSE, 1, 0, 0, 1)
        return head + self.name + struct.pack("!HH", self.kind, _INTERNET) + _EXTENSION


def ask(host: str, kind: int) -> Question:
    """A question for a name that destinations.py has read."""
    labels = [label.encode("ascii") for label in host.split(".")]
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return Question(_chance.getrandbits(16), kind, name)


def read(message: bytes, question: Question) -> tuple[bytes, ...]:
    """The addresses that an answer gives.

    Raises:
        Unanswered: it is no answer to this question.
    """
    try:
        return _read(message, question)
    except (struct.error, IndexError) as error:
        raise Unanswered("it ends too early") from error


def _read(message: bytes, question: Question) -> tuple[bytes, ...]:
    number, flags, questions, answers, _, _ = _HEAD.unpack_from(message)
    asked = question.name + struct.pack("!HH", question.kind, _INTERNET)
    if number != question.number or not flags & _ANSWER or questions != 1:
        raise Unanswered("it answers something else")
    if message[_HEAD.size : _HEAD.size + len(asked)].lower() != asked.lower():
        raise Unanswered("it answers another question")
    code = flags & _CODE
    if code not in {0, _NO_SUCH_NAME}:
        raise Unanswered(f"the server says no ({code})")
    return _addresses(message, _HEAD.size + len(asked), min(answers, _MOST_RECORDS), question)


def _addresses(message: bytes, at: int, count: int, question: Question) -> tuple[bytes, ...]:
    """What the records say of our name, or of the names that it is an alias of."""
    wanted, _ = _name(question.name, 0)
    found = []
    length = 4 if KINDS[question.kind] == socket.AF_INET else 16
    for _ in range(count):
        owner, at = _name(message, at)
        kind, space, _, size = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        content = message[at : at + size]
        if owner == wanted and space == _INTERNET and len(content) == size:
            if kind == _ALIAS:
                wanted, _ = _name(message, at)
            elif kind == question.kind and size == length:
                found.append(content)
        at += size
    return tuple(found)


def _name(message: bytes, at: int) -> tuple[bytes, int]:
    """The name that stands there, in small letters, and where it ends; it may go on elsewhere."""
    labels: list[bytes] = []
    end = -1
    for _ in range(128 + _MOST_JUMPS):
        length = message[at]
        if length >= 0xC0:
            end = at + 2 if end < 0 else end
            at = (length & 0x3F) << 8 | message[at + 1]
        elif length >= 0x40:
            break
        elif length == 0:
            return b".".join(labels).lower(), at + 1 if end < 0 else end
        else:
            labels.append(message[at + 1 : at + 1 + length])
            at += 1 + length
    raise Unanswered("a name in it has no end")
