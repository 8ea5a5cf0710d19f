"""Intercom's REST API."""

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Page, Resource, Sent, at, get, post

NEXT = "pages.next.starting_after"
CONTACTS = kit.Cursor(items="data", mark=NEXT, sent_as="starting_after")
FOUND_CONTACTS = kit.Cursor(items="data", mark=NEXT, sent_as="pagination.starting_after")
CONVERSATIONS = kit.Cursor(items="conversations", mark=NEXT, sent_as="starting_after")
FOUND_CONVERSATIONS = kit.Cursor(items="conversations", mark=NEXT, sent_as="pagination.starting_after")
CONTAINS = {"query.operator": "~"}
Id = Annotated[str, Field(min_length=1, examples=["536e564f316c83104c000020"])]
Number = Annotated[str, Field(pattern=r"^\d+$", description="id", examples=["123"])]
Admin = Annotated[str, Sent("admin_id"), Field(description="id, from list_admins")]
Role = Literal["user", "lead"]
Kind = Annotated[Literal["comment", "note"], Sent("message_type")]
Value = Annotated[str, Sent("query.value")]
By = Annotated[Literal["email", "name", "phone"], Sent("query.field")]
ByIts = Annotated[Literal["source.body", "source.subject", "source.author.email"], Sent("query.field")]
Whom = Annotated[Id, Sent("contacts"), PlainSerializer(lambda one: [{"id": one}])]
Type = Annotated[str, Sent("ticket_type_id"), Field(description="id of a type of tickets")]
Title = Annotated[str, Sent("ticket_attributes._default_title_")]
Description = Annotated[str | None, Sent("ticket_attributes._default_description_")]
Size = Annotated[int, Sent("per_page"), Field(ge=1, le=150)]
Within = Annotated[int, Sent("pagination.per_page"), Field(ge=1, le=150)]


class Contact(Resource):
    id: str = ""
    role: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Part(Resource):
    author: Annotated[str | None, at("author.name")] = None
    body: str | None = None  # HTML
    created_at: int | None = None


class Conversation(Resource):
    id: str = ""
    title: str | None = None
    state: str | None = None
    updated_at: int | None = None  # seconds of the Unix clock
    first: Annotated[str | None, at("source.body")] = None  # what it began with, HTML
    parts: Annotated[list[Part] | None, at("conversation_parts.conversation_parts")] = None


class Thing(Resource):
    id: str = ""
    title: str | None = None
    name: str | None = None
    email: str | None = None
    url: str | None = None
    state: str | None = None
    conversation_id: str | None = None


class Intercom(kit.Integration):
    """A workspace of Intercom."""

    class Config(kit.Integration.Config):
        token: SecretStr

    base_url = "https://api.intercom.io"
    sign_in = kit.Bearer("token")
    headers = {"Intercom-Version": "2.14"}
    rate = kit.Rate(160, per_seconds=10)

    async def health_check(self) -> None:
        await self.list_admins()

    @get("/contacts", paging=CONTACTS)
    async def list_contacts(self, size: Size = 50) -> Page[Contact]:
        """List the contacts: the customers and leads that support talks to."""

    @post("/contacts")
    async def create_contact(
        self, email: kit.Email, name: str | None = None, phone: str | None = None, role: Role = "user"
    ) -> Contact:
        """Create a contact, of a customer (user) or a lead."""

    @get("/contacts/{contact}")
    async def get_contact(self, contact: Id) -> Contact:
        """Look at a contact of Intercom."""

    @post("/contacts/search", paging=FOUND_CONTACTS, read_only=True, fixed=CONTAINS)
    async def search_contacts(self, value: Value, by: By = "email", size: Within = 50) -> Page[Contact]:
        """Search the contacts whose e-mail address, name or phone number contains something."""

    @get("/conversations", paging=CONVERSATIONS)
    async def list_conversations(self, size: Size = 20) -> Page[Conversation]:
        """List the conversations that customers have with support, the newest first."""

    @post("/conversations", fixed={"from.type": "user"})
    async def create_conversation(self, contact: Annotated[Id, Sent("from.id")], body: str) -> Thing:
        """Begin a conversation in the name of a contact."""

    @get("/conversations/{conversation}", query={"display_as": "plaintext"})
    async def get_conversation(self, conversation: Number) -> Conversation:
        """Read a conversation: what the customer and support have said."""

    @post("/conversations/{conversation}/reply", fixed={"type": "admin"})
    async def reply_conversation(
        self, conversation: Number, admin: Admin, body: str, kind: Kind = "comment"
    ) -> Conversation:
        """Answer a customer in a conversation, or leave a note there for colleagues."""

    @post("/conversations/search", paging=FOUND_CONVERSATIONS, read_only=True, fixed=CONTAINS)
    async def search_conversations(self, value: Value, by: ByIts = "source.body") -> Page[Conversation]:
        """Search the conversations with customers by what they began with."""

    @post("/tickets")
    async def create_ticket(self, type: Type, contact: Whom, title: Title, text: Description = None) -> Thing:
        """Create a ticket of a type, for a contact."""

    @get("/articles", paging=kit.Counted(items="data", size="per_page"))
    async def list_articles(self, size: Size = 50) -> Page[Thing]:
        """List the articles of the help center."""

    @get("/admins", place="admins")
    async def list_admins(self) -> list[Thing]:
        """List the people of support (admins) and their ids."""

    @post("/contacts/{contact}/notes")
    async def create_note(self, contact: Id, body: str, admin: Admin | None = None) -> Thing:
        """Leave a note on a contact, for colleagues."""
