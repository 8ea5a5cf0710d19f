"""Integrations that exist only in a test, and a ledger that remembers what it was told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from wand_proto.errors import WandError
from wand_server import ports
from wand_server.integrations import index
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.kit import Bearer, Integration, Resource, delete, get, post
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.model import Call


class Note(Resource):
    id: int
    text: str = ""


class Notes(Integration):
    """A service of notes."""

    class Config(Integration.Config):
        token: SecretStr

    sign_in = Bearer("token")

    async def health_check(self) -> None:
        await self.list_notes()

    @get("/notes", place="notes")
    async def list_notes(self) -> list[Note]:
        """List the notes."""
        raise NotImplementedError

    @post("/notes")
    async def write_note(self, text: str) -> Note:
        """Write a note."""
        raise NotImplementedError

    @delete("/notes/{number}")
    async def delete_note(self, number: int) -> None:
        """Delete a note."""


class FakeCatalog(Catalog):
    """Knows one service."""

    manifests: Mapping[str, Any] = {}
    known: Mapping[str, index.Known] = {"notes": index.known(Notes)}

    def load(self, service: str) -> type[BaseIntegration]:
        self.check(service, "service")
        return Notes


@dataclass
class FakeLedger:
    """Remembers; `error` is raised before anything begins."""

    error: WandError | None = None
    told: list[tuple[str, str, str]] = field(default_factory=list)

    async def begins(self, call: Call, act: ports.Act) -> None:
        if self.error is not None:
            raise self.error
        self.told.append(("begins", act.operation, act.id))

    async def ended(self, call: Call, act: ports.Act, seconds: float, failure: WandError | None) -> None:
        self.told.append(("ended", type(failure).__name__ if failure else "done", act.id))
