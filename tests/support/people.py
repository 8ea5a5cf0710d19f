"""Who calls, in tests, and what they ask for."""

import itertools
from typing import Any

from wand_hostagent.model import FileAct, FileVerb, Job, Limits
from wand_hostagent.policy.model import Permit
from wand_proto.context import Caller

ANN = Caller(principal="ann", request_id="r1", client="claude/1", peer="spiffe://wand.internal/server/a")
BOB = Caller(principal="bob", request_id="r2")
_NUMBERS = itertools.count(1)


def job(*argv: str, **parts: Any) -> Job:
    """A job with an id of its own."""
    return Job(**{"id": f"j{next(_NUMBERS)}", "argv": argv, **parts})


def shell(text: str, **parts: Any) -> Job:
    """A job in shell form."""
    return job(text, shell=True, **parts)


def act(verb: FileVerb | str, path: str = "", **parts: Any) -> FileAct:
    """One use of a file tool."""
    return FileAct(id=f"f{next(_NUMBERS)}", verb=FileVerb(verb), path=path, **parts)


def permit(asked: Job, *, caller: Caller = ANN, limits: Limits | None = None) -> Permit:
    """A permit as the policy would make it."""
    return Permit(
        caller=caller,
        act=asked,
        rule="people",
        profile="developer",
        limits=limits or asked.limits,
        policy_digest="d1",
    )
