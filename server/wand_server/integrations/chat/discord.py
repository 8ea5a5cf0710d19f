"""Discord's HTTP API, as a bot."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Integration,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    patch,
    post,
    put,
)

ChannelId = Annotated[str, Field(pattern=r"^[0-9]{1,20}$", examples=["1180000000000000001"])]
MessageId = Annotated[str, Field(pattern=r"^[0-9]{1,20}$", examples=["1180000000000000002"])]
GuildId = Annotated[
    str, Field(pattern=r"^[0-9]{1,20}$", examples=["1180000000000000003"], description="id of the server")
]
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class Author(Resource):
    id: str = ""
    username: str = ""
    bot: bool | None = None


class Message(Resource):
    id: str = ""
    channel_id: str | None = None
    content: str = ""
    author: Author | None = None
    timestamp: str | None = None
    edited_timestamp: str | None = None


class Channel(Resource):
    id: str = ""
    name: str | None = None
    type: int | None = None
    topic: str | None = None
    parent_id: Any = None


class Member(Resource):
    user: Author | None = None
    nick: str | None = None
    roles: list[str] = []
    joined_at: str | None = None


class Role(Resource):
    id: str = ""
    name: str = ""
    permissions: str | None = None


class Discord(Integration):
    """Discord, as a bot."""

    class Config(Integration.Config):
        """The bot."""

        token: SecretStr

    base_url = "https://discord.com/api/v10"
    sign_in = Bearer("token", "Bot")
    rate = Rate(45)

    async def health_check(self) -> None:
        await self.get_me()

    @post("/channels/{channel_id}/messages")
    async def send_message(self, channel_id: ChannelId, content: Text) -> Message:
        """Send a message to a channel or a thread."""

    @get("/channels/{channel_id}/messages")
    async def list_messages(
        self,
        channel_id: ChannelId,
        before: Annotated[MessageId | None, Field(description="only older ones than this")] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 50,
    ) -> list[Message]:
        """Read the messages of a channel, the newest first."""

    @patch("/channels/{channel_id}/messages/{message_id}", idempotent=True)
    async def edit_message(self, channel_id: ChannelId, message_id: MessageId, content: Text) -> Message:
        """Replace the text of a message that the bot has sent."""

    @delete("/channels/{channel_id}/messages/{message_id}")
    async def delete_message(self, channel_id: ChannelId, message_id: MessageId) -> None:
        """Delete a message."""

    @put("/channels/{channel_id}/messages/{message_id}/reactions/{emoji}/@me")
    async def add_reaction(
        self,
        channel_id: ChannelId,
        message_id: MessageId,
        emoji: Annotated[str, Field(description="the character, or NAME:ID of the server's own")],
    ) -> None:
        """React to a message with an emoji."""

    @get("/channels/{channel_id}")
    async def get_channel(self, channel_id: ChannelId) -> Channel:
        """Look at a channel."""

    @get("/guilds/{guild_id}/channels")
    async def list_guild_channels(self, guild_id: GuildId) -> list[Channel]:
        """List the channels of a server."""

    @post("/guilds/{guild_id}/channels")
    async def create_guild_channel(
        self,
        guild_id: GuildId,
        name: Annotated[str, Field(min_length=1, max_length=100)],
        type: Annotated[
            Literal[0, 2, 4, 5, 15], Field(description="0 text, 2 voice, 4 category, 5 news, 15 forum")
        ] = 0,
        topic: str | None = None,
    ) -> Channel:
        """Create a channel."""

    @get("/guilds/{guild_id}/members")
    async def list_guild_members(
        self, guild_id: GuildId, limit: Annotated[int, Field(ge=1, le=1000)] = 100
    ) -> list[Member]:
        """List the members of a server."""

    @get("/guilds/{guild_id}/roles")
    async def list_roles(self, guild_id: GuildId) -> list[Role]:
        """List the roles of a server."""

    @post("/channels/{channel_id}/threads")
    async def create_thread(
        self,
        channel_id: ChannelId,
        name: Annotated[str, Field(min_length=1, max_length=100)],
        type: Annotated[Literal[11, 12], Field(description="11 public, 12 private")] = 11,
    ) -> Channel:
        """Begin a thread."""

    @post("/webhooks/{webhook_id}/{webhook_token}")
    async def execute_webhook(
        self,
        webhook_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$", examples=["1180000000000000004"])],
        webhook_token: str,
        content: Text,
        *,
        wait: Annotated[bool, Sent(where="query"), Field(description="for the message that it makes")] = True,
    ) -> Message:
        """Send a message through a webhook."""

    @get("/users/@me")
    async def get_me(self) -> Author:
        """Say which bot the token belongs to."""
