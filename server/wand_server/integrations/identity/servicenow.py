"""ServiceNow's Table, Attachment and Aggregate APIs."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import NotFound
from wand_server.integrations.kit import (
    Basic,
    Content,
    Download,
    FirstOf,
    Integration,
    Linked,
    OAuth2,
    Page,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    operation,
    patch,
    post,
    put,
)
from wand_server.integrations.kit.paging import NextCursor

Table = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_]{1,80}$",
        description="incident, change_request, sys_user, cmdb_ci …",
        examples=["incident"],
    ),
]
SysId = Annotated[
    str, Field(pattern=r"^[0-9a-f]{32}$", description="sys_id", examples=["9d385017c611228701d22104cc95c371"])
]
Query = Annotated[
    str | None,
    Field(description="such as active=true^priority<=2^short_descriptionLIKEmail^ORDERBYDESCopened_at"),
    Sent("sysparm_query"),
]
Fields = Annotated[
    list[str] | None, Field(description="names of fields to show"), Sent("sysparm_fields", "query")
]
Shown = Annotated[
    Literal["false", "true", "all"],
    Field(description="true: words in place of ids and numbers; all: both"),
    Sent("sysparm_display_value", "query"),
]
Values = Annotated[
    dict[str, Any], Field(min_length=1, description="fields and values"), Sent(where="whole_body")
]
Level = Annotated[Literal[1, 2, 3], Field(description="1 high, 2 medium, 3 low")]
Words = Annotated[
    bool,
    Sent("sysparm_input_display_value", "query"),
    Field(description="values are as people see them: a person's or a group's name for its sys_id"),
]
Numbers = Annotated[list[str] | None, Field(description="names of numeric fields")]
LEAN = {"sysparm_exclude_reference_link": "true"}
PAGES = Linked(items="result")  # a page is short where its reader may not see all: only a link tells of more
_RESOLVED = "6"
_SHOWN = ["sys_id", "number", "short_description", "state", "priority", "resolved_at"]
_ID_LETTERS = 32


class Attachment(Resource):
    sys_id: str = ""
    file_name: str = ""
    content_type: str | None = None
    size_bytes: str | int | None = None
    table_name: str | None = None
    table_sys_id: str | None = None
    created: Annotated[str | None, Field(alias="sys_created_on")] = None


class Incident(Resource):
    sys_id: str = ""
    number: str = ""
    short_description: str | None = None
    state: str | None = None
    priority: str | None = None
    resolved_at: str | None = None


class ServiceNow(Integration):
    """An instance of ServiceNow."""

    class Config(Integration.Config):
        """Which instance, and who signs in."""

        base_url: str = Field(description="https://NAME.service-now.com")
        username: str = Field(default="", description="with password; or client_id with client_secret")
        password: SecretStr | None = None
        client_id: str = Field(default="", description="of an OAuth entry, with client_secret")
        client_secret: SecretStr | None = None

    sign_in = FirstOf(
        (
            (("username", "password"), Basic()),
            (("client_id", "client_secret"), OAuth2(token_url="{base_url}/oauth_token.do")),  # noqa: S106 - no secret
        )
    )
    rate = Rate(10)

    async def health_check(self) -> None:
        await self.query_table(table="incident", limit=1)

    @get("/api/now/table/{table}", paging=PAGES, query=LEAN)
    async def query_table(
        self,
        table: Table,
        query: Query = None,
        fields: Fields = None,
        display_value: Shown = "false",
        limit: Annotated[int, Field(ge=1, le=1000), Sent("sysparm_limit")] = 20,
    ) -> Page[dict[str, Any]]:
        """List or find records of a table: incidents, changes, requests, people, configuration items."""

    @get("/api/now/table/{table}/{sys_id}", place="result", query=LEAN)
    async def get_record(
        self, table: Table, sys_id: SysId, fields: Fields = None, display_value: Shown = "false"
    ) -> dict[str, Any]:
        """Look at a record of a table: an incident, a change, a request, a person."""

    @post("/api/now/table/{table}", place="result", query=LEAN)
    async def create_record(
        self,
        table: Table,
        values: Values,
        fields: Fields = None,
        *,
        by_words: Words = False,
    ) -> dict[str, Any]:
        """Create a record in a table: a change request, a task, a configuration item."""

    # A note among the values is written twice where it is sent twice: so neither is said to be idempotent.
    @patch("/api/now/table/{table}/{sys_id}", place="result", query=LEAN)
    async def update_record(
        self,
        table: Table,
        sys_id: SysId,
        values: Values,
        fields: Fields = None,
        *,
        by_words: Words = False,
    ) -> dict[str, Any]:
        """Change some fields of a record: assign it, comment on it (work_notes), set its state."""

    @put("/api/now/table/{table}/{sys_id}", place="result", query=LEAN, idempotent=False)
    async def replace_record(
        self,
        table: Table,
        sys_id: SysId,
        values: Values,
        fields: Fields = None,
        *,
        by_words: Words = False,
    ) -> dict[str, Any]:
        """Write a record anew, with all its fields."""

    @delete("/api/now/table/{table}/{sys_id}")
    async def delete_record(self, table: Table, sys_id: SysId) -> None:
        """Delete a record of a table."""

    @operation(read_only=True)
    async def list_attachments(
        self,
        table: Table,
        sys_id: SysId,
        limit: Annotated[int, Field(ge=1, le=1000)] = 50,
        cursor: NextCursor = None,
    ) -> Page[Attachment]:
        """List the files that are attached to a record."""
        query = f"table_name={table}^table_sys_id={sys_id}"
        return await self._attachments(query=query, limit=limit, cursor=cursor)

    @get("/api/now/attachment", paging=PAGES)
    async def _attachments(
        self, query: Query, limit: Annotated[int, Sent("sysparm_limit")], cursor: str | None = None
    ) -> Page[Attachment]:
        """A search as ServiceNow takes it."""

    @get("/api/now/attachment/{sys_id}/file")
    async def get_attachment(
        self, sys_id: Annotated[SysId, Field(description="from list_attachments")]
    ) -> Download:
        """Get a file that is attached to a record."""

    @post("/api/now/attachment/file", place="result")
    async def upload_attachment(
        self,
        table: Annotated[Table, Sent("table_name", "query")],
        sys_id: Annotated[SysId, Sent("table_sys_id", "query")],
        file_name: Annotated[str, Field(min_length=1, max_length=100), Sent("file_name", "query")],
        content: Annotated[Content, Sent(where="whole_body")],
    ) -> Attachment:
        """Attach a file to a record."""

    @get("/api/now/stats/{table}", place="result", fixed={"sysparm_count": True})
    async def get_statistics(
        self,
        table: Table,
        query: Query = None,
        group_by: Annotated[
            list[str] | None, Field(description="names of fields"), Sent("sysparm_group_by")
        ] = None,
        average_of: Annotated[Numbers, Sent("sysparm_avg_fields")] = None,
        sum_of: Annotated[Numbers, Sent("sysparm_sum_fields")] = None,
        least_of: Annotated[Numbers, Sent("sysparm_min_fields")] = None,
        most_of: Annotated[Numbers, Sent("sysparm_max_fields")] = None,
        display_value: Shown = "true",
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """Count records of a table: how many incidents are open, by priority, group or state.

        With sums, averages, the least and the most of numbers where they are asked for.
        """

    @operation()
    async def create_incident(
        self,
        short_description: Annotated[str, Field(min_length=1, max_length=160)],
        description: str | None = None,
        urgency: Level = 3,
        impact: Level = 3,
        caller: Annotated[str | None, Field(description="name, user name or sys_id")] = None,
        assignment_group: Annotated[str | None, Field(description="name or sys_id")] = None,
        category: Annotated[str | None, Field(description="such as network, software")] = None,
        more: Annotated[dict[str, Any] | None, Field(description="other fields and values")] = None,
    ) -> Incident:
        """Raise an incident: report that something is broken or down."""
        said = {
            "short_description": short_description,
            "description": description,
            "urgency": str(urgency),
            "impact": str(impact),
            "caller_id": caller,
            "assignment_group": assignment_group,
            "category": category,
        }
        values = {name: value for name, value in said.items() if value is not None} | (more or {})
        made = await self._incident(values=values)
        return Incident.model_validate(made)

    @post("/api/now/table/incident", place="result")
    async def _incident(
        self,
        values: Values,
        by_words: Annotated[bool, Sent("sysparm_input_display_value", "query")] = True,  # noqa: FBT002
    ) -> dict[str, Any]:
        """An incident as ServiceNow takes it, people and groups by name."""

    @operation(idempotent=True)
    async def resolve_incident(
        self,
        incident: Annotated[
            str,
            Field(
                pattern=r"^([A-Za-z]{2,6}\d{3,12}|[0-9a-f]{32})$",
                description="number or sys_id",
                examples=["9d385017c611228701d22104cc95c371"],
            ),
        ],
        close_notes: Annotated[str, Field(min_length=1, description="what was done")],
        close_code: Annotated[str, Field(description="as the instance has them")] = "Solution provided",
    ) -> Incident:
        """Resolve or close an incident: it is fixed, and how."""
        sys_id = await self._numbered(incident) if len(incident) < _ID_LETTERS else incident
        values = {"state": _RESOLVED, "close_code": close_code, "close_notes": close_notes}
        return Incident.model_validate(
            await self.update_record(table="incident", sys_id=sys_id, values=values, fields=_SHOWN)
        )

    async def _numbered(self, number: str) -> str:
        """The sys_id of the incident of that number."""
        found = await self.query_table(
            table="incident", query=f"number={number.upper()}", fields=["sys_id"], limit=1
        )
        if not found.items:
            raise NotFound(f"there is no incident {number}", field="incident")
        return str(found.items[0]["sys_id"])
