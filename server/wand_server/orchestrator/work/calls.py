"""The calls for which a model asks in one answer: made, refused, or given back as they cannot be read."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wand_server import arguments
from wand_server.orchestrator.work import sizes
from wand_server.orchestrator.work.acts import Act, Acts, together
from wand_server.orchestrator.work.around import End
from wand_server.orchestrator.work.models.port import Block
from wand_server.orchestrator.work.naming import GIVE_UP

_MOST_CALLS = 32  # in one answer
_AT_ONCE = 8
_MOST_BYTES = 32 * 1024  # of a result: the model reads each of them again in every turn
_MOST_BYTES_OF_ALL = 256 * 1024  # of one answer's
_SHOWN = 200
_TOO_MANY = f"more than {_MOST_CALLS} calls in one answer are not made: ask again for the rest"


class GivenUp(Exception):
    """The model says that the goal cannot be reached."""


class Calls:
    """The calls of one answer, the `turn`th; `names` says what their names stand for."""

    def __init__(self, acts: Acts, names: Mapping[str, str], turn: int) -> None:
        self._acts = acts
        self._names = names
        self._turn = turn

    async def made(self, blocks: Sequence[Block]) -> list[tuple[Block, End]]:
        """How each ended: those that only read together, what changes something alone, in their order.

        Behind one that waits for a person's approval none is made: it may build on that one.

        Raises:
            GivenUp: that is what it asks for.
        """
        for block in blocks:
            if block["name"] == GIVE_UP.name:
                raise GivenUp(str(block["input"].get("reason", ""))[:4000])
        ends: list[End] = []
        for some in self._groups(blocks):
            ends += await together(self._one(number, block) for number, block in some)
            if any(end.waits for end in ends):
                break
        return list(zip(blocks, ends, strict=False))

    def _groups(self, blocks: Sequence[Block]) -> Iterator[Sequence[tuple[int, Block]]]:
        """Those that are made at the same time, with their numbers."""
        for reads, some in itertools.groupby(enumerate(blocks), key=lambda one: self._only_reads(one[1])):
            numbered = list(some)
            size = _AT_ONCE if reads else 1
            yield from (numbered[at : at + size] for at in range(0, len(numbered), size))

    def _only_reads(self, block: Block) -> bool:
        tool = self._acts.tools.one(self._names.get(block["name"], ""))
        return tool is None or tool.read_only

    async def _one(self, number: int, block: Block) -> End:
        name = self._names.get(block["name"])
        if number >= _MOST_CALLS:
            return _not_made(_TOO_MANY)
        if name is None:
            return _not_made(arguments.unknown_tool(block["name"], self._names))
        if "unread" in block:
            shown = block["unread"][:_SHOWN]
            return _not_made(f"the arguments are no object of JSON, so the call was not made: {shown}")
        return await self._acts.do(Act(id=f"t{self._turn}.{number}", tool=name, arguments=block["input"]))


def asked_in(entry: Mapping[str, Any]) -> list[Block]:
    """The calls in an entry of the transcript."""
    return [block for block in entry["content"] if block["type"] == "tool_use"]


def is_given_up(asked: Sequence[Block]) -> bool:
    """Whether one of the calls gives up."""
    return any(block["name"] == GIVE_UP.name for block in asked)


def results_of(made: Sequence[tuple[Block, End]]) -> list[Block]:
    """What the model is told of its calls."""
    most_bytes = min(_MOST_BYTES, _MOST_BYTES_OF_ALL // max(1, len(made)))
    return [_result_of(block, end, most_bytes) for block, end in made]


def _result_of(block: Block, end: End, most_bytes: int) -> Block:
    """What the model is told of a call."""
    return {
        "type": "tool_result",
        "tool_use_id": block["id"],
        "content": sizes.clipped(end.text, most_bytes) or "(nothing)",
        "is_error": end.is_error,
    }


def _not_made(why: str) -> End:
    return End(text=f"Invalid: {why}", is_error=True, kind="Invalid")
