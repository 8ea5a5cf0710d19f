"""Notion's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from wand_server.integrations.kit import (
    Bearer,
    Consent,
    Cursor,
    FirstOf,
    Personal,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    operation,
    patch,
    post,
)
from wand_server.integrations.kit import (
    Page as Several,
)

ID = "59833787-2cf9-4fdf-8782-e53db20768a5"
PageId = Annotated[str, Field(description="id of a page, from its URL", examples=[ID])]
SourceId = Annotated[str, Field(description="id of a data source (a table of a database)", examples=[ID])]
BlockId = Annotated[
    str, Field(description="id of a block, or of a page for all that is on it", examples=[ID])
]
TEXT = {"rich_text": [{"text": {"content": "Hello"}}]}
Properties = Annotated[
    dict[str, Any],
    Field(
        description="values by name of the property, as Notion writes them",
        examples=[{"Name": {"title": [{"text": {"content": "Plan"}}]}}],
    ),
]
Blocks = Annotated[
    list[dict[str, Any]],
    Field(
        min_length=1,
        max_length=100,
        description="paragraph, heading_1, to_do, bulleted_list_item and others",
        examples=[[{"type": "paragraph", "paragraph": TEXT}]],
    ),
]
Many = Annotated[int, Sent("page_size"), Field(ge=1, le=100)]
PAGES = Cursor(items="results", mark="next_cursor", sent_as="start_cursor", more="has_more")

_WORDS = ("rich_text", "caption", "title", "expression")
_LOOKS = ("cells", "color", "is_toggleable")  # cells are text as well


class Thing(Resource):
    """A page, a data source or a database; its properties say what it is called."""

    object: str = ""
    id: str = ""
    url: str | None = None
    title: list[dict[str, Any]] | None = None
    properties: dict[str, Any] | None = None
    parent: dict[str, Any] | None = None
    created_time: str | None = None
    last_edited_time: str | None = None
    last_edited_by: dict[str, Any] | None = None
    in_trash: bool | None = None


class Block(Resource):
    """A block of any type: its text, with links as in Markdown, and what else it has."""

    id: str = ""
    type: str = ""
    has_children: bool | None = None
    text: str = ""
    content: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, told: Any) -> Any:
        held = told.get(told.get("type")) if isinstance(told, dict) else None
        if not isinstance(held, dict):
            return told
        parts = [_text(held.get(name)) for name in _WORDS]
        cells = [_text(cell) for cell in held.get("cells") or ()]
        more = {name: value for name, value in held.items() if value and name not in (*_WORDS, *_LOOKS)}
        return {**told, "text": " ".join(filter(None, parts)) or " | ".join(cells), "content": more}


class Appended(Resource):
    results: list[Block] = []


class User(Resource):
    id: str = ""
    name: str | None = None
    type: str | None = None
    person: dict[str, Any] | None = None


class Comment(Resource):
    id: str = ""
    rich_text: list[dict[str, Any]] | None = None
    created_time: str | None = None
    created_by: dict[str, Any] | None = None


class Words(Resource):
    content: str


class Text(Resource):
    text: Words


class OnPage(Resource):
    page_id: PageId


class Kind(Resource):
    property: Literal["object"] = "object"
    value: Literal["page", "data_source"]


BY_PEOPLE = Consent(
    authorize_url="https://api.notion.com/v1/oauth/authorize",
    token_url="https://api.notion.com/v1/oauth/token",  # noqa: S106 - an address
    by="basic",
    body="json",
    more={"owner": "user"},
    pkce=False,
)


class Notion(Personal):
    """Notion, as an integration in a workspace, or as each person lets it in."""

    class Config(Personal.Config):
        """Its token, or a public integration that each person lets in."""

        token: SecretStr | None = None
        client_id: str = Field(default="", description="of a public one, by which each person signs in")
        client_secret: SecretStr | None = None

    base_url = "https://api.notion.com"
    sign_in = FirstOf(((("token",), Bearer("token")), (("client_id", "client_secret"), BY_PEOPLE)))
    headers = {"Notion-Version": "2025-09-03"}
    rate = Rate(3, per_seconds=1)

    async def health_check(self) -> None:
        await self.get_self()

    @post("/v1/search", read_only=True, paging=PAGES)
    async def search(
        self,
        query: Annotated[str | None, Field(description="words in the title")] = None,
        only: Annotated[Kind | None, Sent("filter")] = None,
        limit: Many = 20,
    ) -> Several[Thing]:
        """Search the pages and databases of Notion by their titles."""

    @get("/v1/pages/{page_id}")
    async def get_page(self, page_id: PageId) -> Thing:
        """Look a page in Notion up: its properties and URL; its text are its blocks (list_block_children)."""

    @post("/v1/pages")
    async def create_page(
        self,
        parent: Annotated[
            dict[str, str],
            Field(description="page_id, or data_source_id for a row of a table", examples=[{"page_id": ID}]),
        ],
        properties: Properties,
        children: Annotated[Blocks | None, Field(description="what is on it")] = None,
    ) -> Thing:
        """Create a page in Notion below another, or a row of a database, with text on it."""

    @patch("/v1/pages/{page_id}", idempotent=True)
    async def update_page(
        self, page_id: PageId, properties: Properties | None = None, *, in_trash: bool | None = None
    ) -> Thing:
        """Change the properties of a page in Notion (its title, status, date), or move it into the trash."""

    @post("/v1/data_sources/{data_source_id}/query", read_only=True, paging=PAGES)
    async def query_data_source(
        self,
        data_source_id: SourceId,
        filter: Annotated[
            dict[str, Any] | None,
            Field(
                description="as Notion writes it",
                examples=[{"property": "Done", "checkbox": {"equals": True}}],
            ),
        ] = None,
        sorts: Annotated[
            list[dict[str, Any]] | None, Field(examples=[[{"property": "Due", "direction": "ascending"}]])
        ] = None,
        limit: Many = 20,
    ) -> Several[Thing]:
        """Query a database (data source) in Notion: the rows that fit a filter, in an order."""

    @get("/v1/data_sources/{data_source_id}")
    async def get_data_source(self, data_source_id: SourceId) -> Thing:
        """Look a database (data source) in Notion up: its title, and which properties its rows have."""

    @get("/v1/blocks/{block_id}/children", paging=PAGES)
    async def list_block_children(self, block_id: BlockId, limit: Many = 50) -> Several[Block]:
        """Read what is on a page in Notion: its text, lists and to-dos, block by block."""

    @patch("/v1/blocks/{block_id}/children")
    async def append_block_children(
        self,
        block_id: BlockId,
        children: Blocks,
        after: Annotated[
            str | None, Field(description="id of the block to put them behind", examples=[ID])
        ] = None,
    ) -> Appended:
        """Write on a page in Notion: add text, lists or to-dos at its end."""

    @operation(idempotent=True)
    async def update_block(
        self,
        block_id: BlockId,
        kind: Annotated[
            str,
            Field(
                pattern=r"^[a-z0-9_]{3,40}$",
                description="the block's type, which stays: paragraph, heading_1, to_do, code and others",
                examples=["paragraph"],
            ),
        ],
        content: Annotated[
            dict[str, Any],
            Field(min_length=1, description="what changes", examples=[TEXT, {"checked": True}]),
        ],
    ) -> Block:
        """Change a block on a page in Notion: its text, or whether a to-do is done."""
        return await self._update(block_id=block_id, change={kind: content})

    @patch("/v1/blocks/{block_id}", idempotent=True)
    async def _update(
        self, block_id: str, change: Annotated[dict[str, Any], Sent(where="whole_body")]
    ) -> Block:
        """A block as Notion takes it."""

    @delete("/v1/blocks/{block_id}")
    async def delete_block(self, block_id: BlockId) -> None:
        """Delete a block from a page in Notion: a paragraph, an item, a to-do."""

    @get("/v1/users", paging=PAGES)
    async def list_users(self, limit: Many = 50) -> Several[User]:
        """List the people of the workspace in Notion."""

    @post("/v1/comments")
    async def create_comment(
        self, parent: OnPage, text: Annotated[list[Text], Sent("rich_text"), Field(min_length=1)]
    ) -> Comment:
        """Comment on a page in Notion."""

    @get("/v1/comments", paging=PAGES)
    async def list_comments(self, block_id: BlockId, limit: Many = 50) -> Several[Comment]:
        """Read the comments on a page in Notion that are not resolved."""

    @get("/v1/users/me")
    async def get_self(self) -> User:
        """Say which integration of Notion the token belongs to."""


def _text(told: Any) -> str:
    """Rich text without its looks; a plain text as it is."""
    if isinstance(told, list):
        return "".join(_span(one) for one in told if isinstance(one, dict))
    return told if isinstance(told, str) else ""


def _span(told: dict[str, Any]) -> str:
    words, link = told.get("plain_text") or "", told.get("href")
    return f"[{words}]({link})" if link else words
