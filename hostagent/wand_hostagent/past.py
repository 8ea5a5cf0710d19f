"""Jobs that have ended, as a file beside what they wrote: a host agent that comes after knows them still."""

import json
import logging
import time
from collections.abc import AsyncGenerator, Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wand_hostagent.backends.base import ExecutionBackend, Left
from wand_hostagent.model import Event, Exited, Limits, Reason, Started
from wand_hostagent.policy.model import Permit
from wand_hostagent.runs import Origin
from wand_hostagent.spool import SpoolFolder
from wand_proto.errors import Unavailable

log = logging.getLogger(__name__)


class Bygone(ExecutionBackend):
    """The backend of a job that an earlier host agent has seen end; it is no more than a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, permit: Permit) -> AsyncGenerator[Event, None]:
        raise Unavailable(f"nothing is run by what is left of {permit.act.id}")

    async def signal(self, job: str, signal: int) -> bool:  # noqa: ARG002 - it has ended
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All that is known of a job that has ended."""

    origin: Origin
    started: Started
    exited: Exited
    ended_unix_seconds: float


def packed(past: Past) -> str:
    """It as text."""
    origin = past.origin
    return json.dumps(
        {
            "principal": origin.principal,
            "argv": origin.argv,
            "began_unix_seconds": origin.began_unix_seconds,
            "ended_unix_seconds": past.ended_unix_seconds,
            "started": {**asdict(past.started), "limits": past.started.limits.named()},
            "exited": asdict(past.exited),
        }
    )


def unpacked(text: str) -> Past:
    """What a text says; raises ValueError, KeyError or TypeError where it says nothing of that kind."""
    read: dict[str, Any] = json.loads(text)
    started, exited = read["started"], read["exited"]
    told = Started(**{**started, "limits": Limits(**started["limits"])})
    also = tuple(map(Reason, exited["also"]))
    return Past(
        origin=Origin(
            job=told.job,
            principal=str(read["principal"]),
            argv=tuple(map(str, read["argv"])),
            profile=told.profile,
            backend=Bygone(told.backend),
            began_unix_seconds=float(read["began_unix_seconds"]),
        ),
        started=told,
        exited=Exited(**{**exited, "reason": Reason(exited["reason"]), "also": also}),
        ended_unix_seconds=float(read["ended_unix_seconds"]),
    )


def keep_lost(folder: SpoolFolder, left: Iterable[Left], there: Collection[str]) -> None:
    """Have jobs known as lost that an earlier host agent has left, and that nobody can follow again."""
    known = {path.stem for path in folder.ends()}
    for one in left:
        if one.principal and one.job not in known and not (one.mark and one.backend in there):
            folder.keep_end(one.job, packed(_lost(one, time.time())))


def _lost(left: Left, now: float) -> Past:
    return Past(
        origin=Origin(
            job=left.job,
            principal=left.principal,
            argv=left.argv,
            profile=left.profile,
            backend=Bygone(left.backend),
            began_unix_seconds=left.began_unix_seconds,
        ),
        started=left.started(),
        exited=Exited(job=left.job, reason=Reason.LOST, wall_seconds=max(0.0, now - left.began_unix_seconds)),
        ended_unix_seconds=now,
    )


def left_in(files: list[Path]) -> list[Past]:
    """Those that these files tell of, in order of their end; a file that cannot be read tells of none."""
    found = []
    for path in files:
        try:
            found.append(unpacked(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("end of a job not readable", extra={"file": path.name, "error": str(error)})
    return sorted(found, key=lambda past: past.ended_unix_seconds)
