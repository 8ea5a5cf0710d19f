"""Slack's Web API."""

from typing import Annotated, Any

from pydantic import Field, SecretStr

from wand_proto.errors import Conflict, Denied, Exhausted, Invalid, NotFound, WandError
from wand_server.integrations.kit import (
    Bearer,
    Consent,
    Content,
    Cursor,
    FirstOf,
    Page,
    Personal,
    Rate,
    Request,
    Resource,
    Sent,
    get,
    operation,
    post,
)

ChannelId = Annotated[str, Field(description="id (C0123…); for a direct message the id of a user")]
Time = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$", description="ts of a message, such as 1503435956.000247"),
]
Many = Annotated[int, Field(ge=1, le=200)]

_KINDS: dict[type[WandError], tuple[str, ...]] = {
    Denied: (
        "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "missing_scope",
        "not_allowed_token_type", "access_denied", "not_in_channel", "restricted_action",
        "cant_update_message", "cant_delete_message",
    ),
    NotFound: (
        "channel_not_found", "message_not_found", "users_not_found", "user_not_found", "thread_not_found",
    ),
    Conflict: ("name_taken", "already_reacted", "already_in_channel", "is_archived"),
    Exhausted: ("ratelimited",),
}  # fmt: skip
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}


class Message(Resource):
    ts: str
    text: str = ""
    user: str | None = None
    thread_ts: str | None = None
    reply_count: int | None = None


class Posted(Resource):
    channel: str
    ts: str


class Scheduled(Resource):
    channel: str
    scheduled_message_id: str
    post_at: int | str


class Channel(Resource):
    id: str
    name: str = ""
    is_private: bool = False
    is_archived: bool = False
    num_members: int | None = None


class User(Resource):
    id: str
    name: str = ""
    real_name: str | None = None
    deleted: bool = False
    is_bot: bool = False


class Found(Resource):
    text: str = ""
    permalink: str | None = None
    ts: str = ""
    username: str | None = None


class Place(Resource):
    upload_url: str
    file_id: str


class Uploaded(Resource):
    id: str
    title: str | None = None


class Identity(Resource):
    url: str = ""
    team: str = ""
    user: str = ""
    bot_id: str | None = None


BY_PEOPLE = Consent(
    authorize_url="https://slack.com/oauth/v2/authorize",
    token_url="https://slack.com/api/oauth.v2.access",  # noqa: S106 - an address
    scope="chat:write,channels:read,channels:history,channels:write,groups:read,groups:history,"
    "users:read,users:read.email,reactions:write,files:write,search:read",
    scope_name="user_scope",
    inside="authed_user",
)


