"""What a tool may ask of the services outside, and where that is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wand_proto.errors import WandError
from wand_server.model import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFound:
    """An operation of a service, as a search shows it."""

    name: str  # "slack.send_message", "github:work.create_issue"
    summary: str
    read_only: bool
    destructive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDetail:
    """All that is known of an operation; the schemas are JSON Schema 2020-12."""

    found: OperationFound
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any]
    docs: str


class Integrations(Protocol):
    """The services outside that are configured. Every method raises the family of `wand_proto.errors`."""

    def services(self) -> tuple[str, ...]:
        """What is configured: "slack", "github:work"."""
        ...

    def offered(self, service: str, most: int) -> tuple[OperationFound, ...]:
        """The operations there are; of one service only where it is named."""
        ...

    async def find(self, query: str, service: str, most: int) -> tuple[OperationFound, ...]:
        """The operations that fit plain words best, the best first; of one service only where it is named."""
        ...

    def describe(self, name: str) -> OperationDetail: ...

    async def run(self, call: Call, name: str, untrusted: Mapping[str, Any], *, may_change: bool) -> Any:
        """Do an operation; what it gives back, as JSON."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One operation that is about to be done at a service outside."""

    id: str
    operation: str
    arguments_sha256: str
    read_only: bool


class Ledger(Protocol):
    """Where acts are recorded that no host agent sees."""

    async def begins(self, call: Call, act: Act) -> None:
        """Have it on record that it is about to begin; raises where it must not."""

    async def ended(self, call: Call, act: Act, seconds: float, failure: WandError | None) -> None:
        """Have it on record how it ended."""
