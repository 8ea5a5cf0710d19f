"""What moving, copying, removing and restoring comes to for the policy: uses of each path touched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

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


def acts_by_other_names(
    what: str, here: Sequence[str], there: Sequence[str], *, names: Sequence[str] = (), act_id: str = ""
) -> Iterator[FileAct]:
    """The same by the other names of both, of which the first have been seen to."""
    for one, other in zip_longest(here[1:], there[1:]):
        yield from acts(what, one or here[0], other or there[0], names=names, act_id=act_id)


def objection(
    policy: Policy, caller: Caller, act: FileAct, profile: str, *, by_other_name: bool = False
) -> Refusal | Question | None:
    """What is said against an act under that profile; who may write may edit, unless a rule denies it.

    So may who is permitted a file by one of its names, by another one.
    """
    decided = decide(policy, caller, replace(act, profile=profile))
    if isinstance(decided, Permit):
        return None
    is_silent = isinstance(decided, Refusal) and not decided.rule
    return None if is_silent and (by_other_name or act.verb is FileVerb.EDIT) else decided
