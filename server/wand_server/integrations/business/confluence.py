"""Confluence's API in Atlassian's cloud."""

from typing import Annotated, Any

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Basic,
    Bearer,
    FirstOf,
    Integration,
    Linked,
    Page,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    operation,
    post,
    put,
)

V2 = "/wiki/api/v2"
PAGES = Linked(items="results", link="_links.next")
Id = Annotated[int, Field(ge=1, description="of a page", examples=[98306])]
SpaceId = Annotated[int, Field(ge=1, description="from list_spaces", examples=[98305])]
Size = Annotated[int, Field(ge=1, le=250)]
Html = Annotated[str, Field(description="as XHTML of Confluence's storage format", examples=["<p>Hello</p>"])]
WITH_TEXT = {"body-format": "storage"}


class Space(Resource):
    id: str = ""
    key: str = ""
    name: str = ""
    type: str | None = None
    status: str | None = None
    home: Annotated[str | None, Field(alias="homepageId")] = None


class WikiPage(Resource):
    id: str = ""
    title: str = ""
    status: str | None = None
    space_id: Annotated[str | None, Field(alias="spaceId")] = None
    parent_id: Annotated[str | None, Field(alias="parentId")] = None
    version: dict[str, Any] | None = None
    body: dict[str, Any] | None = None
    links: Annotated[dict[str, Any] | None, Field(alias="_links")] = None


class Comment(Resource):
    id: str = ""
    version: dict[str, Any] | None = None
    body: dict[str, Any] | None = None


class Attachment(Resource):
    id: str = ""
    title: str = ""
    media_type: Annotated[str | None, Field(alias="mediaType")] = None
    size: Annotated[int | None, Field(alias="fileSize")] = None
    link: Annotated[str | None, Field(alias="downloadLink")] = None


class Label(Resource):
    id: str = ""
    name: str = ""


class Confluence(Integration):
    """A site of Confluence, as one of its people."""

    class Config(Integration.Config):
        """Which site, and who signs in."""

        base_url: str = Field(description="https://NAME.atlassian.net")
        email: str = Field(default="", description="of the account whose token it is")
        token: SecretStr

    sign_in = FirstOf(((("email", "token"), Basic("email", "token")), (("token",), Bearer("token"))))
    rate = Rate(10)

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

    @operation()
    async def create_page(
        self,
        space_id: SpaceId,
        title: Annotated[str, Field(min_length=1)],
        text: Html,
        parent: Id | None = None,
    ) -> WikiPage:
        """Create a page of the wiki in a space, below another or at its top."""
        parent_id = str(parent) if parent is not None else None
        return await self._create(space_id=str(space_id), title=title, body=_body(text), parent_id=parent_id)

    @post(f"{V2}/pages", fixed={"status": "current"})
    async def _create(
        self,
        space_id: Annotated[str, Sent("spaceId")],
        title: str,
        body: dict[str, str],
        parent_id: Annotated[str | None, Sent("parentId")] = None,
    ) -> WikiPage:
        """A page as Confluence takes it."""

    @operation()
    async def update_page(
        self,
        id: Id,
        text: Annotated[Html, Field(description="all of it, in place of what is there")],
        version: Annotated[int, Field(ge=1, description="that was read: a change in between is refused")],
        title: Annotated[str, Field(min_length=1, description="as it is, or a new one")],
        note: Annotated[str, Field(description="what was changed")] = "",
    ) -> WikiPage:
        """Write a page of the wiki anew: its text and title; the older version is kept."""
        following = {"number": version + 1, "message": note}
        return await self._update(id=id, title=title, body=_body(text), version=following, said_id=str(id))

    @put(f"{V2}/pages/{{id}}", fixed={"status": "current"}, idempotent=False)
    async def _update(
        self,
        id: int,
        said_id: Annotated[str, Sent("id")],
        title: str,
        body: dict[str, str],
        version: dict[str, Any],
    ) -> WikiPage:
        """A page as Confluence takes it."""

    @delete(f"{V2}/pages/{{id}}")
    async def delete_page(self, id: Id) -> None:
        """Delete a page of the wiki: it goes to the trash of its space."""

    @get(f"{V2}/pages/{{id}}/children", paging=PAGES)
    async def list_child_pages(self, id: Id, limit: Size = 25) -> Page[WikiPage]:
        """List the pages of the wiki that stand below a page."""

    @get(f"{V2}/pages/{{id}}/footer-comments", paging=PAGES, query=WITH_TEXT)
    async def list_page_comments(self, id: Id, limit: Size = 25) -> Page[Comment]:
        """Read the comments below a page of the wiki."""

    @operation()
    async def add_comment(self, page: Id, text: Html) -> Comment:
        """Comment on a page of the wiki, below it."""
        return await self._comment(page_id=str(page), body=_body(text))

    @post(f"{V2}/footer-comments")
    async def _comment(self, page_id: Annotated[str, Sent("pageId")], body: dict[str, str]) -> Comment:
        """A comment as Confluence takes it."""

    @get(f"{V2}/pages/{{id}}/attachments", paging=PAGES)
    async def list_attachments(self, id: Id, limit: Size = 25) -> Page[Attachment]:
        """List the files that are attached to a page of the wiki."""

    @get(f"{V2}/pages/{{id}}/labels", paging=PAGES)
    async def list_labels(self, id: Id, limit: Size = 25) -> Page[Label]:
        """List the labels of a page of the wiki."""


def _body(text: str) -> dict[str, str]:
    return {"representation": "storage", "value": text}
