"""Opsgenie's REST API."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import ApiKey, Counted, Integration, Page, Resource, Sent, get, post

_PAGES = Counted(items="data", sent_as="offset", size="limit", by_items=True)
Identifier = Annotated[str, Field(description="id, alias or tiny id of the alert")]
Kind = Annotated[
    Literal["id", "alias", "tiny"], Sent("identifierType", where="query"), Field(description="which of them")
]
Note = Annotated[str | None, Field(max_length=25_000)]
Size = Annotated[int, Field(ge=1, le=100)]


class Alert(Resource):
    id: str = ""
    tiny_id: Annotated[str | None, Field(alias="tinyId")] = None
    alias: str | None = None
    message: str | None = None
    status: str | None = None
    acknowledged: bool | None = None
    priority: str | None = None
    source: str | None = None
    owner: str | None = None
    tags: list[str] | None = None
    count: int | None = None
    description: str | None = None
    created: Annotated[str | None, Field(alias="createdAt")] = None


class Accepted(Resource):
    """It is done soon: Opsgenie works on requests one after the other."""

    result: str | None = None
    request_id: Annotated[str | None, Field(alias="requestId")] = None


class Schedule(Resource):
    id: str = ""
    name: str | None = None
    description: str | None = None
    timezone: str | None = None
    enabled: bool | None = None


class OnCall(Resource):
    recipients: Annotated[list[str] | None, Field(alias="onCallRecipients")] = None


class Team(Resource):
    id: str = ""
    name: str | None = None
    description: str | None = None


class Responder(Resource):
    """Whom an alert is for: one of id, name and username."""

    type: Literal["team", "user", "escalation", "schedule"]
    id: str | None = None
    name: str | None = None
    username: str | None = None


class Owner(Resource):
    """Who works on an alert: by id or by username."""

    type: Literal["user"] = "user"
    id: str | None = None
    username: str | None = None


class Opsgenie(Integration):
    """Opsgenie, by a key."""

    class Config(Integration.Config):
        """The key."""

        api_key: SecretStr

    base_url = "https://api.opsgenie.com"
    sign_in = ApiKey("Authorization", prefix="GenieKey ")

    async def health_check(self) -> None:
        await self.list_alerts(limit=1)

    @post("/v2/alerts")
    async def create_alert(
        self,
        message: Annotated[str, Field(min_length=1, max_length=130)],
        alias: Annotated[str | None, Field(max_length=512, description="alerts of one alias are one")] = None,
        description: Annotated[str | None, Field(max_length=15_000)] = None,
        priority: Literal["P1", "P2", "P3", "P4", "P5"] | None = None,
        responders: list[Responder] | None = None,
        tags: list[str] | None = None,
        source: str | None = None,
        note: Note = None,
    ) -> Accepted:
        """Raise an alert, which pages who is on call."""

    @get("/v2/alerts", paging=_PAGES)
    async def list_alerts(
        self,
        query: Annotated[str | None, Field(description="such as status:open AND priority:P1")] = None,
        limit: Size = 20,
        sort: Literal["createdAt", "updatedAt", "count", "status"] | None = None,
        order: Literal["asc", "desc"] | None = None,
    ) -> Page[Alert]:
        """List alerts, or search for some."""

    @get("/v2/alerts/{identifier}", place="data")
    async def get_alert(self, identifier: Identifier, identifier_type: Kind = "id") -> Alert:
        """Look at an alert."""

    @post("/v2/alerts/{identifier}/acknowledge", idempotent=True)
    async def acknowledge_alert(
        self, identifier: Identifier, identifier_type: Kind = "id", user: str | None = None, note: Note = None
    ) -> Accepted:
        """Acknowledge an alert: somebody works on it, and nobody else is paged."""

    @post("/v2/alerts/{identifier}/close", idempotent=True)
    async def close_alert(
        self, identifier: Identifier, identifier_type: Kind = "id", user: str | None = None, note: Note = None
    ) -> Accepted:
        """Close an alert that is dealt with."""

    @post("/v2/alerts/{identifier}/notes")
    async def add_note(
        self, identifier: Identifier, note: str, identifier_type: Kind = "id", user: str | None = None
    ) -> Accepted:
        """Add a note to an alert."""

    @post("/v2/alerts/{identifier}/assign", idempotent=True)
    async def assign_alert(
        self, identifier: Identifier, owner: Owner, identifier_type: Kind = "id", note: Note = None
    ) -> Accepted:
        """Assign an alert to somebody."""

    @get("/v2/schedules", place="data")
    async def list_schedules(self) -> list[Schedule]:
        """List the on-call schedules."""

    @get("/v2/schedules/{identifier}/on-calls", place="data")
    async def get_on_calls(
        self,
        identifier: Annotated[str, Field(description="of the schedule")],
        schedule_identifier_type: Annotated[Literal["id", "name"], Sent("scheduleIdentifierType")] = "name",
        *,
        flat: Annotated[bool, Field(description="only the people")] = True,
    ) -> OnCall:
        """Tell who is on call now."""

    @get("/v2/teams", place="data")
    async def list_teams(self) -> list[Team]:
        """List the teams."""
