"""What a tool is: a frozen model of its arguments that, called with the host, gives an Answer."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from wand_server.model import Call, Picture, Whole
from wand_server.ports import Host


class ToolInterface(ABC):
    """The plain form of a tool, for those who extend Wand: `@tool_registry.register("name")` takes it."""

    @abstractmethod
    async def execute(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run with parameters that have been checked against `get_schema`."""

    @abstractmethod
    def get_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the parameters."""


class Part(BaseModel):
    """A value inside an answer."""

    model_config = ConfigDict(frozen=True)


class Answer(BaseModel, ABC):
    """What a tool gives back: an object for programs, and the same as text for a model."""

    model_config = ConfigDict(frozen=True)

    is_sparse: ClassVar[bool] = False  # what has a default is left out where it has that value

    @abstractmethod
    def text(self) -> str:
        """What a model reads."""

    def whole(self) -> Whole | None:
        """All of it, where the text is only its beginning."""
        return None

    def pictures(self) -> tuple[Picture, ...]:
        """What a client can show beside the text."""
        return ()

    def is_failure(self) -> bool:
        """Whether the tool did not do what was asked, so that the result is marked as an error."""
        return False


class ToolModel(BaseModel, ABC):
    """Fields are its arguments, its docstring is what a model reads before it chooses it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    title: ClassVar[str]
    answer: ClassVar[type[Answer]]
    read_only: ClassVar[bool] = False
    destructive: ClassVar[bool] = False
    idempotent: ClassVar[bool] = False
    open_world: ClassVar[bool] = False
    may_last: ClassVar[bool] = False
    view: ClassVar[str] = ""
    toolset: ClassVar[str] = ""
    stands_for: ClassVar[str] = ""  # the tool whose call it is under another name
    kept_seconds: ClassVar[float] = 0  # for which an answer may be given again to whoever got it


class Tool(ToolModel):
    """A tool that asks the host."""

    @abstractmethod
    async def call(self, host: Host, call: Call) -> Answer:
        """Do it.

        Raises:
            WandError: what went wrong, in words for whoever asked.
        """
