"""Uses of files: what the policy permits a confined worker does, and a change is on record first."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from weakref import WeakValueDictionary

from wand_hostagent import records
from wand_hostagent.filesystem.model import (
    Alias,
    Answer,
    Arrange,
    Ask,
    Edit,
    List,
    Read,
    Search,
    Survey,
    SurveyAnswer,
    Write,
)
from wand_hostagent.launcher.spelling import meant, show
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import FileAct, FileVerb
from wand_hostagent.policy import moving
from wand_hostagent.policy.decide import file_profile
from wand_hostagent.policy.model import Permit, PolicySource, Question
from wand_hostagent.policy.paths import names_of, resolved
from wand_hostagent.reports import who
from wand_proto.context import Caller
from wand_proto.errors import Broken, BrokenPolicy, Denied, Invalid, WandError

log = logging.getLogger(__name__)

VERBS: Mapping[type[Ask], FileVerb] = {
    Read: FileVerb.READ,
    Write: FileVerb.WRITE,
    Edit: FileVerb.EDIT,
    List: FileVerb.LIST,
    Search: FileVerb.SEARCH,
}
_AT_ONCE = 100  # decisions
FINISH_SECONDS = 10.0  # how long changes may take that have begun when the host agent stops


class FileBackend(Protocol):
    """The confined workers that use files."""

    async def use(self, profile: str, ask: Ask, *, principal: str) -> Answer: ...

    async def aliases(self, profile: str, *, principal: str) -> tuple[Alias, ...]: ...


class PermitFor(Protocol):
    """Has the policy, and where it asks a person, say whether an act may be done."""

    def __call__(
        self, caller: Caller, act: FileAct, content: Mapping[str, Any] = ..., /
    ) -> Awaitable[Permit]: ...


class FileUse:
    """Whoever wants something of a file."""

    def __init__(
        self, policy: PolicySource, link: LauncherLink, files: FileBackend, permit: PermitFor
    ) -> None:
        self._policy = policy
        self._link = link
        self._files = files
        self._permit = permit
        self._changes: set[asyncio.Task[Answer]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of files, by a name

    async def use(self, caller: Caller, act_id: str, ask: Ask) -> Answer:
        """Use a file if the policy permits it; a change is on record before it is made.

        Raises:
            Denied: the policy, or the system, says no.
        """
        path = await self._absolute(caller, ask.path)
        act = FileAct(id=act_id, verb=VERBS[type(ask)], path=path)
        asked = replace(ask, path=path)
        permit = await self._permit(caller, act, records.content(asked))
        if isinstance(asked, Write | Edit):
            names = await self._names(permit, path)
            await self._need_other_names(permit, act, names)
            # no link may lead a change to what was not permitted
            return await self._change_file(permit, act, replace(asked, at=names))
        answer = await self._files.use(permit.profile, asked, principal=permit.caller.principal)
        there = meant(answer.path)
        if there != path:  # a link led elsewhere: that place has to be permitted too
            await self._permit(caller, replace(act, path=there))
        await self._need_other_names(permit, act, await self._names(permit, there))
        return answer

    async def _names(self, permit: Permit, path: str) -> tuple[str, ...]:
        """The path, and the other names that it has where a folder of the profile is a link."""
        aliases = await self._files.aliases(permit.profile, principal=permit.caller.principal)
        return names_of(path, [(one.name, one.real) for one in aliases])

    async def _need_other_names(self, permit: Permit, act: FileAct, names: Sequence[str]) -> None:
        """See that no rule denies it by another of its names."""
        acts = [replace(act, path=name) for name in names[1:]]
        await self._need_permits(permit, acts, are_asked=bool(permit.approval), by_other_name=True)

    async def arrange(self, caller: Caller, act_id: str, ask: Arrange) -> Answer:
        """Move, copy, remove or restore, if the policy permits it of every path that is touched.

        Raises:
            Denied: the policy, or the system, says no.
        """
        path = await self._absolute(caller, ask.path)
        asked = replace(ask, path=path, to=await self._absolute(caller, ask.to) if ask.to else "")
        first, *others = moving.acts(asked.what, path, asked.to, act_id=act_id)
        permit = await self._permit(caller, first, records.content(asked))
        await self._need_permits(permit, others, are_asked=bool(permit.approval))
        here, there = await self._names(permit, path), await self._names(permit, asked.to)
        asked = replace(asked, at=(*here, *filter(None, there)))
        also = moving.acts_by_other_names(asked.what, here, there, act_id=act_id)
        await self._need_permits(permit, also, are_asked=bool(permit.approval), by_other_name=True)
        survey = Survey(what=asked.what, path=path, at=asked.at)
        found = await self._files.use(permit.profile, survey, principal=caller.principal)
        if not isinstance(found, SurveyAnswer):
            raise Broken(f"the file worker answered {type(found).__name__}; SurveyAnswer was due")
        if found.names:
            names = tuple(map(meant, found.names))
            inner = moving.acts(asked.what, path, asked.to, names=names, act_id=act_id)
            await self._need_permits(permit, inner)
            inner = moving.acts_by_other_names(asked.what, here, there, names=names, act_id=act_id)
            await self._need_permits(permit, inner, by_other_name=True)
        return await self._change_file(permit, first, replace(asked, surveyed=True, names=found.names))

    async def _need_permits(
        self,
        permit: Permit,
        acts: Iterable[FileAct],
        *,
        are_asked: bool = False,
        by_other_name: bool = False,
    ) -> None:
        """See that each is permitted under the same profile, and without a question that a person has not
        answered; else nothing is done.
        """
        for number, act in enumerate(acts):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # a large folder is not to hold up everybody
            said = moving.objection(
                self._policy.current, permit.caller, act, permit.profile, by_other_name=by_other_name
            )
            if said is None or (are_asked and isinstance(said, Question)):
                continue
            message, hint = said.message, "" if isinstance(said, Question) else said.hint
            if isinstance(said, Question):
                message = f"{show(act.path)} needs approval, and is to be asked for alone"
            told = {"rule": said.rule, "message": message, "policy": permit.policy_digest}
            await self._link.record("refused", {**who(permit.caller), **records.act(act), **told})
            raise Denied(message, hint=hint)

    async def _absolute(self, caller: Caller, path: str) -> str:
        """The path that is meant: a relative one begins at the workspace of the caller's profile."""
        if path.startswith("/"):
            return resolved(path, "/")
        try:
            name = file_profile(self._policy.current, caller)
        except BrokenPolicy:
            return resolved(path, "/")  # it is denied, wherever it lies
        known = await self._link.profiles()
        profile = known.named(name)
        if profile is None:
            wanted = f"profile {name!r}" if name else "default profile"
            there = ", ".join(one.name for one in known.profiles) or "none"
            raise Invalid(
                f"must begin with /: there is no {wanted} with a workspace",
                hint=f"a rule of policy about files names a profile; there are: {there}",
                field="path",
            )
        return resolved(path, profile.workspace_of(caller.principal))

    async def _change_file(self, permit: Permit, act: FileAct, asked: Ask) -> Answer:
        """Record, change, record; once begun it goes on to its end, whoever has gone meanwhile."""
        change = asyncio.create_task(self._change_in_turn(permit, act, asked), name=f"file {act.id}")
        self._changes.add(change)
        change.add_done_callback(self._changed)
        return await asyncio.shield(change)

    def _changed(self, change: "asyncio.Task[Answer]") -> None:
        self._changes.discard(change)
        if not change.cancelled():
            change.exception()  # whoever asked has it, or has gone

    async def finish(self) -> None:
        """Let changes that have begun come to their end, whose callers have gone; for a bounded while."""
        if self._changes:
            await asyncio.wait(self._changes, timeout=FINISH_SECONDS)

    async def _change_in_turn(self, permit: Permit, act: FileAct, asked: Ask) -> Answer:
        """Change a file once who changes it already is done: an edit begins with what it reads."""
        if not isinstance(asked, Write | Edit):
            return await self._recorded_change(permit, act, asked)
        async with self._locks.setdefault(min(asked.at), asyncio.Lock()):
            return await self._recorded_change(permit, act, asked)

    async def _recorded_change(self, permit: Permit, act: FileAct, asked: Ask) -> Answer:
        verb = asked.what.value if isinstance(asked, Arrange) else act.verb.value
        told = {"act": act.id, "verb": verb, "path": show(asked.path)}
        by = {"rule": permit.rule, "profile": permit.profile, "policy": permit.policy_digest}
        by |= {"approval": permit.approval} if permit.approval else {}
        await self._link.record("file", {**told, **who(permit.caller), **by, **records.content(asked)})
        try:
            answer = await self._files.use(permit.profile, asked, principal=permit.caller.principal)
        except WandError as error:
            await self._record_outcome({**told, "ok": False, **records.failure(error)})
            raise
        await self._record_outcome({**told, "ok": True, **records.result(answer)})
        return answer

    async def _record_outcome(self, fields: Mapping[str, Any]) -> None:
        try:
            await self._link.record("file_end", fields)
        except WandError as error:  # it is done all the same, and the record before it stands
            log.warning("outcome not recorded", extra={"act": fields["act"], "error": str(error)})
