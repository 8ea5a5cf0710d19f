"""Values that a reader may trip over: of every type, too long, too deep, too large, and almost right."""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

_TEXTS = (
    "", " ", "a", "p", "q", "r", "each", "w1", "w2", "true", "echo", "/bin/true", "/usr/bin/env", "./x",
    "..", "/", "/etc", "../../etc", "-", "--", "ann", "bob", "ci-1", "a\nb", "a\0b", "\ud800", "\udcff",
    "\u202e", "é" * 40, "x" * 129, "=", "LD_PRELOAD", "CI", "BASH_FUNC_x%%", "{principal}",
    "%s", "*", "[a-",
    "run", "start", "end", "refused", "cancelled", "signal", "output_limit",
)  # fmt: skip
_NUMBERS = (
    0, 1, 2, 3, 9, 15, 64, 65, 127, 255, 256, -1, 2**15, 2**16, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63,
    2**64, 10**400, -(2**63), 0.5, -0.5, 1e308, -1e308, float("inf"), float("-inf"), float("nan"), 1e-320,
)  # fmt: skip

_HEAVIEST = 64 * 1024 * 1024  # bytes; what is doubled over and over would fill the machine


def pick(chance: random.Random, among: Sequence[T]) -> T:
    """One of these; several times as quick as Random.choice, which matters a million times."""
    return among[int(chance.random() * len(among))]


def text(chance: random.Random) -> str:
    return pick(chance, _TEXTS) if chance.random() < 0.99 else "x" * pick(chance, (4097, 65536, 65537))


def number(chance: random.Random) -> float:
    return pick(chance, _NUMBERS)


def anything(chance: random.Random, depth: int = 3) -> Any:
    """Any value that JSON and TOML can say."""
    kind = chance.randrange(9 if depth else 6)
    if kind < 2:
        return text(chance)
    if kind < 4:
        return number(chance)
    if kind < 6:
        return pick(chance, (None, True, False))
    if kind < 8:
        return [anything(chance, depth - 1) for _ in range(pick(chance, (0, 1, 2, 5)))]
    return {text(chance): anything(chance, depth - 1) for _ in range(pick(chance, (0, 1, 3)))}


def bent(chance: random.Random, value: Any) -> Any:
    """A value with something in it exchanged, left out, doubled or added."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        return _bent_object(chance, value)
    if isinstance(value, list) and value and chance.random() < 0.8:
        return _bent_list(chance, value)
    return anything(chance)


def _bent_object(chance: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    name = pick(chance, list(value))
    inner = {key: one for key, one in value.items() if key != name}
    added = pick(chance, ("lost", "more", "renamed", "bent", "bent"))
    if added == "more":
        return {**value, text(chance): anything(chance)}
    if added == "renamed":
        return {**inner, text(chance): value[name]}
    return inner if added == "lost" else {**value, name: bent(chance, value[name])}


def _bent_list(chance: random.Random, value: list[Any]) -> list[Any]:
    place = chance.randrange(len(value))
    how = chance.randrange(4)
    if how == 0:
        return value[:place] + value[place + 1 :]
    if how == 1:
        times = pick(chance, (2, 2, 2, 2, 700))
        return value * (times if times * _weight(value) < _HEAVIEST else 2)
    return [*value[:place], bent(chance, value[place]), *value[place + 1 :]]


def _weight(value: Any) -> int:
    """About how many bytes it is written with."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_weight(one) + len(key) for key, one in value.items())
    return sum(map(_weight, value)) if isinstance(value, list) else 8


def torn(chance: random.Random, raw: bytes) -> bytes:
    """Bytes of which some were lost, turned, doubled or made up."""
    place = chance.randrange(len(raw) + 1)
    begin, end = raw[:place], raw[place:]
    how = pick(chance, ("cut", "filled", "turned", "lost", "doubled", "deep", "marked"))
    made: dict[str, Callable[[], bytes]] = {
        "cut": lambda: begin,
        "filled": lambda: begin + chance.randbytes(pick(chance, (1, 2, 40))) + end,
        "turned": lambda: begin + bytes([chance.randrange(256)]) + end[1:],
        "lost": lambda: begin + end[chance.randrange(9) :],
        "doubled": lambda: begin + raw,
        "deep": lambda: pick(chance, (b"[", b'{"a":', b"(", b"1")) * pick(chance, (50, 5000, 25_000)) + raw,
        "marked": lambda: pick(chance, (b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xc3\x28")) + raw,
    }
    return made[how]()
