"""Microsoft Teams, by Microsoft Graph."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from wand_server.integrations.kit import Page, Resource, Sent, get, operation, post
from wand_server.integrations.kit.graph import PAGES, Body, Content, Graph, content, quoted

TeamId = Annotated[str, Field(description="from list_joined_teams or list_teams")]
ChannelId = Annotated[str, Field(description="from list_channels (19:…)")]
ChatId = Annotated[str, Field(description="from list_chats (19:…)")]
Text = Annotated[str, Field(min_length=1, max_length=28000)]
_PLAIN = "'@"  # what a key of OData may have as it is
Format = Annotated[Literal["text", "html"], Field(description="how the text is marked up")]


class Team(Resource):
    id: str = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    description: str | None = None
    url: Annotated[str | None, Field(alias="webUrl")] = None


class Channel(Resource):
    id: str = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    description: str | None = None
    kind: Annotated[str | None, Field(alias="membershipType")] = None
    url: Annotated[str | None, Field(alias="webUrl")] = None


class Person(Resource):
    name: Annotated[str | None, Field(alias="displayName")] = None


class Sender(Resource):
    user: Person | None = None
    application: Person | None = None


class Message(Resource):
    id: str = ""
    created: Annotated[str | None, Field(alias="createdDateTime")] = None
    sender: Annotated[Sender | None, Field(alias="from")] = None
    subject: str | None = None
    body: Content | None = None
    url: Annotated[str | None, Field(alias="webUrl")] = None


class Member(Resource):
    id: str = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    email: str | None = None
    user_id: Annotated[str | None, Field(alias="userId")] = None
    roles: list[str | None] = []


class Chat(Resource):
    id: str = ""
    topic: str | None = None
    kind: Annotated[str | None, Field(alias="chatType")] = None
    updated: Annotated[str | None, Field(alias="lastUpdatedDateTime")] = None


class Teams(Graph):
    """Microsoft Teams; to send messages it has to act as a person."""

    async def health_check(self) -> None:
        await self.list_teams(limit=1)

    @get("/teams", paging=PAGES)
    async def list_teams(self, limit: Annotated[int, Field(ge=1, le=999), Sent("$top")] = 50) -> Page[Team]:
        """List all teams of the organisation."""

    @get("/teams/{team}")
    async def get_team(self, team: TeamId) -> Team:
        """Look at a team."""

    @get("/teams/{team}/channels", paging=PAGES)
    async def list_channels(self, team: TeamId) -> Page[Channel]:
        """List the channels of a team."""

    @operation()
    async def create_channel(
        self,
        team: TeamId,
        name: Annotated[str, Field(min_length=1, max_length=50)],
        description: Annotated[str | None, Field(max_length=1024)] = None,
        kind: Literal["standard", "private"] = "standard",
    ) -> Channel:
        """Create a channel in a team."""
        said = {
            "displayName": name,
            "membershipType": kind,
            **({"description": description} if description else {}),
        }
        return await self._channel(team=team, channel={"@odata.type": "#microsoft.graph.channel", **said})

    @post("/teams/{team}/channels")
    async def _channel(self, team: str, channel: Body) -> Channel:
        """A channel as Graph takes it."""

    @operation()
    async def send_channel_message(
        self,
        team: TeamId,
        channel: ChannelId,
        text: Text,
        subject: str | None = None,
        format: Format = "text",
    ) -> Message:
        """Post a message to a Teams channel: let the channel know, notify the team."""
        return await self._send(team=team, channel=channel, message=_message(text, format, subject))

    @post("/teams/{team}/channels/{channel}/messages")
    async def _send(self, team: str, channel: str, message: Body) -> Message:
        """A message as Graph takes it."""

    @get("/teams/{team}/channels/{channel}/messages", paging=PAGES)
    async def list_channel_messages(
        self, team: TeamId, channel: ChannelId, limit: Annotated[int, Field(ge=1, le=50), Sent("$top")] = 20
    ) -> Page[Message]:
        """Read the messages of a channel, the newest first."""

    @operation()
    async def reply_to_message(
        self, team: TeamId, channel: ChannelId, message_id: str, text: Text, format: Format = "text"
    ) -> Message:
        """Reply in a Teams thread: answer a message in a channel."""
        said = _message(text, format)
        return await self._reply(team=team, channel=channel, message_id=message_id, message=said)

    @post("/teams/{team}/channels/{channel}/messages/{message_id}/replies")
    async def _reply(self, team: str, channel: str, message_id: str, message: Body) -> Message:
        """A reply as Graph takes it."""

    @get("/teams/{team}/members", paging=PAGES)
    async def list_team_members(
        self, team: TeamId, limit: Annotated[int, Field(ge=1, le=999), Sent("$top")] = 100
    ) -> Page[Member]:
        """List who is in a team: its members and owners."""

    @operation()
    async def add_team_member(
        self,
        team: TeamId,
        user: Annotated[str, Field(description="id, or the name to sign in with (ann@example.com)")],
        role: Literal["member", "owner"] = "member",
    ) -> Member:
        """Add a person to a team."""
        member = {
            "@odata.type": "#microsoft.graph.aadUserConversationMember",
            "roles": ["owner"] if role == "owner" else [],
            "user@odata.bind": self.link_to(f"/users({quote(quoted(user), safe=_PLAIN)})"),
        }
        return await self._add(team=team, member=member)

    @post("/teams/{team}/members")
    async def _add(self, team: str, member: Body) -> Member:
        """A member as Graph takes it."""

    @get("/chats", paging=PAGES)
    async def list_chats(self, limit: Annotated[int, Field(ge=1, le=50), Sent("$top")] = 20) -> Page[Chat]:
        """List the chats of the person who signs in: direct messages and group chats."""

    @operation()
    async def send_chat_message(self, chat: ChatId, text: Text, format: Format = "text") -> Message:
        """Send a message to a person in Teams: a direct message, or one to a group chat."""
        return await self._say(chat=chat, message=_message(text, format))

    @post("/chats/{chat}/messages")
    async def _say(self, chat: str, message: Body) -> Message:
        """A message as Graph takes it."""

    @get("/me/joinedTeams", paging=PAGES)
    async def list_joined_teams(self) -> Page[Team]:
        """List the teams that the person who signs in is a member of."""


def _message(text: str, content_type: str, subject: str | None = None) -> dict[str, Any]:
    body = content(text, **({"contentType": content_type} if content_type != "text" else {}))  # else text
    more = {"subject": subject} if subject else {}
    return {"@odata.type": "#microsoft.graph.chatMessage", "body": body, **more}
