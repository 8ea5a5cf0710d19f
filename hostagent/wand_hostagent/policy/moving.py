"""What moving, copying, removing and restoring comes to for the policy: uses of each path touched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from wand_hostagent.model import FileAct, FileVerb
from wand_hostagent.policy.decide import decide
from wand_hostagent.policy.model import Permit, Policy, Question, Refusal
from wand_proto.context import Caller

ACTIONS = ("move", "copy", "remove", "restore")
_CHANGED = (FileVerb.WRITE, FileVerb.EDIT)
_TAKEN = (*_CHANGED, FileVerb.READ)  # where it is now: what it says is to be had elsewhere then
_COPIED = (FileVerb.READ,)


def acts(what: str, path: str, to: str, *, names: Sequence[str] = (), act_id: str = "") -> Iterator[FileAct]:
    """Every use of the two paths, the one first by which the whole is permitted; or of all that is below."""
    here = _COPIED if what == "copy" else _TAKEN
    there = to if what != "remove" else ""
    for name in [f"/{name}" for name in names] or [""]:
        if there:
            yield from (FileAct(id=act_id, verb=verb, path=f"{there}{name}") for verb in _CHANGED)
        yield from (FileAct(id=act_id, verb=verb, path=f"{path}{name}") for verb in here)


def objection(policy: Policy, caller: Caller, act: FileAct, profile: str) -> Refusal | Question | None:
    """What is said against an act under that profile; who may write may edit, unless a rule denies it."""
    decided = decide(policy, caller, replace(act, profile=profile))
    if isinstance(decided, Permit):
        return None
    is_silent = isinstance(decided, Refusal) and not decided.rule
    return None if is_silent and act.verb is FileVerb.EDIT else decided
