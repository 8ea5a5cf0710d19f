"""What the ledger is told of acts that it does not see itself: flat, bounded, contents only as digests."""

import hashlib
import json
from typing import Any

from wand_hostagent.filesystem.model import Answer, Arrange, ArrangeAnswer, Ask, Edit, Write, WriteAnswer
from wand_hostagent.launcher.spelling import show
from wand_hostagent.model import FileAct, Input, Job
from wand_proto.errors import WandError

MOST_WORDS = 64
MOST_TEXT = 1024


def act(asked: Job | FileAct) -> dict[str, Any]:
    """What was asked."""
    if isinstance(asked, FileAct):
        return {"act": asked.id, "verb": asked.verb.value, "path": show(asked.path)[:MOST_TEXT]}
    told: dict[str, Any] = {
        "job": asked.id,
        "form": "shell" if asked.shell else "argv",
        "argv": [word[:MOST_TEXT] for word in asked.argv[:MOST_WORDS]],
        "directory": show(asked.directory)[:MOST_TEXT],
    }
    if len(asked.argv) > MOST_WORDS or any(len(word) > MOST_TEXT for word in asked.argv):
        told["argv_sha256"] = _digest(*asked.argv)
    return told


def content(asked: Ask) -> dict[str, Any]:
    """What a change would write."""
    if isinstance(asked, Write):
        sha256 = hashlib.sha256(asked.data).hexdigest()
        return {"mode": asked.mode.value, "bytes": len(asked.data), "content_sha256": sha256}
    if isinstance(asked, Edit):
        texts = [text for one in asked.replacements for text in (one.old_text, one.new_text)]
        return {"replacements": len(asked.replacements), "content_sha256": _digest(*texts)}
    if isinstance(asked, Arrange):
        path, to = show(asked.path), show(asked.to)
        told = {"what": asked.what.value, "from": path[:MOST_TEXT]}
        told |= {"to": to[:MOST_TEXT]} if to else {}
        is_cut = max(len(path), len(to)) > MOST_TEXT
        return {**told, **({"paths_sha256": _digest(path, to)} if is_cut else {})}
    return {}


def given(job: str, what: Input) -> dict[str, Any]:
    """What a running job is given to read."""
    digest = {"bytes": len(what.data), "sha256": hashlib.sha256(what.data).hexdigest()} if what.data else {}
    return {"job": job, **digest, **{name: True for name in ("interrupt", "end") if getattr(what, name)}}


def result(answer: Answer) -> dict[str, Any]:
    """The file as a change has left it."""
    if isinstance(answer, ArrangeAnswer):
        return {"resolved": answer.path, "now_at": answer.to, "bytes": answer.total_bytes}
    if not isinstance(answer, WriteAnswer):
        return {}
    return {
        "resolved": answer.path,
        "bytes": answer.total_bytes,
        "sha256": answer.sha256,
        "created": answer.created,
    }


def failure(error: WandError) -> dict[str, Any]:
    """Why it was not done."""
    return {"kind": type(error).__name__, "message": error.message[:MOST_TEXT]}


def _digest(*texts: str) -> str:
    """One digest of several texts."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()
