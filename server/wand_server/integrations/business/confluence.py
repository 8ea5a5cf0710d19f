"""Confluence's API in Atlassian's cloud."""

from typing import Annotated, Any

from pydantic import Field, PlainSerializer, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Page, Resource, Sent, at, get, post, put

V2 = "/wiki/api/v2"
PAGES = kit.Linked(items="results", link="_links.next")
Id = Annotated[int, Field(ge=1, description="of a page", examples=[98306])]
SpaceId = Annotated[int, Field(ge=1, description="from list_spaces", examples=[98305])]
Size = Annotated[int, Field(ge=1, le=250)]
Html = Annotated[str, Field(description="as XHTML of Confluence's storage format", examples=["<p>Hello</p>"])]
AS_TEXT = PlainSerializer(str)  # as which a body has what a path has as a number
Below = Annotated[Annotated[Id, AS_TEXT] | None, Sent("parentId")]
Written = Annotated[Html, Sent("body.value")]
STORAGE = {"body.representation": "storage"}
WITH_TEXT = {"body-format": "storage"}


class Space(Resource):
    id: str = ""
    key: str = ""
    name: str = ""
    type: str | None = None
    status: str | None = None
    home: Annotated[str | None, at("homepageId")] = None


class WikiPage(Resource):
    id: str = ""
    title: str = ""
    status: str | None = None
    space_id: Annotated[str | None, at("spaceId")] = None
    parent_id: Annotated[str | None, at("parentId")] = None
    version: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    links: Annotated[dict[str, Any] | None, at("_links")] = None


class Comment(Resource):
    id: str = ""
    version: dict[str, Any] | None = None
    body: dict[str, Any] | None = None


class Attachment(Resource):
    id: str = ""
    title: str = ""
    media_type: Annotated[str | None, at("mediaType")] = None
    size: Annotated[int | None, at("fileSize")] = None
    link: Annotated[str | None, at("downloadLink")] = None


class Label(Resource):
    id: str = ""
    name: str = ""


class Confluence(kit.Integration):
    """A site of Confluence, as one of its people."""

    class Config(kit.Integration.Config):
        """Which site, and who signs in."""

        base_url: str = Field(description="https://NAME.atlassian.net")
        email: str = Field(default="", description="of the account whose token it is")
        token: SecretStr

    sign_in = kit.FirstOf(
        ((("email", "token"), kit.Basic("email", "token")), (("token",), kit.Bearer("token")))
    )
    rate = kit.Rate(10)

    async def health_check(self) -> None:
        await self.list_spaces(limit=1)

    @get(f"{V2}/spaces", paging=PAGES)
    async def list_spaces(self, keys: list[str] | None = None, limit: Size = 25) -> Page[Space]:
        """List the spaces of the wiki, or those of some keys."""

    @get(f"{V2}/spaces/{{id}}")
    async def get_space(self, id: SpaceId) -> Space:
        """Look at a space of the wiki: its name, its key, its first page."""

    @get(f"{V2}/pages", paging=PAGES)
    async def list_pages(
        self,
        space_id: Annotated[SpaceId | None, Sent("space-id")] = None,
        title: Annotated[str | None, Field(description="the whole of it")] = None,
        limit: Size = 25,
    ) -> Page[WikiPage]:
        """List the pages of the wiki, or of a space, or find the one of a title."""

    @get(f"{V2}/pages/{{id}}", query=WITH_TEXT)
    async def get_page(self, id: Id) -> WikiPage:
        """Read a page of the wiki: its text, its version, where it stands."""

    @post(f"{V2}/pages", fixed={"status": "current", **STORAGE})
    async def create_page(
        self,
        space_id: Annotated[SpaceId, AS_TEXT, Sent("spaceId")],
        title: Annotated[str, Field(min_length=1)],
        text: Written,
        parent: Below = None,
    ) -> WikiPage:
        """Create a page of the wiki in a space, below another or at its top."""

    @kit.operation()
    async def update_page(
        self,
        id: Id,
        text: Annotated[Html, Field(description="all of it, in place of what is there")],
        version: Annotated[int, Field(ge=1, description="that was read: a change in between is refused")],
        title: Annotated[str, Field(min_length=1, description="as it is, or a new one")],
        note: Annotated[str, Field(description="what was changed")] = "",
    ) -> WikiPage:
        """Write a page of the wiki anew: its text and title; the older version is kept."""
        return await self._update(id, str(id), title, text, version + 1, note)

    @put(f"{V2}/pages/{{id}}", fixed={"status": "current", **STORAGE}, idempotent=False)
    async def _update(
        self, id: int, said_id: Annotated[str, Sent("id")], title: str, text: Written,
        version: Annotated[int, Sent("version.number")], note: Annotated[str, Sent("version.message")],
    ) -> WikiPage:  # fmt: skip
        """A page as Confluence takes it."""

    @kit.delete(f"{V2}/pages/{{id}}")
    async def delete_page(self, id: Id) -> None:
        """Delete a page of the wiki: it goes to the trash of its space."""

    @get(f"{V2}/pages/{{id}}/children", paging=PAGES)
    async def list_child_pages(self, id: Id, limit: Size = 25) -> Page[WikiPage]:
        """List the pages of the wiki that stand below a page."""

    @get(f"{V2}/pages/{{id}}/footer-comments", paging=PAGES, query=WITH_TEXT)
    async def list_page_comments(self, id: Id, limit: Size = 25) -> Page[Comment]:
        """Read the comments below a page of the wiki."""

    @post(f"{V2}/footer-comments", fixed=STORAGE)
    async def add_comment(self, page: Annotated[Id, AS_TEXT, Sent("pageId")], text: Written) -> Comment:
        """Comment on a page of the wiki, below it."""

    @get(f"{V2}/pages/{{id}}/attachments", paging=PAGES)
    async def list_attachments(self, id: Id, limit: Size = 25) -> Page[Attachment]:
        """List the files that are attached to a page of the wiki."""

    @get(f"{V2}/pages/{{id}}/labels", paging=PAGES)
    async def list_labels(self, id: Id, limit: Size = 25) -> Page[Label]:
        """List the labels of a page of the wiki."""