class Slack(Personal):
    """Slack, as the bot of an app, or as each person."""

    class Config(Personal.Config):
        """The app's token, or the app by which each person signs in."""

        token: SecretStr | None = None
        client_id: str = Field(default="", description="of the app, by which each person signs in")
        client_secret: SecretStr | None = None

    base_url = "https://slack.com/api"
    sign_in = FirstOf(((("token",), Bearer("token")), (("client_id", "client_secret"), BY_PEOPLE)))
    rate = Rate(50, per_seconds=60)

    @staticmethod
    def complaint(body: Any) -> WandError | None:
        """Slack answers 200 to everything, and says in the body whether it was done."""
        if not isinstance(body, dict) or body.get("ok", True):
            return None
        code = str(body.get("error", "unknown_error"))
        needed = f"; it needs the scope {body['needed']}" if body.get("needed") else ""
        return _KIND_OF.get(code, Invalid)(f"Slack says {code}{needed}")

    async def health_check(self) -> None:
        await self.test_auth()

    @post("/chat.postMessage", form=True)
    async def send_message(self, channel: ChannelId, text: str, thread_ts: Time | None = None) -> Posted:
        """Send a message to a channel, into a thread, or to a person."""

    @post("/chat.update", form=True, idempotent=True)
    async def update_message(self, channel: ChannelId, ts: Time, text: str) -> Posted:
        """Replace the text of a message that the bot has sent."""

    @post("/chat.delete", form=True, destructive=True)
    async def delete_message(self, channel: ChannelId, ts: Time) -> Posted:
        """Delete a message that the bot has sent."""

    @post("/chat.scheduleMessage", form=True)
    async def schedule_message(
        self,
        channel: ChannelId,
        text: str,
        post_at: Annotated[int, Field(description="seconds since 1970")],
        thread_ts: Time | None = None,
    ) -> Scheduled:
        """Have a message sent at a later time."""

    @get(
        "/conversations.list",
        kept=60.0,
        paging=Cursor(items="channels", mark="response_metadata.next_cursor"),
    )
    async def list_channels(
        self,
        types: Annotated[
            str, Field(description="public_channel, private_channel, mpim, im")
        ] = "public_channel",
        limit: Many = 100,
        *,
        exclude_archived: bool = True,
    ) -> Page[Channel]:
        """List the channels of the workspace."""

    @get("/conversations.history", paging=Cursor(items="messages", mark="response_metadata.next_cursor"))
    async def get_channel_history(
        self, channel: ChannelId, oldest: Time | None = None, latest: Time | None = None, limit: Many = 30
    ) -> Page[Message]:
        """Read the messages of a channel, the newest first."""

    @get("/conversations.replies", paging=Cursor(items="messages", mark="response_metadata.next_cursor"))
    async def get_thread_replies(self, channel: ChannelId, ts: Time, limit: Many = 30) -> Page[Message]:
        """Read a thread: its first message and the replies."""

    @post("/conversations.create", form=True, place="channel")
    async def create_channel(self, name: str, *, is_private: bool = False) -> Channel:
        """Create a channel."""

    @post("/conversations.invite", form=True, place="channel")
    async def invite_to_channel(
        self, channel: ChannelId, users: Annotated[list[str], Field(min_length=1, description="ids of users")]
    ) -> Channel:
        """Invite people to a channel."""

    @get("/users.list", kept=60.0, paging=Cursor(items="members", mark="response_metadata.next_cursor"))
    async def list_users(self, limit: Many = 100) -> Page[User]:
        """List the people of the workspace."""

    @get("/users.lookupByEmail", place="user")
    async def lookup_user_by_email(self, email: str) -> User:
        """Find a person by e-mail address."""

    @post("/reactions.add", form=True)
    async def add_reaction(
        self,
        channel: ChannelId,
        message_ts: Annotated[Time, Sent("timestamp")],
        emoji: Annotated[str, Field(description="without colons"), Sent("name")],
    ) -> None:
        """React to a message with an emoji."""

    @get("/search.messages", place="messages.matches")
    async def search_messages(
        self,
        query: Annotated[str, Field(description="as in Slack's own search: in:#channel from:@user words")],
        count: Annotated[int, Field(ge=1, le=100)] = 20,
        page: Annotated[int, Field(ge=1, le=100)] = 1,
    ) -> list[Found]:
        """Search all messages that the user of the token can see."""

    @operation()
    async def upload_file(
        self,
        channel: ChannelId,
        content: Content,
        comment: Annotated[str | None, Field(description="a message that goes with it")] = None,
        thread_ts: Time | None = None,
    ) -> list[Uploaded]:
        """Share a file, a picture or a long text in a channel, with a comment."""
        part = await content.part()
        name = part.name or "text.txt"
        place = await self._place(filename=name, length=len(part.data))
        headers = {"Content-Type": part.media_type}
        await self.http.send(Request(method="POST", path=place.upload_url, headers=headers, body=part.data))
        files = [{"id": place.file_id, "title": name}]
        return await self._share(files=files, channel=channel, comment=comment, thread_ts=thread_ts)

    @post("/files.getUploadURLExternal", form=True)
    async def _place(self, filename: str, length: int) -> Place:
        """Where a file of that length, in bytes, can be sent."""

    @post("/files.completeUploadExternal", place="files")
    async def _share(
        self,
        files: list[dict[str, str]],
        channel: Annotated[str, Sent("channel_id")],
        comment: Annotated[str | None, Sent("initial_comment")] = None,
        thread_ts: str | None = None,
    ) -> list[Uploaded]:
        """Put files that were sent where people see them."""

    @get("/auth.test")
    async def test_auth(self) -> Identity:
        """Say who the token belongs to."""
