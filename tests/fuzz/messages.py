"""Messages for the launcher's socket: good ones, and everything that a mad host agent could send instead."""

import json
import random
from collections.abc import Callable
from typing import Any

from fuzz import words
from fuzz.words import pick
from wand_hostagent.launcher.protocol import LIMIT_NAMES, MESSAGE_BYTES

Message = dict[str, Any]
PROFILES = ("p", "p", "p", "q", "q", "r", "r", "broken", "missing")
PRINCIPALS = ("ann", "bob", "ci-1", "Zoë <z@x>", "")
_FIRST = frozenset({"do", "re"})  # wrong, they end the reading at once
JOBS = 12  # names of jobs, few enough that they meet


def good(chance: random.Random) -> tuple[Message, int]:
    """A request as the host agent sends it, and how many descriptors go along."""
    do = chance.choices(list(_MAKERS), weights=(30, 4, 6, 8, 4, 2, 8, 12, 2))[0]
    fields, descriptors = _MAKERS[do](chance)
    return {"do": do, "re": chance.randrange(1, 2**40), **fields}, descriptors


def packed(chance: random.Random) -> tuple[bytes, int]:
    """One datagram and how many descriptors: mostly a request with something wrong, sometimes a good one."""
    message, descriptors = good(chance)
    how = chance.random()
    if how < 0.5:
        for _ in range(pick(chance, (1, 1, 1, 2, 3))):
            message = _bent(chance, message)
    if chance.random() < 0.1:
        descriptors = pick(chance, (0, 1, 2, 3, 4, 5, 6, 9, 40))
    if how > 0.999 and isinstance(message, dict):
        message = {**message, "why": {"x": "y" * (MESSAGE_BYTES - chance.randrange(600))}}
    raw = _encoded(chance, message)
    return (words.torn(chance, raw) if 0.6 <= how < 0.63 else raw), descriptors


def _bent(chance: random.Random, message: Any) -> Any:
    """The message with something wrong: mostly inside one of its fields, so that it is read further."""
    if isinstance(message, dict) and chance.random() < 0.7:
        fields = [name for name in message if name not in _FIRST]
        if fields:
            field = pick(chance, fields)
            return {**message, field: words.bent(chance, message[field])}
    return words.bent(chance, message)


def _encoded(chance: random.Random, message: Any) -> bytes:
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=chance.random() < 0.5)
    kind = "utf-16" if chance.random() < 0.005 else "utf-8"
    return text.encode(kind, "surrogatepass")


def _job(chance: random.Random) -> str:
    return f"job-{chance.randrange(JOBS)}"


def _why(chance: random.Random) -> Message:
    told: Message = {"principal": pick(chance, PRINCIPALS), "rule": "all"}
    return told if chance.random() < 0.8 else {"rule": words.anything(chance, 1)}


def _run(chance: random.Random) -> tuple[Message, int]:
    asked: Message = {
        "job": _job(chance), "profile": pick(chance, PROFILES), "why": _why(chance),
        "argv": pick(chance, (["true"], ["/bin/true", "x"], ["sh", "-c", "exit 3"], [words.text(chance)])),
        "directory": pick(chance, ("", "", "", ".", "deep", "/etc", "link", words.text(chance))),
        "environment": pick(chance, ({}, {}, {}, {"CI": "1"}, {words.text(chance): words.text(chance)})),
        "limits": {name: pick(chance, (1, 5, 2.5, 10**9)) for name in LIMIT_NAMES if chance.random() < 0.2},
    }  # fmt: skip
    if chance.random() < 0.15:
        return {**asked, "terminal": {"columns": pick(chance, (80, 1, 65535)), "rows": 24}}, 2
    return asked, pick(chance, (3, 3, 5))


def _worker(chance: random.Random) -> tuple[Message, int]:
    return {"job": _job(chance), "profile": pick(chance, PROFILES), "why": _why(chance)}, 1


def _kill(chance: random.Random) -> tuple[Message, int]:
    reason = pick(chance, ("cancelled", "output_limit", "signal"))
    return {"job": _job(chance), "signal": pick(chance, (0, 9, 15, 18, 64, 65)), "reason": reason}, 0


def _record(chance: random.Random) -> tuple[Message, int]:
    fields = pick(chance, ({}, {"act": "a", "ok": True}, {words.text(chance): words.anything(chance, 1)}))
    return {
        "event": pick(chance, ("refused", "file", "run", "start", words.text(chance))),
        "fields": fields,
    }, 0


def _about_a_job(chance: random.Random) -> tuple[Message, int]:
    return {"job": _job(chance)}, 0


def _forget(chance: random.Random) -> tuple[Message, int]:
    return {"job": _job(chance), **pick(chance, ({}, {"quiet": True}, {"quiet": False}))}, 0


def _alone(_: random.Random) -> tuple[Message, int]:
    return {}, 0


_MAKERS: dict[str, Callable[[random.Random], tuple[Message, int]]] = {
    "run": _run, "worker": _worker, "kill": _kill, "record": _record, "note": _record, "jobs": _alone,
    "adopt": _about_a_job, "forget": _forget, "profiles": _alone,
}  # fmt: skip
