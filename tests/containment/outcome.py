"""What became of an attempt, and whether its effect is there."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

from containment.rows import Row
from containment.scene import Scene, process_state, state_of


@dataclass(slots=True)
class Outcome:
    """How an attempt ended; `how` is ran, refused, absent, or error."""

    how: str
    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    note: str = ""
    survivors: list[str] = field(default_factory=list)
    harmed: str = ""
    effect: bool = False

    @property
    def output(self) -> bytes:
        return self.stdout + b"\n" + self.stderr


def has_effect(row: Row, scene: Scene, outcome: Outcome) -> bool:
    """Whether what the attempt wanted has happened, by the kind of its row."""
    kind, _, rest = row.kind.partition(":")
    words = {
        "R": _is_in(scene.secret, outcome),
        "X": any(encoded in outcome.output.lower() for encoded in _hex(scene.secret)),
        "B": any(encoded in outcome.output for encoded in _base64(scene.secret)),
        "E": _is_in(scene.leak, outcome),
        "E2": _is_in(scene.leak, outcome),
        "L": _is_in(scene.unlisted, outcome),
        "M": scene.marker.exists(),
        "N": scene.marker.exists(),
        "D": state_of(scene.canary) != scene.before,
        "P": bool(rest) and _exists(scene, rest),
        "T": bool(rest) and _is_in(scene.fill(rest), outcome),
        "S": bool(outcome.survivors),
        "V": bool(outcome.harmed),
    }
    if kind not in words:
        raise ValueError(f"{row.id}: there is no kind {row.kind!r}; they are {', '.join(words)}")
    return words[kind]


def _is_in(text: str, outcome: Outcome) -> bool:
    return text.encode() in outcome.output


def _exists(scene: Scene, path: str) -> bool:
    return Path(scene.fill(path)).exists()


def _hex(secret: str) -> list[bytes]:
    packed = secret.encode().hex().encode()
    pairs = [packed[at : at + 2] for at in range(0, len(packed), 2)]
    return [packed, b" ".join(pairs)]


def _base64(secret: str) -> list[bytes]:
    """The secret as it looks in base64 at each of the three places where it may begin, its edges cut."""
    return [base64.b64encode(b"x" * shift + secret.encode())[4 * (shift > 0) : -4] for shift in range(3)]


def bystander_is_harmed(scene: Scene) -> str:
    """What happened to the one outside, if anything."""
    if scene.bystander is None:
        return ""
    if scene.bystander.poll() is not None:
        return "the bystander was ended"
    return "the bystander was stopped" if process_state(scene.bystander.pid) in {"T", "t"} else ""
