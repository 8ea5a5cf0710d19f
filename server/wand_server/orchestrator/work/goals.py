"""Works towards a goal in words: a model asks for calls, is told what came of them, until it is done."""

import re
import time
from dataclasses import replace
from typing import Any

from wand_proto.errors import Conflict, Denied, Exhausted, WandError
from wand_server.orchestrator.work import asking, calls, conversation, naming, spending
from wand_server.orchestrator.work.acts import Acts
from wand_server.orchestrator.work.around import End, Outcome
from wand_server.orchestrator.work.calls import Calls, GivenUp
from wand_server.orchestrator.work.conversation import Conversation
from wand_server.orchestrator.work.form import Goal
from wand_server.orchestrator.work.models.port import Answered, Asked, Block, Model
from wand_server.orchestrator.work.models.trouble import Busy

_TELL_SECONDS = 1.0
_TOLD_CHARACTERS = 200
_DECLINED = frozenset({"refusal", "context"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class GoalRun:
    """A goal on its way."""

    def __init__(self, goal: Goal, model: Model, acts: Acts) -> None:
        self._goal = goal
        self._model = model
        self._acts = acts
        self._shown, self._names = naming.shown(acts.tools.describe())
        self._budget = spending.less(
            acts.around.budget, turns=goal.turns, tokens=goal.tokens, cost_usd=goal.cost_usd
        )
        self._talk = Conversation(model.mind.context_tokens, acts.around.past.transcript)
        self._told_at = 0.0
        self._heard = ""

    async def carry_out(self) -> Outcome:
        """What came of it."""
        try:
            await self._begin()
            while True:
                if self._talk.wants_answer():
                    await self._ask()
                if (outcome := await self._follow()) is not None:
                    return outcome
        except GivenUp as why:
            return self._failed(Conflict(f"given up: {why}"))
        except Busy as busy:
            return replace(self._failed(busy.error), may_pass=True, after_seconds=busy.after_seconds)
        except WandError as error:
            return self._failed(error)

    async def _begin(self) -> None:
        """Say what the goal is; where an attempt before gave up or was declined, that it is tried again."""
        if not len(self._talk):
            await self._say(conversation.of_user(asking.opening(self._goal), "goal"))
            return
        last = self._talk.last
        asked = calls.asked_in(last)
        if last["role"] == "assistant" and (last["stop"] in _DECLINED or calls.is_given_up(asked)):
            refused = calls.results_of([(block, End(text=asking.AGAIN, is_error=True)) for block in asked])
            await self._say(conversation.of_user(refused or [_text(asking.AGAIN)], "again"))

    def _failed(self, error: WandError) -> Outcome:
        usage, unknown = self._talk.usage, tuple(self._acts.unknown)
        return Outcome(state="failed", error=error, text=self._talk.text(), usage=usage, unknown=unknown)

    async def _say(self, entry: dict[str, Any]) -> None:
        """Have it kept, and then said."""
        await self._acts.around.journal.note(entry)
        self._talk.add(entry)

    # -- the model's turn ----------------------------------------------------------------------------------

    async def _ask(self) -> None:
        asked = Asked(
            system=asking.system(self._acts.around.call.principal),
            turns=self._talk.turns(),
            tools=self._shown,
            most_tokens=await self._room(),
        )
        self._heard = ""
        answered = await self._model.answer(asked, self._hear)
        await self._say(conversation.of_model(self._tidy(answered), self._model.mind.name))

    async def _room(self) -> int:
        """How much the model may write, within what is left now.

        Raises:
            Exhausted: it is too little.
        """
        budget, spent = self._budget, self._talk.usage
        if (allowance := self._acts.around.allowance) is not None and (left := await allowance()) is not None:
            budget = spending.less(budget, cost_usd=spent.cost_usd + left)
        return spending.room(self._model.mind, budget, spent, self._talk.last_usage)

    async def _hear(self, piece: str) -> None:
        """Let the caller hear what the model says, not more than once in a second."""
        self._heard = (self._heard + piece)[-_TOLD_CHARACTERS:]
        now = time.monotonic()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            await self._acts.tell(f"turn {self._talk.turn + 1}: {self._heard}")

    def _tidy(self, answered: Answered) -> Answered:
        """The answer, each of its calls with an id of its own, and without a call that was cut."""
        turn, seen = self._talk.turn + 1, set[str]()
        content: list[Block] = []
        for number, block in enumerate(answered.content):
            if block["type"] == "tool_use":
                if answered.stop == "length" and "unread" in block:
                    continue
                known = str(block["id"])
                own = known if _ID.fullmatch(known) and known not in seen else f"call_{turn}_{number}"
                seen.add(own)
                block = {**block, "id": own, "name": str(block["name"])[:128] or "?"}  # noqa: PLW2901
            content.append(block)
        return replace(answered, content=content)

    # -- what follows --------------------------------------------------------------------------------------

    async def _follow(self) -> Outcome | None:
        """What comes of the model's last answer; None where it goes on."""
        stop, asked = self._talk.last["stop"], calls.asked_in(self._talk.last)
        match stop:
            case "refusal":
                why = self._talk.last["why"] or self._talk.text()
                return self._failed(Denied(f"the model declines: {why[:500]}"))
            case "context":
                hint = "split the goal, or have less read at once"
                return self._failed(
                    Exhausted("the conversation is longer than the model can read", hint=hint)
                )
            case _ if asked:
                return await self._call(asked, is_cut=stop == "length")
            case "length":
                await self._say(conversation.of_user([_text(asking.CUT)], "length"))
                return None
            case "pause":
                return None
        text, unknown = self._talk.text(), tuple(self._acts.unknown)
        return Outcome(state="done", result=text, text=text, usage=self._talk.usage, unknown=unknown)

    async def _call(self, asked: list[Block], *, is_cut: bool) -> Outcome | None:
        turn = self._talk.turn
        await self._acts.tell(
            f"turn {turn}: {', '.join(block['name'] for block in asked)}"[:_TOLD_CHARACTERS]
        )
        made = await Calls(self._acts, self._names, turn).made(asked)
        if waits := "\n".join(end.waits for _, end in made if end.waits):
            return Outcome(state="waits", text=waits, usage=self._talk.usage)
        more = [_text(asking.CUT_CALL)] if is_cut else []
        await self._say(conversation.of_user([*calls.results_of(made), *more], "results"))
        return None


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
