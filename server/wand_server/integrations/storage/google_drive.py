"""Google Drive's API."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from wand_server.integrations.kit import (
    Content,
    Cursor,
    Download,
    Email,
    Page,
    Personal,
    Rate,
    Request,
    Resource,
    Sent,
    delete,
    get,
    operation,
    post,
)
from wand_server.integrations.kit.google import GoogleConfig, google, upload_url
from wand_server.integrations.kit.multipart import Multipart
from wand_server.integrations.kit.request import segments

FIELDS = "id,name,mimeType,size,parents,modifiedTime,webViewLink,owners(emailAddress),trashed,description"
SHARED = {"supportsAllDrives": "true"}
FOLDER = "application/vnd.google-apps.folder"
FileId = Annotated[str, Field(description="id of a file or folder, as list_files tells")]
FolderId = Annotated[str | None, Field(description="id of the folder to put it into; else My Drive")]
Many = Annotated[int, Field(ge=1, le=100), Sent("pageSize")]
MimeType = Annotated[str | None, Field(description=f"such as text/plain; {FOLDER} for a folder")]


def pages(items: str) -> Cursor:
    """What Drive's lists have in common."""
    return Cursor(items=items, mark="nextPageToken", sent_as="pageToken")


class Person(Resource):
    emailAddress: str | None = None  # noqa: N815 - the service's own words
    displayName: str | None = None  # noqa: N815


class File(Resource):
    id: str = ""
    name: str = ""
    mimeType: str = ""  # noqa: N815
    size: str | None = None
    parents: list[str] | None = None
    modifiedTime: str | None = None  # noqa: N815
    webViewLink: str | None = None  # noqa: N815
    owners: list[Person] | None = None
    trashed: bool | None = None
    description: str | None = None


class Permission(Resource):
    id: str = ""
    type: str = ""
    role: str = ""
    emailAddress: str | None = None  # noqa: N815
    displayName: str | None = None  # noqa: N815
    domain: str | None = None


class Comment(Resource):
    id: str = ""
    content: str = ""
    author: Person | None = None
    createdTime: str | None = None  # noqa: N815
    resolved: bool | None = None


class Revision(Resource):
    id: str = ""
    modifiedTime: str | None = None  # noqa: N815
    lastModifyingUser: Person | None = None  # noqa: N815
    size: str | None = None


class Drive(Resource):
    id: str = ""
    name: str = ""


class About(Resource):
    user: Person | None = None
    storageQuota: dict[str, str] | None = None  # noqa: N815


