"""What a doctor found: one line for each thing looked at, with what to do about it; as text or as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wand_proto.errors import WandError

_MARKS = {"ok": "ok     ", "missing": "MISSING", "note": "note   "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: whether it is as it must be, and else what to do."""

    name: str
    is_good: bool
    says: str
    hint: str = ""
    is_needed: bool = True  # whether it does not work without

    @property
    def state(self) -> str:
        """`ok`, `missing` where something needed is not as it must be, else `note`."""
        return "ok" if self.is_good else "missing" if self.is_needed else "note"

    def line(self) -> str:
        """The finding for a person."""
        hint = f" — {self.hint}" if self.hint and not self.is_good else ""
        return f"{_MARKS[self.state]} {self.name}: {self.says}{hint}"

    def table(self) -> dict[str, str]:
        """The finding for a program."""
        hint = "" if self.is_good else self.hint
        return {"name": self.name, "state": self.state, "says": self.says, "hint": hint}


def good(name: str, says: str) -> Finding:
    """Something that is as it must be."""
    return Finding(name=name, is_good=True, says=says)


def missing(name: str, says: str, hint: str) -> Finding:
    """Something without which it does not work."""
    return Finding(name=name, is_good=False, says=says, hint=hint)


def note(name: str, says: str, hint: str) -> Finding:
    """Something that works, and should be known."""
    return Finding(name=name, is_good=False, says=says, hint=hint, is_needed=False)


def tried(name: str, look: Callable[[], str], hint: str) -> Finding:
    """What a look says; where it fails, why, and what to do, by the error itself or by `hint`."""
    try:
        return good(name, look())
    except WandError as error:
        return missing(name, error.message, error.hint or hint)


def as_json(program: str, version: str, findings: Sequence[Finding]) -> str:
    """All of it in one document: `is_good` is whether nothing needed is missing."""
    whole = {
        "program": program,
        "version": version,
        "is_good": is_good(findings),
        "findings": [finding.table() for finding in findings],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def is_good(findings: Sequence[Finding]) -> bool:
    """Whether nothing needed is missing."""
    return all(finding.state != "missing" for finding in findings)
