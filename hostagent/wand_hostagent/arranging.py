"""What moving, copying, removing and restoring comes to for the policy: uses of each path touched."""

from collections.abc import Iterator, Sequence

from wand_hostagent.filesystem.model import Arrange, Arrangement
from wand_hostagent.model import FileAct, FileVerb

_CHANGED = (FileVerb.WRITE, FileVerb.EDIT)
_TAKEN = (*_CHANGED, FileVerb.READ)  # where it is now: what it says is to be had elsewhere then
_COPIED = (FileVerb.READ,)


def acts(act_id: str, asked: Arrange, names: Sequence[str] = ()) -> Iterator[FileAct]:
    """Every use of what is named, the one that the act is called by first; or of all that is below it."""
    here = _COPIED if asked.what is Arrangement.COPY else _TAKEN
    there = asked.to if asked.what is not Arrangement.REMOVE else ""
    for name in [f"/{name}" for name in names] or [""]:
        if there:
            yield from (FileAct(id=act_id, verb=verb, path=f"{there}{name}") for verb in _CHANGED)
        yield from (FileAct(id=act_id, verb=verb, path=f"{asked.path}{name}") for verb in here)


def must_be_allowed(act: FileAct) -> bool:
    """Whether silence of the policy forbids it: who may write may edit, unless a rule says otherwise."""
    return act.verb is not FileVerb.EDIT
