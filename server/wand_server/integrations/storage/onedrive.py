"""OneDrive and SharePoint's libraries, through Microsoft Graph."""

from typing import Annotated, Any, Literal

from pydantic import Field

from wand_server.integrations.kit import (
    Content,
    DateTime,
    Download,
    Page,
    Request,
    Resource,
    Sent,
    delete,
    get,
    operation,
    patch,
    post,
)
from wand_server.integrations.kit.graph import PAGES, Graph
from wand_server.integrations.kit.request import segments

KIND = "@odata.type"
ITEM = {KIND: "#microsoft.graph.driveItem"}
DriveId = Annotated[str, Field(description="id of the drive, as get_drive tells")]
ItemId = Annotated[str, Field(description="id of the file or folder; root is the top")]
Many = Annotated[int, Field(ge=1, le=200), Sent("$top")]


class Drive(Resource):
    id: str = ""
    name: str | None = None
    driveType: str | None = None  # noqa: N815 - the service's own words
    webUrl: str | None = None  # noqa: N815
    quota: dict[str, Any] | None = None


class Item(Resource):
    id: str = ""
    name: str | None = None
    size: float | None = None
    webUrl: str | None = None  # noqa: N815
    lastModifiedDateTime: str | None = None  # noqa: N815
    folder: Annotated[dict[str, Any] | None, Field(description="there where it is a folder")] = None
    file: Annotated[dict[str, Any] | None, Field(description="there where it is a file")] = None
    parentReference: dict[str, Any] | None = None  # noqa: N815


class Link(Resource):
    type: str | None = None
    scope: str | None = None
    webUrl: str | None = None  # noqa: N815


class Permission(Resource):
    id: str | None = None
    roles: list[str | None] | None = None
    link: Link | None = None
    grantedToV2: dict[str, Any] | None = None  # noqa: N815
    expirationDateTime: str | None = None  # noqa: N815


class Version(Resource):
    id: str | None = None
    size: float | None = None
    lastModifiedDateTime: str | None = None  # noqa: N815
    lastModifiedBy: dict[str, Any] | None = None  # noqa: N815


class Parent(Resource):
    id: Annotated[str, Field(description="of the folder")]


class OneDrive(Graph):
    """OneDrive, as a person or as an application of Microsoft Entra."""

    async def health_check(self) -> None:
        is_person = getattr(self.config, "refresh_token", None) is not None
        await self.http.send(Request(method="GET", path="/me/drive" if is_person else "/drive"))

    @operation(read_only=True)
    async def get_drive(
        self,
        drive_id: Annotated[str | None, Field(description="where it is known")] = None,
        user: Annotated[str | None, Field(description="whose OneDrive: id or e-mail address")] = None,
    ) -> Drive:
        """Look a OneDrive up: one's own, a person's or by its id; its size, and how much is used."""
        path = "/me/drive"
        if drive_id:
            path = f"/drives/{segments('drive_id', drive_id, many=False)}"
        elif user:
            path = f"/users/{segments('user', user, many=False)}/drive"
        return Drive.model_validate((await self.http.send(Request(method="GET", path=path))).body)

    @get("/drives/{drive_id}/items/root/children", paging=PAGES)
    async def list_root_children(self, drive_id: DriveId, limit: Many = 50) -> Page[Item]:
        """List the files and folders at the top of a OneDrive."""

    @get("/drives/{drive_id}/items/{item_id}")
    async def get_item(self, drive_id: DriveId, item_id: ItemId) -> Item:
        """Look a file or folder in OneDrive up: its name, size, date and link."""

    @get("/drives/{drive_id}/items/{item_id}/children", paging=PAGES)
    async def list_children(self, drive_id: DriveId, item_id: ItemId, limit: Many = 50) -> Page[Item]:
        """List the files and folders in a folder of OneDrive."""

    @post("/drives/{drive_id}/items/{item_id}/children", fixed={"folder": {}, **ITEM})
    async def create_folder(
        self,
        drive_id: DriveId,
        name: str,
        item_id: Annotated[
            ItemId, Field(description="id of the folder to make it in; root is the top")
        ] = "root",
        if_taken: Annotated[Literal["fail", "rename"], Sent("@microsoft.graph.conflictBehavior")] = "fail",
    ) -> Item:
        """Create a folder in OneDrive."""

    @patch("/drives/{drive_id}/items/{item_id}", fixed=ITEM, idempotent=True)
    async def update_item(
        self,
        drive_id: DriveId,
        item_id: ItemId,
        name: str | None = None,
        parent: Annotated[
            Parent | None, Sent("parentReference"), Field(description="to move it there")
        ] = None,
    ) -> Item:
        """Rename a file or folder in OneDrive, or move it into another folder."""

    @delete("/drives/{drive_id}/items/{item_id}")
    async def delete_item(self, drive_id: DriveId, item_id: ItemId) -> None:
        """Delete a file or folder in OneDrive: move it into the recycle bin."""

    @get("/drives/{drive_id}/items/{item_id}/content")
    async def download_file(
        self,
        drive_id: DriveId,
        item_id: ItemId,
        convert_to: Annotated[Literal["pdf", "html"] | None, Sent("$format")] = None,
    ) -> Download:
        """Download a file from OneDrive: read it, or save it into the workspace."""

    @operation(idempotent=True)
    async def upload_file(
        self,
        drive_id: DriveId,
        name: str,
        content: Content,
        folder_id: Annotated[str, Field(description="id of the folder; root is the top")] = "root",
        if_taken: Annotated[
            Literal["replace", "fail"], Field(description="replace: a new version of that file")
        ] = "replace",
    ) -> Item:
        """Upload a file or a text to OneDrive, or replace the content of a file there."""
        part = await content.part()
        drive, folder = (
            segments("drive_id", drive_id, many=False),
            segments("folder_id", folder_id, many=False),
        )
        path = f"/drives/{drive}/items/{folder}:/{segments('name', name, many=False)}:/content"
        request = Request(method="PUT", path=path, body=part.data, headers={"Content-Type": part.media_type})
        request.query["@microsoft.graph.conflictBehavior"] = if_taken
        return Item.model_validate((await self.http.send(request)).body)

    @post("/drives/{drive_id}/items/{item_id}/createLink")
    async def create_sharing_link(
        self,
        drive_id: DriveId,
        item_id: ItemId,
        kind: Annotated[Literal["view", "edit"], Sent("type")] = "view",
        scope: Annotated[
            Literal["anonymous", "organization"], Field(description="anonymous: whoever has the link")
        ] = "organization",
        expires: Annotated[DateTime | None, Sent("expirationDateTime")] = None,
    ) -> Permission:
        """Share a file or folder of OneDrive by a link."""

    @get("/drives/{drive_id}/items/{item_id}/permissions", paging=PAGES)
    async def list_permissions(
        self, drive_id: DriveId, item_id: ItemId, limit: Many = 50
    ) -> Page[Permission]:
        """List who may see or edit a file or folder in OneDrive."""

    @get("/drives/{drive_id}/items/{item_id}/versions", paging=PAGES)
    async def list_versions(self, drive_id: DriveId, item_id: ItemId, limit: Many = 50) -> Page[Version]:
        """List the versions of a file in OneDrive: when it was changed, and by whom."""
