"""Mattermost's REST API, version 4."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Content,
    Counted,
    Integration,
    Page,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    post,
    put,
)

Size = Annotated[int, Field(ge=1, le=200)]
PAGES = Counted(size="per_page", first=0)


class Post(Resource):
    id: str = ""
    channel_id: str | None = None
    user_id: str | None = None
    root_id: str | None = None
    message: str = ""
    create_at: int | None = None  # ms of the Unix clock


class Posts(Resource):
    order: list[str] = []  # ids, the newest first
    posts: dict[str, Post] = {}


class Channel(Resource):
    id: str = ""
    name: str = ""
    display_name: str = ""
    type: str | None = None
    purpose: str | None = None


class Team(Resource):
    id: str = ""
    name: str = ""
    display_name: str = ""


class User(Resource):
    id: str = ""
    username: str = ""
    email: str | None = None


class Reaction(Resource):
    post_id: str = ""
    emoji_name: str = ""


class File(Resource):
    id: str = ""
    name: str = ""


class Mattermost(Integration):
    """A Mattermost server, as a person or a bot of it."""

    class Config(Integration.Config):
        """Where it is, and who signs in."""

        base_url: str = Field(description="such as https://chat.example.com")
        token: SecretStr

    sign_in = Bearer("token")
    rate = Rate(10)

    async def health_check(self) -> None:
        await self.list_teams(per_page=1)

    @post("/api/v4/posts")
    async def send_message(
        self, channel_id: str, message: str, root_id: str | None = None, file_ids: list[str] | None = None
    ) -> Post:
        """Send a message to a channel, or answer one in its thread (root_id)."""

    @get("/api/v4/posts/{post_id}")
    async def get_post(self, post_id: str) -> Post:
        """Read a message."""

    @put("/api/v4/posts/{post_id}/patch")
    async def update_post(self, post_id: str, message: str) -> Post:
        """Replace the text of a message of yours."""

    @delete("/api/v4/posts/{post_id}")
    async def delete_post(self, post_id: str) -> None:
        """Delete a message."""

    @get("/api/v4/channels/{channel_id}/posts")
    async def list_channel_posts(self, channel_id: str, per_page: Size = 30, page: int = 0) -> Posts:
        """Read the last messages of a channel."""

    @get("/api/v4/users/{user_id}/teams/{team_id}/channels")
    async def list_channels(self, team_id: str, user_id: str = "me") -> list[Channel]:
        """List the channels of a team that you are in."""

    @post("/api/v4/channels")
    async def create_channel(
        self, team_id: str, name: str, display_name: str, type: Literal["O", "P"] = "O", purpose: str = ""
    ) -> Channel:
        """Create a channel that is open (O) or private (P)."""

    @get("/api/v4/teams", paging=PAGES)
    async def list_teams(self, per_page: Size = 50) -> Page[Team]:
        """List the teams."""

    @get("/api/v4/users", paging=PAGES)
    async def list_users(self, in_team: str | None = None, per_page: Size = 50) -> Page[User]:
        """List the people of the server, or of a team."""

    @post("/api/v4/teams/{team_id}/posts/search", read_only=True, fixed={"is_or_search": False})
    async def search_posts(self, team_id: str, terms: str) -> Posts:
        """Search the messages of a team, as from:ann in:town-square does."""

    @post("/api/v4/reactions", idempotent=True)
    async def add_reaction(self, user_id: str, post_id: str, emoji_name: str) -> Reaction:
        """React to a message with an emoji; user_id is your own."""

    @post("/api/v4/files", multipart="form-data", place="file_infos")
    async def upload_file(self, channel_id: str, file: Annotated[Content, Sent("files")]) -> list[File]:
        """Upload a file, for a message's file_ids."""
