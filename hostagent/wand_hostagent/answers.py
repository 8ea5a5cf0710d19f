"""Requests to the launcher that are on their way, each waiting for the answer that has its number."""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wand_hostagent.seqpacket import close_all
from wand_proto import errors
from wand_proto.errors import Ambiguous, Unavailable, WandError

HINT = "systemctl status wand-launcher says why it does not run"
EMBEDDED_HINT = "it is started again by itself; logs/launcher.log in the state folder says why it ended"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the launcher says, and the descriptors that came along, for whoever asked to close."""

    message: Mapping[str, Any]
    descriptors: list[int]


class Answers:
    """Who waits for which answer, and what it means where the link breaks before."""

    def __init__(self, hint: str = HINT) -> None:
        """`hint` says where to look when the link is broken."""
        self.hint = hint
        self._numbers = itertools.count(1)
        self._waiting: dict[int, tuple[asyncio.Future[Answer], type[WandError]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def next_number(self) -> int:
        """A number for a request whose answer nobody awaits."""
        return next(self._numbers)

    def expect(self) -> tuple[int, "asyncio.Future[Answer]"]:
        """A number for a request, and its answer to come; whoever does not take that has to `drop` it."""
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer, Unavailable
        return number, answer

    def drop(self, number: int, answer: "asyncio.Future[Answer]") -> None:
        """Give up an answer that nobody takes: its descriptors are closed, now or when it comes."""
        self._waiting.pop(number, None)
        if not answer.cancel() and not answer.cancelled() and answer.exception() is None:
            close_all(answer.result().descriptors)

    def note_sent(self, number: int) -> None:
        """From here on a link that breaks leaves it open whether the request was done."""
        if number in self._waiting:
            self._waiting[number] = self._waiting[number][0], Ambiguous

    def give(self, message: Mapping[str, Any], descriptors: list[int]) -> None:
        """Hand an answer to whoever waits for it."""
        answer, _ = self._waiting.pop(message.get("re", -1), (None, None))
        if answer is None or answer.done():
            close_all(descriptors)  # whoever asked has gone
        elif message.get("say") == "failed":
            close_all(descriptors)
            text = {name: str(message.get(name) or "") for name in ("kind", "message", "hint", "field")}
            answer.set_exception(
                errors.named(text["kind"], text["message"], hint=text["hint"], field=text["field"])
            )
        else:
            answer.set_result(Answer(message, descriptors))

    def give_up(self) -> None:
        """Tell everybody that the link broke."""
        waiting, self._waiting = self._waiting, {}
        for answer, broke in waiting.values():
            if not answer.done():
                answer.set_exception(broke("the link to the launcher broke", hint=self.hint))
