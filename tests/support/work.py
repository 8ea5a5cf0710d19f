"""What stands around a task in tests: a shelf as its tools, a journal that outlives an attempt."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.modelserver import ModelServer, serving
from wand_proto.errors import Ambiguous, Denied, NeedsApproval, NotFound, WandError
from wand_server import scopes
from wand_server.integrations.kit.secrets import Strike
from wand_server.model import Call, Principal, ToolDescription, ToolResult, refusal
from wand_server.orchestrator.work.around import Around, Outcome, Past
from wand_server.orchestrator.work.carrying import carry_out
from wand_server.orchestrator.work.models.anthropic import HEADERS, Anthropic
from wand_server.orchestrator.work.models.chat import Chat
from wand_server.orchestrator.work.models.ollama import Ollama
from wand_server.orchestrator.work.models.port import Mind, Model, Prices
from wand_server.orchestrator.work.models.wire import Address, Patience, Wire

ANN = Principal(name="ann", means="api_key", scopes=scopes.EVERYDAY)
_TEXT = {"type": "string", "minLength": 1}


def _tool(
    name: str, needs: Collection[str], *, kind: str = "changes", toolset: str = "shelf"
) -> ToolDescription:
    return ToolDescription(
        name=name,
        title=name,
        description=f"The tool {name}.",
        input_schema={
            "type": "object",
            "properties": {**dict.fromkeys(needs, _TEXT), "copies": {"type": "integer", "maximum": 9}},
            "required": list(needs),
            "additionalProperties": False,
        },
        output_schema={},
        read_only=kind == "reads",
        destructive=False,
        idempotent=kind != "changes",
        open_world=False,
        toolset=toolset,
    )


@dataclass
class Shelf:
    """put keeps a text, add lengthens it, get reads it, names lists them; wait waits to be let go.

    distribute_task only remembers. A name that begins with denied, ambiguous or approval is refused so.
    """

    texts: dict[str, str] = field(default_factory=dict)
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    approved: bool = False
    tools: tuple[ToolDescription, ...] = (
        _tool("put", ("name", "text"), kind="idempotent"),
        _tool("add", ("name", "text")),
        _tool("get", ("name",), kind="reads"),
        _tool("names", (), kind="reads"),
        _tool("wait", ("name",), kind="reads"),
        _tool("block", ("name",)),
        _tool("distribute_task", ("name",), toolset="tasks"),
    )

    def describe(self) -> tuple[ToolDescription, ...]:
        return self.tools

    def unlisted(self, name: str) -> ToolDescription | None:
        return None

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        self.called.append((name, arguments))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            result = await self._do(name, arguments)
        except WandError as error:
            return refusal(error)
        finally:
            self.at_once -= 1
        return ToolResult(text=json.dumps(result), structured=result)

    async def _do(self, tool: str, given: dict[str, Any]) -> dict[str, Any]:
        name, text = given.get("name", ""), given.get("text", "")
        self._trouble(name)
        if tool in {"wait", "block"}:
            self.waiting.set()
            await self.let_go.wait()
        await asyncio.sleep(0)
        match tool:
            case "put":
                self.texts[name] = text
            case "add":
                self.texts[name] = self.texts.get(name, "") + text
            case "get" if name not in self.texts:
                raise NotFound(
                    f"there is no {name}", hint=f"there are: {', '.join(self.texts)}", field="name"
                )
            case "names":
                return {"names": sorted(self.texts)}
        return {"name": name, "text": self.texts.get(name, "")}

    def _trouble(self, name: str) -> None:
        if name.startswith("denied"):
            raise Denied("the policy denies it", hint="get is permitted")
        if name.startswith("ambiguous"):
            raise Ambiguous("the link broke")
        if name.startswith("approval") and not self.approved:
            raise NeedsApproval("waits for approval ab12", hint="once a person has said: approve yes ab12")


@dataclass
class Diary:
    """A journal in memory."""

    ended_: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: dict[str, bool] = field(default_factory=dict)
    transcript: list[dict[str, Any]] = field(default_factory=list)
    lose_after: str = ""  # dies as soon as that act has begun, or been noted

    async def begins(self, act: str, *, may_repeat: bool) -> None:
        self.begun[act] = may_repeat
        self.ended_.pop(act, None)

    async def ended(self, act: str, end: dict[str, Any]) -> None:
        if act == self.lose_after:
            raise Lost(act)
        self.ended_[act] = json.loads(json.dumps(end))

    async def note(self, entry: dict[str, Any]) -> None:
        self.transcript.append(json.loads(json.dumps(entry)))

    def past(self) -> Past:
        return Past(ended=dict(self.ended_), begun=dict(self.begun), transcript=tuple(self.transcript))


class Lost(Exception):
    """The process died."""


def call(**fields: Any) -> Call:
    return Call(principal=ANN, request_id="r1", **fields)


def around(shelf: Any, diary: Diary | None = None, **fields: Any) -> Around:
    """What a task of ann's is given; an attempt before it is in the diary."""
    diary = diary or Diary()
    given: Mapping[str, Any] = {"call": call(), "past": diary.past(), **fields}
    return Around(tools=shelf, journal=diary, **given)


