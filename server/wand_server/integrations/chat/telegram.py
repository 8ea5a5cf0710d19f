"""Telegram's Bot API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_proto.errors import Invalid, WandError
from wand_server.integrations.kit import InPath, Integration, Rate, Resource, post

ChatId = Annotated[int | str, Field(description="id of the chat, or @NAME of a public channel or group")]
File = Annotated[str, Field(description="an https address, or the id of a file that Telegram has")]
Format = Annotated[
    Literal["HTML", "MarkdownV2"] | None, Field(description="how the text is marked up; left out: not at all")
]


class Chat(Resource):
    id: int
    type: str = ""
    title: str | None = None
    username: str | None = None
    first_name: str | None = None


class User(Resource):
    id: int
    is_bot: bool = False
    first_name: str = ""
    username: str | None = None


class Message(Resource):
    message_id: int = 0
    date: int | None = None
    chat: Chat | None = None
    text: str | None = None
    caption: str | None = None


class Update(Resource):
    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    channel_post: Message | None = None


class Member(Resource):
    status: str = ""
    user: User | None = None


class Option(Resource):
    """One answer of a poll."""

    text: Annotated[str, Field(min_length=1, max_length=100)]


class Telegram(Integration):
    """Telegram, as a bot."""

    class Config(Integration.Config):
        """The bot."""

        token: SecretStr

    base_url = "https://api.telegram.org"
    sign_in = InPath("/bot")
    rate = Rate(25)

    @staticmethod
    def complaint(body: Any) -> WandError | None:
        """Telegram says in the body too whether it was done."""
        if isinstance(body, dict) and body.get("ok") is False:
            return Invalid(f"Telegram says {body.get('description', 'no')}")
        return None

    async def health_check(self) -> None:
        await self.get_me()

    @post("/sendMessage", place="result")
    async def send_message(
        self,
        chat_id: ChatId,
        text: Annotated[str, Field(min_length=1, max_length=4096)],
        parse_mode: Format = None,
        message_thread_id: Annotated[int | None, Field(description="a topic of a forum")] = None,
        *,
        disable_notification: bool = False,
    ) -> Message:
        """Send a message."""

    @post("/sendPhoto", place="result")
    async def send_photo(self, chat_id: ChatId, photo: File, caption: str | None = None) -> Message:
        """Send a picture."""

    @post("/sendDocument", place="result")
    async def send_document(self, chat_id: ChatId, document: File, caption: str | None = None) -> Message:
        """Send a file."""

    @post("/editMessageText", place="result", idempotent=True)
    async def edit_message(
        self, chat_id: ChatId, message_id: int, text: str, parse_mode: Format = None
    ) -> Message | bool:
        """Replace the text of a message that the bot has sent."""

    @post("/deleteMessage", destructive=True)
    async def delete_message(self, chat_id: ChatId, message_id: int) -> None:
        """Delete a message."""

    @post("/forwardMessage", place="result")
    async def forward_message(self, chat_id: ChatId, from_chat_id: ChatId, message_id: int) -> Message:
        """Forward a message to another chat."""

    @post("/pinChatMessage", idempotent=True)
    async def pin_message(self, chat_id: ChatId, message_id: int) -> None:
        """Pin a message in a chat."""

    @post("/getUpdates", place="result", read_only=True)
    async def get_updates(
        self,
        offset: Annotated[
            int | None, Field(description="only updates from this id on; confirms those before")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=100)] = 50,
    ) -> list[Update]:
        """Read what was written to the bot."""

    @post("/getChat", place="result", read_only=True)
    async def get_chat(self, chat_id: ChatId) -> Chat:
        """Look at a chat."""

    @post("/getChatMember", place="result", read_only=True)
    async def get_chat_member(self, chat_id: ChatId, user_id: int) -> Member:
        """Look at a member of a chat."""

    @post("/sendPoll", place="result")
    async def send_poll(
        self,
        chat_id: ChatId,
        question: Annotated[str, Field(min_length=1, max_length=300)],
        options: Annotated[list[Option], Field(min_length=2, max_length=10)],
        *,
        is_anonymous: bool = True,
        allows_multiple_answers: bool = False,
    ) -> Message:
        """Send a poll."""

    @post("/setWebhook", idempotent=True)
    async def set_webhook(
        self,
        url: Annotated[str, Field(description="https; empty ends it")],
        allowed_updates: list[str] | None = None,
    ) -> None:
        """Have updates sent to an address."""

    @post("/getMe", place="result", read_only=True)
    async def get_me(self) -> User:
        """Say which bot the token belongs to."""
