"""Brevo's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import ApiKey, Counted, Email, Integration, Page, Resource, Sent, get, post

Many = Annotated[int, Field(ge=1, le=100)]
Sort = Literal["asc", "desc"] | None


def pages(items: str) -> Counted:
    """Its lists say from which item on."""
    return Counted(items=items, sent_as="offset", size="limit", by_items=True)


class Person(Resource):
    email: Email
    name: str | None = None


class Sending(Resource):
    messageId: str | None = None  # noqa: N815 - the service's own words
    messageIds: list[str] | None = None  # noqa: N815


class Contact(Resource):
    id: int = 0
    email: str | None = None
    attributes: dict[str, Any] | None = None
    listIds: list[int] | None = None  # noqa: N815
    emailBlacklisted: bool | None = None  # noqa: N815
    createdAt: str | None = None  # noqa: N815


class Created(Resource):
    id: int | None = None


class Campaign(Resource):
    id: int | None = None
    name: str | None = None
    subject: str | None = None
    status: str | None = None
    scheduledAt: str | None = None  # noqa: N815
    statistics: dict[str, Any] | None = None


class Text(Resource):
    messageId: int | None = None  # noqa: N815
    reference: str | None = None
    smsCount: int | None = None  # noqa: N815
    remainingCredits: float | None = None  # noqa: N815


class Template(Resource):
    id: int | None = None
    name: str | None = None
    subject: str | None = None
    isActive: bool | None = None  # noqa: N815


class Plan(Resource):
    type: str | None = None
    credits: float | None = None


class Account(Resource):
    email: str | None = None
    companyName: str | None = None  # noqa: N815
    plan: list[Plan] | None = None


class Brevo(Integration):
    """Brevo, as one account."""

    class Config(Integration.Config):
        """Its key."""

        api_key: SecretStr

    base_url = "https://api.brevo.com/v3"
    sign_in = ApiKey("api-key")

    async def health_check(self) -> None:
        await self.get_account()

    @post("/smtp/email")
    async def send_email(
        self,
        sender: Annotated[Person, Field(description="who is verified there")],
        to: Annotated[list[Person], Field(min_length=1, max_length=99)],
        subject: str | None = None,
        text: Annotated[str | None, Sent("textContent")] = None,
        html: Annotated[str | None, Sent("htmlContent")] = None,
        cc: list[Person] | None = None,
        bcc: list[Person] | None = None,
        template_id: Annotated[int | None, Sent("templateId")] = None,
        params: Annotated[
            dict[str, Any] | None, Field(description="what fills the template's blanks")
        ] = None,
    ) -> Sending:
        """Send an e-mail by Brevo, by a template if wanted."""

    @get("/contacts", paging=pages("contacts"))
    async def list_contacts(self, limit: Many = 50, sort: Sort = None) -> Page[Contact]:
        """List the contacts (subscribers) at Brevo."""

    @post("/contacts")
    async def create_contact(
        self,
        email: Email,
        attributes: Annotated[dict[str, Any] | None, Field(examples=[{"FIRSTNAME": "Ann"}])] = None,
        list_ids: Annotated[list[int] | None, Sent("listIds")] = None,
        *,
        update: Annotated[
            bool, Sent("updateEnabled"), Field(description="change the contact that is there already")
        ] = False,
    ) -> Created:
        """Add a contact at Brevo, into lists if wanted."""

    @get("/contacts/{identifier}")
    async def get_contact(
        self, identifier: Annotated[str, Field(description="e-mail address or id", examples=["a@b.example"])]
    ) -> Contact:
        """Look a contact at Brevo up: which lists it is in, and whether it has unsubscribed."""

    @get("/emailCampaigns", paging=pages("campaigns"))
    async def list_campaigns(
        self,
        status: Annotated[
            Literal["suspended", "archive", "sent", "queued", "draft", "inProcess"] | None,
            Field(examples=["sent"]),
        ] = None,
        statistics: Literal["globalStats", "linksStats", "statsByDomain"] | None = None,
        limit: Many = 50,
        sort: Sort = None,
    ) -> Page[Campaign]:
        """List the e-mail campaigns (newsletters) at Brevo, and how they went."""

    @post("/transactionalSMS/sms")
    async def send_sms(
        self,
        sender: Annotated[str, Field(max_length=15, description="a name of up to 11 letters, or a number")],
        recipient: Annotated[str, Field(description="number with country code", examples=["33680065433"])],
        content: Annotated[str, Field(min_length=1)],
        tag: str | None = None,
    ) -> Text:
        """Send a text message (SMS) to a phone by Brevo."""

    @get("/smtp/templates", paging=pages("templates"))
    async def list_templates(
        self,
        active: Annotated[bool | None, Sent("templateStatus")] = None,
        limit: Many = 50,
        sort: Sort = None,
    ) -> Page[Template]:
        """List the templates for e-mails at Brevo."""

    @get("/account")
    async def get_account(self) -> Account:
        """Say whose account of Brevo it is, and which credits are left."""