def step(name: str, tool: str, /, **fields: Any) -> dict[str, Any]:
    """A step; what is no field of one is an argument."""
    own = {"when", "for_each", "at_most", "at_once", "after", "expect", "on_error"}
    arguments = {key: value for key, value in fields.items() if key not in own}
    rest = {key: value for key, value in fields.items() if key in own}
    return {"id": name, "tool": tool, "arguments": arguments, **rest}


def steps(*some: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"steps": list(some), **fields}


def ref(path: str, **fields: Any) -> dict[str, Any]:
    return {"$from": path, **fields}


PRICES = Prices(input=3.0, output=15.0, cache_read=0.3, cache_write=3.75)
KEY = "sk-ant-secret-0123456789"
HURRY = Patience(first_seconds=0.001, most_seconds=5, idle_seconds=5)


def model(server: ModelServer, patience: Patience = HURRY, **mind: Any) -> Model:
    """A client of that server, which is in a hurry."""
    own = Mind(name="m", **{"prices": PRICES, **mind})
    headers = (
        {"x-api-key": KEY, **HEADERS} if server.form == "anthropic" else {"authorization": f"Bearer {KEY}"}
    )
    address = Address(url=server.url, hosts=("127.0.0.1",), headers=headers, patience=patience)
    wire = Wire(address, Strike([KEY]).out_of)
    kinds: dict[str, Any] = {"anthropic": Anthropic, "chat": Chat, "ollama": Ollama}
    made: Model = kinds[server.form](own, wire)
    return made


@contextlib.asynccontextmanager
async def thinking(
    *plays: Any, form: str = "anthropic", **fields: Any
) -> AsyncIterator[tuple[Model, ModelServer]]:
    """A model, and the server that plays it."""
    async with serving(form, *plays) as server:
        mind = model(server, **fields)
        try:
            yield mind, server
        finally:
            await mind.close()


def goal(**fields: Any) -> dict[str, Any]:
    return {"goal": "put y on x", **fields}


async def reached(shelf: Shelf, *plays: Any, given: Any = None, **fields: Any) -> tuple[Outcome, ModelServer]:
    """What came of a goal, and the server that was asked."""
    about = {
        name: fields.pop(name)
        for name in ("form", "prices", "context_tokens", "most_output_tokens")
        if name in fields
    }
    async with thinking(*plays, **about) as (mind, server), asyncio.timeout(60):
        return await carry_out(
            given or goal(), around(shelf, fields.pop("diary", None), model=mind, **fields)
        ), server


def results(server: ModelServer) -> list[tuple[str, bool]]:
    """What the model was told of its calls last."""
    return [
        (one["content"], one["is_error"]) for one in server.last_content() if one["type"] == "tool_result"
    ]
