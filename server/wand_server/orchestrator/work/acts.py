"""One act of a task: written down before it begins and when it has ended, and never done twice by mistake."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from wand_proto.errors import WandError
from wand_server.model import Call, ToolDescription, refusal
from wand_server.orchestrator.work.around import Around, End
from wand_server.orchestrator.work.narrowing import Narrowed

_Answer = TypeVar("_Answer")
AMBIGUOUS = "Ambiguous"
_LOST = "it began before a restart, and whether it was done is not known"
_LOOK = "look what it changed before it is done again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A call of a tool, under a name that no other act of the task has."""

    id: str
    tool: str
    arguments: dict[str, Any]


class Acts:
    """The acts of one task; `open` are those that have begun and may not be repeated."""

    def __init__(self, around: Around, tools: Narrowed) -> None:
        self.around = around
        self.tools = tools
        self.open: set[str] = set()
        self.unknown = [act for act, end in around.past.ended.items() if end.get("kind") == AMBIGUOUS]
        self._count = 0

    async def do(self, act: Act, judged: Callable[[End], End] | None = None) -> End:
        """How an act ended, now or in an attempt before, as it was judged then."""
        past = self.around.past
        kept = past.ended.get(act.id)
        if kept is not None and not kept.get("waits"):
            return self._noticed(act, End.read(kept))
        tool = self.tools.one(act.tool)
        if tool is None:
            return _refused(self.tools.missing(act.tool))
        if kept is None and act.id in past.begun and not (may_repeat(tool) and past.begun[act.id]):
            lost = End(text=f"{AMBIGUOUS}: {_LOST}\nHint: {_LOOK}", is_error=True, kind=AMBIGUOUS)
            await self.around.journal.ended(act.id, lost.as_json())
            return self._noticed(act, lost)
        return self._noticed(act, await self._call(act, tool, judged))

    async def _call(self, act: Act, tool: ToolDescription, judged: Callable[[End], End] | None) -> End:
        journal, call = self.around.journal, self.around.call
        await journal.begins(act.id, may_repeat=may_repeat(tool))
        if not may_repeat(tool):
            self.open.add(act.id)
        end = await self._answer(act, call)
        if judged is not None:
            end = judged(end)
        await journal.ended(act.id, end.as_json())
        self.open.discard(act.id)
        return end

    async def _answer(self, act: Act, call: Call) -> End:
        try:
            return End.of(await self.tools.call(act.tool, act.arguments, call._replace(progress=None)))
        except WandError as error:
            return _refused(error)

    def _noticed(self, act: Act, end: End) -> End:
        if end.kind == AMBIGUOUS and act.id not in self.unknown:
            self.unknown.append(act.id)
        return end

    async def tell(self, message: str, total: int | None = None) -> None:
        """Tell the caller, where they want to know, that one more thing is done."""
        self._count += 1
        if self.around.call.progress is not None:
            await self.around.call.progress(self._count, total, message)


async def together(runs: Iterable[Coroutine[Any, Any, _Answer]]) -> list[_Answer]:
    """What they give, run at the same time; where one breaks the others are cancelled, and it is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in runs]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several
    return [task.result() for task in tasks]


def may_repeat(tool: ToolDescription) -> bool:
    """Whether to call it twice is to call it once."""
    return tool.read_only or tool.idempotent


def _refused(error: WandError) -> End:
    return End.of(refusal(error))
