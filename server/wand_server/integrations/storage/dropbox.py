"""Dropbox's API, version 2."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import Conflict, NotFound
from wand_server.integrations.kit import (
    Bearer,
    Consent,
    Content,
    Download,
    FirstOf,
    OAuth2,
    Personal,
    Request,
    Resource,
    operation,
    post,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SaveAs, downloaded

ARGUMENT = "Dropbox-API-Arg"
TOKENS = "https://api.dropboxapi.com/oauth2/token"
Path = Annotated[
    str,
    Field(
        pattern=r"^(/.+|(id|rev):.+)$", description="such as /reports/2026.csv, or id:…", examples=["/a.txt"]
    ),
]
Folder = Annotated[
    str,
    Field(
        pattern=r"^(/.+|id:.+|)$", description="such as /reports; empty for the top", examples=["/reports"]
    ),
]


class Entry(Resource):
    tag: Annotated[str | None, Field(alias=".tag", description="file, folder or deleted")] = None
    name: str = ""
    id: str | None = None
    path_display: str | None = None
    size: int | None = None
    server_modified: str | None = None
    rev: str | None = None


class Listing(Resource):
    """With `has_more`, continue_list_folder reads on at the cursor."""

    entries: list[Entry] = []
    cursor: str = ""
    has_more: bool = False


class Held(Resource):
    metadata: Entry | None = None


class Match(Resource):
    metadata: Held | None = None


class Link(Resource):
    link: str = ""
    metadata: Entry | None = None


class Shared(Resource):
    url: str = ""
    name: str = ""
    expires: str | None = None


class Name(Resource):
    display_name: str = ""


class Account(Resource):
    account_id: str = ""
    email: str = ""
    name: Name | None = None
    country: str | None = None


class Usage(Resource):
    used: int = 0
    allocation: dict[str, Any] | None = None


BY_PEOPLE = Consent(
    authorize_url="https://www.dropbox.com/oauth2/authorize",
    token_url=TOKENS,
    more={"token_access_type": "offline"},  # else there is no refresh token
)


class Dropbox(Personal):
    """Dropbox, as one of its users, or as each person."""

    class Config(Personal.Config):
        """A refresh token with its app, an access token for four hours, or an app for each person."""

        client_id: str = Field(default="", description="the app's key")
        client_secret: SecretStr | None = Field(default=None, description="the app's secret")
        refresh_token: SecretStr | None = None
        access_token: SecretStr | None = Field(default=None, description="lasts four hours: to try it")

    base_url = "https://api.dropboxapi.com"
    content_url = "https://content.dropboxapi.com"
    sign_in = FirstOf(
        (
            (
                ("refresh_token", "client_id"),
                OAuth2(token_url=TOKENS, grant="refresh_token"),
            ),
            (("access_token",), Bearer("access_token")),
            (("client_id", "client_secret"), BY_PEOPLE),
        )
    )

    async def initialize(self) -> None:
        self.http.also_at(self.content_url)

    async def health_check(self) -> None:
        await self.get_current_account()

    async def execute(self, name: str, untrusted: Mapping[str, Any]) -> Any:
        """Dropbox says 409 to whatever went wrong at a path, and in the body what it was."""
        try:
            return await super().execute(name, untrusted)
        except Conflict as error:
            if "not_found" in error.message:
                raise NotFound(error.message, hint="list_folder tells what there is") from error
            raise

    @post("/2/files/list_folder", read_only=True)
    async def list_folder(
        self,
        path: Folder = "",
        limit: Annotated[int, Field(ge=1, le=2000)] = 100,
        *,
        recursive: bool = False,
    ) -> Listing:
        """List the files and folders in a folder of Dropbox."""

    @post("/2/files/list_folder/continue", read_only=True)
    async def continue_list_folder(
        self, cursor: Annotated[str, Field(min_length=1, description="of the listing before")]
    ) -> Listing:
        """Read on in a listing of Dropbox, or ask later what has changed in that folder since."""

    @post("/2/files/get_metadata", read_only=True)
    async def get_metadata(self, path: Path) -> Entry:
        """Look a file or folder in Dropbox up: its size, date and version."""

    @operation()
    async def upload_file(
        self,
        path: Path,
        content: Content,
        mode: Annotated[Literal["add", "overwrite"], Field(description="add: never replace a file")] = "add",
        *,
        autorename: Annotated[bool, Field(description="take another name where that one is taken")] = False,
    ) -> Entry:
        """Upload a file or a text to Dropbox."""
        part = await content.part()
        argument = {"path": path, "mode": mode, "autorename": autorename}
        answered = await self._content("/2/files/upload", argument, part.data)
        return Entry.model_validate(answered.body)

    @operation(read_only=True)
    async def download_file(self, path: Path, save_as: SaveAs = None) -> Download:
        """Download a file from Dropbox: read it, or save it into the workspace."""
        answered = await self._content("/2/files/download", {"path": path})
        told = answered.headers.get("dropbox-api-result", "")
        about = await downloaded(answered, save_as)
        return Download.model_validate({**about, "name": about["name"] or _name(told)})

    async def _content(self, path: str, argument: Mapping[str, Any], body: bytes = b"") -> Answered:
        """Content is at a host of its own, its arguments are in a header."""
        base = getattr(self.config, "base_url", "") or self.content_url
        headers = {ARGUMENT: json.dumps(argument), "Content-Type": "application/octet-stream"}
        request = Request(method="POST", path=f"{base.rstrip('/')}{path}", headers=headers, body=body)
        return await self.http.send(request, repeatable=not body)

    @post("/2/files/create_folder_v2", place="metadata")
    async def create_folder(self, path: Path, *, autorename: bool = False) -> Entry:
        """Create a folder in Dropbox."""

    @post("/2/files/move_v2", place="metadata")
    async def move_file(self, from_path: Path, to_path: Path, *, autorename: bool = False) -> Entry:
        """Move or rename a file or folder in Dropbox."""

    @post("/2/files/copy_v2", place="metadata")
    async def copy_file(self, from_path: Path, to_path: Path, *, autorename: bool = False) -> Entry:
        """Copy a file or folder in Dropbox."""

    @post("/2/files/delete_v2", place="metadata", destructive=True, idempotent=True)
    async def delete_file(self, path: Path) -> Entry:
        """Delete a file, or a folder with all that is in it, from Dropbox."""

    @operation(read_only=True)
    async def search_files(
        self,
        query: Annotated[str, Field(min_length=1)],
        path: Annotated[Folder, Field(description="only below this folder")] = "",
        limit: Annotated[int, Field(ge=1, le=1000)] = 50,
    ) -> list[Entry]:
        """Search the files in Dropbox by name or by what is in them."""
        options = {"path": path, "max_results": limit}
        asked = Request(method="POST", path="/2/files/search_v2", json={"query": query, "options": options})
        answered = await self.http.send(asked, repeatable=True)
        matches = answered.body.get("matches", []) if isinstance(answered.body, dict) else []
        found = (Match.model_validate(each).metadata for each in matches)
        return [held.metadata for held in found if held is not None and held.metadata is not None]

    @post("/2/files/get_temporary_link", read_only=True)
    async def get_temporary_link(self, path: Path) -> Link:
        """Get a link to a file in Dropbox by which it can be downloaded for four hours."""

    @post("/2/sharing/create_shared_link_with_settings")
    async def create_shared_link(
        self,
        path: Path,
        settings: Annotated[
            dict[str, Any] | None,
            Field(
                description="audience: public, team or no_one; expires; require_password with link_password",
                examples=[{"expires": "2027-01-02T03:04:05Z"}],
            ),
        ] = None,
    ) -> Shared:
        """Share a file or folder of Dropbox by a link."""

    @post("/2/users/get_current_account", read_only=True)
    async def get_current_account(self) -> Account:
        """Say whose Dropbox it is."""

    @post("/2/users/get_space_usage", read_only=True)
    async def get_space_usage(self) -> Usage:
        """Say how much space is used in Dropbox, and how much there is."""


def _name(told: str) -> str | None:
    try:
        said = json.loads(told)
    except ValueError:
        return None
    return str(said["name"]) if isinstance(said, dict) and "name" in said else None