class GoogleDrive(Personal):
    """Google Drive, as one of its users or a service account."""

    class Config(GoogleConfig):
        """Who that is."""

    base_url = "https://www.googleapis.com/drive/v3"
    sign_in = google("drive")
    rate = Rate(12000, per_seconds=60)

    async def health_check(self) -> None:
        await self.get_about()

    @get(
        "/files",
        paging=pages("files"),
        query={"fields": f"nextPageToken,files({FIELDS})", "includeItemsFromAllDrives": "true", **SHARED},
    )
    async def list_files(
        self,
        query: Annotated[
            str | None,
            Field(description="name contains 'plan'; 'FOLDER_ID' in parents; fullText contains 'x'; and, or"),
            Sent("q"),
        ] = None,
        order_by: Annotated[str | None, Field(examples=["modifiedTime desc"]), Sent("orderBy")] = None,
        limit: Many = 50,
    ) -> Page[File]:
        """List or search the files and folders in Google Drive: by name, text, folder, owner or date."""

    @get("/files/{file_id}", query={"fields": FIELDS, **SHARED})
    async def get_file(self, file_id: FileId) -> File:
        """Look a file in Google Drive up: its name, type, size, owner and link."""

    @get("/files/{file_id}", query={"alt": "media", **SHARED})
    async def download_file(self, file_id: FileId) -> Download:
        """Download a file from Google Drive; a document of Google's own is exported instead."""

    @operation()
    async def create_file(
        self,
        name: str,
        content: Content | None = None,
        folder_id: FolderId = None,
        mime_type: MimeType = None,
        description: str | None = None,
    ) -> File:
        """Upload a file to Google Drive, or create an empty one, a folder, a document or a spreadsheet."""
        given = {
            "mimeType": mime_type,
            "description": description,
            "parents": [folder_id] if folder_id else None,
        }
        return await self._stored("POST", "/files", {"name": name, **given}, content)

    @operation(idempotent=True)
    async def update_file(
        self,
        file_id: FileId,
        name: str | None = None,
        content: Content | None = None,
        description: str | None = None,
        trashed: Annotated[bool | None, Field(description="true: into the trash; false: out of it")] = None,
    ) -> File:
        """Rename a file in Google Drive, replace its content, or move it into the trash or out of it."""
        about = {"name": name, "description": description, "trashed": trashed}
        return await self._stored(
            "PATCH", f"/files/{segments('file_id', file_id, many=False)}", about, content
        )

    async def _stored(
        self, method: Literal["POST", "PATCH"], path: str, about: Mapping[str, Any], content: Content | None
    ) -> File:
        told = {name: value for name, value in about.items() if value is not None}
        request = Request(method=method, path=path, query={"fields": FIELDS, **SHARED}, json=told)
        if content is not None:
            request.path = upload_url(self.http.base_url, path)
            request.query["uploadType"] = "multipart"
            request.multipart = Multipart(
                kind="related", about=told, values={"content": await content.part()}
            )
        answered = await self.http.send(request, repeatable=method == "PATCH")
        return File.model_validate(answered.body)

    @delete("/files/{file_id}", query=SHARED)
    async def delete_file(self, file_id: FileId) -> None:
        """Delete a file or folder from Google Drive for good, past the trash."""

    @post("/files/{file_id}/copy", query={"fields": FIELDS, **SHARED})
    async def copy_file(
        self,
        file_id: FileId,
        name: str | None = None,
        parents: Annotated[list[str] | None, Field(description="id of the folder to put it into")] = None,
    ) -> File:
        """Copy a file in Google Drive, under another name or into another folder."""

    @get("/files/{file_id}/export")
    async def export_file(
        self,
        file_id: FileId,
        mime_type: Annotated[
            str,
            Field(
                description="text/markdown, text/csv, application/pdf or an Office type",
                examples=["text/plain"],
            ),
            Sent("mimeType"),
        ],
    ) -> Download:
        """Export a Google document, spreadsheet or slides: read its text, or save it as PDF or Word."""

    @get("/files/{file_id}/permissions", paging=pages("permissions"), query={"fields": "*", **SHARED})
    async def list_permissions(self, file_id: FileId, limit: Many = 50) -> Page[Permission]:
        """List who may see or edit a file in Google Drive."""

    @post("/files/{file_id}/permissions", query=SHARED)
    async def share_file(
        self,
        file_id: FileId,
        role: Literal["reader", "commenter", "writer"],
        kind: Annotated[
            Literal["user", "group", "domain", "anyone"],
            Sent("type"),
            Field(description="anyone: by the link"),
        ] = "user",
        email: Annotated[Email | None, Sent("emailAddress")] = None,
        domain: str | None = None,
        message: Annotated[str | None, Sent("emailMessage", "query")] = None,
        notify: Annotated[bool | None, Sent("sendNotificationEmail", "query")] = None,
    ) -> Permission:
        """Share a file in Google Drive with a person, a group, a domain or anyone who has the link."""

    @get("/files/{file_id}/comments", paging=pages("comments"), query={"fields": "*"})
    async def list_comments(self, file_id: FileId, limit: Many = 50) -> Page[Comment]:
        """Read the comments on a file in Google Drive."""

    @get("/files/{file_id}/revisions", paging=pages("revisions"), query={"fields": "*"})
    async def list_revisions(self, file_id: FileId, limit: Many = 50) -> Page[Revision]:
        """List the versions (revisions) of a file in Google Drive: when it was changed, and by whom."""

    @get("/drives", paging=pages("drives"))
    async def list_drives(self, limit: Many = 50) -> Page[Drive]:
        """List the shared drives in Google Drive."""

    @get("/about", query={"fields": "user,storageQuota"})
    async def get_about(self) -> About:
        """Say whose Google Drive it is, and how much of its storage is used."""
