"""Operations of the services outside: found, described, called. Four tools, however many those are."""

import json
from abc import abstractmethod
from typing import Annotated, Any, ClassVar

from pydantic import Field

from wand_server import jsontexts
from wand_server.model import Call, Whole
from wand_server.ports import Integrations, OperationFound
from wand_server.tools import unseen
from wand_server.tools.base import Answer, Part, ToolModel
from wand_server.tools.registry import AskingEntry, Entry

_MOST_CHARACTERS = 48 * 1024
_HEAD_CHARACTERS = 16 * 1024  # of what is more
Name = Annotated[str, Field(min_length=1, max_length=128, description="as find_operations names it")]


class OperationTool(ToolModel):
    """A tool that asks the integrations."""

    toolset: ClassVar[str] = "integrations"
    open_world: ClassVar[bool] = True

    @abstractmethod
    async def ask(self, integrations: Integrations, call: Call) -> Answer:
        """Do it.

        Raises:
            WandError: what went wrong, in words for whoever asked.
        """


class OperationEntry(AskingEntry[OperationTool]):
    """A tool of that kind, bound to the integrations."""

    def __init__(self, kind: type[OperationTool], integrations: Integrations) -> None:
        super().__init__(kind, lambda tool, call: tool.ask(integrations, call))
        self._integrations = integrations

    def has_subject(self) -> bool:
        """Whether any service is configured."""
        return bool(self._integrations.services())


class Shown(Part):
    """One operation."""

    operation: str
    summary: str
    changes: bool
    destructive: bool = False


class FoundAnswer(Answer):
    """What was found."""

    operations: list[Shown]
    services: list[str]
    truncated: bool

    def text(self) -> str:
        services = f"Configured are: {', '.join(self.services) or 'no services'}"
        if not self.operations:
            return f"Nothing fits. {services}"
        more = f"There are more: say what for, name a service, or raise limit. {services}"
        return "\n".join((*map(_line, self.operations), *([more] if self.truncated else [])))


def _line(one: Shown) -> str:
    mark = " [destructive]" if one.destructive else " [changes]" if one.changes else ""
    return f"{one.operation}{mark}: {one.summary}"


class FindOperations(OperationTool):
    """Find what the configured services (Slack, GitHub and so on) can do, by plain words."""

    name = "find_operations"
    title = "Find operations"
    answer = FoundAnswer
    read_only = True
    open_world = False

    query: str = Field(default="", max_length=500, description="what you want to do; empty: all")
    service: str = Field(default="", max_length=64)
    limit: int = Field(default=8, ge=1, le=100)

    async def ask(self, integrations: Integrations, call: Call) -> FoundAnswer:  # noqa: ARG002
        found = await integrations.find(self.query, self.service, self.limit + 1)
        return FoundAnswer(
            operations=list(map(_shown, found[: self.limit])),
            services=list(integrations.services()),
            truncated=len(found) > self.limit,
        )


def _shown(found: OperationFound) -> Shown:
    return Shown(
        operation=found.name,
        summary=found.summary,
        changes=not found.read_only,
        destructive=found.destructive,
    )


class DescriptionAnswer(Answer):
    """All that is known of an operation."""

    operation: str
    description: str
    call_with: str
    arguments: dict[str, Any]  # JSON Schema
    gives: dict[str, Any]
    docs: str

    def text(self) -> str:
        schema = json.dumps(self.arguments, ensure_ascii=False)
        return f"{self.operation}: {self.description}\nCall it with {self.call_with}. Arguments: {schema}"


class DescribeOperation(OperationTool):
    """What arguments an operation takes, and what it gives back."""

    name = "describe_operation"
    title = "Describe an operation"
    answer = DescriptionAnswer
    read_only = True
    open_world = False

    operation: Name

    async def ask(self, integrations: Integrations, call: Call) -> DescriptionAnswer:  # noqa: ARG002
        detail = integrations.describe(self.operation)
        return DescriptionAnswer(
            operation=detail.found.name,
            description=detail.description,
            call_with=CallOperation.name if detail.found.read_only else CallOperationWrite.name,
            arguments=dict(detail.input_schema),
            gives=dict(detail.output_schema),
            docs=detail.docs,
        )


class CalledAnswer(Answer):
    """What an operation gave back."""

    operation: str
    result: Any
    told: str = Field(exclude=True)  # the result as JSON
    cut: str = ""  # so much of it as a result may hold, where it is more

    def whole(self) -> Whole | None:
        return Whole(data=self.told.encode(), mime_type="application/json") if self.cut else None

    def text(self) -> str:
        if self.cut:
            return f"It is too long, so this is the beginning.\n{self.cut}"
        if self.result is None:
            return f"{self.operation}: done"
        return self.told


class CallOperation(OperationTool):
    """Call an operation that changes nothing."""

    name = "call_operation"
    title = "Call an operation"
    answer = CalledAnswer
    read_only = True
    may_change: ClassVar[bool] = False

    operation: Name
    arguments: dict[str, Any] = Field(default={}, description="as describe_operation says")

    async def ask(self, integrations: Integrations, call: Call) -> CalledAnswer:
        result = await integrations.run(call, self.operation, self.arguments, may_change=self.may_change)
        return told(self.operation, result)


def told(operation: str, result: Any) -> CalledAnswer:
    """What an operation gave back, so much of it as a result may hold."""
    text = json.dumps(result, ensure_ascii=False)
    seen = result
    if unseen.stand_in(text):  # and only then is each of its texts looked at
        seen = jsontexts.changed(result, unseen.visible)
        text = json.dumps(seen, ensure_ascii=False)
    if len(text) > _MOST_CHARACTERS:
        return CalledAnswer(operation=operation, result=None, told=text, cut=text[:_HEAD_CHARACTERS])
    return CalledAnswer(operation=operation, result=seen, told=text)


class CallOperationWrite(CallOperation):
    """Call an operation that changes something at a service."""

    name = "call_operation_write"
    title = "Call an operation that changes something"
    read_only = False
    destructive = True
    may_change = True


def entries(integrations: Integrations) -> tuple[Entry, ...]:
    """The tools, bound to the integrations."""
    kinds = (FindOperations, DescribeOperation, CallOperation, CallOperationWrite)
    return tuple(OperationEntry(kind, integrations) for kind in kinds)
