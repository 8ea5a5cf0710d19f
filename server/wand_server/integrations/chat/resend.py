"""Resend's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import Bearer, Email, Integration, Rate, Resource, Sent, get, post

From = Annotated[str, Field(description="at a domain that is verified there", examples=["Ann <a@b.example>"])]
People = Annotated[list[Email], Field(min_length=1, max_length=50)]


class Sending(Resource):
    id: str = ""


class Mail(Resource):
    id: str = ""
    subject: str | None = None
    to: list[str] | None = None
    created_at: str | None = None
    last_event: Annotated[str | None, Field(description="such as delivered, bounced, opened")] = None


class Domain(Resource):
    id: str | None = None
    name: str | None = None
    status: str | None = None
    region: str | None = None
    records: Annotated[list[dict[str, Any]] | None, Field(description="to be set in the DNS")] = None


class Audience(Resource):
    id: str | None = None
    name: str | None = None


class Contact(Resource):
    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    unsubscribed: bool | None = None


class Resend(Integration):
    """Resend, as one team."""

    class Config(Integration.Config):
        """Its key."""

        api_key: SecretStr

    base_url = "https://api.resend.com"
    sign_in = Bearer("api_key")
    rate = Rate(2, per_seconds=1)

    async def health_check(self) -> None:
        await self.list_domains()

    @post("/emails")
    async def send_email(
        self,
        sender: Annotated[From, Sent("from")],
        to: People,
        subject: str,
        text: str | None = None,
        html: str | None = None,
        cc: Email | None = None,
        bcc: Email | None = None,
        reply_to: Email | None = None,
    ) -> Sending:
        """Send an e-mail by Resend."""

    @post("/emails/batch", place="data")
    async def send_batch(
        self,
        mails: Annotated[
            list[dict[str, Any]],
            Field(
                min_length=1,
                max_length=100,
                description="each as from, to, subject, text or html",
                examples=[[{"from": "a@b.example", "to": ["c@d.example"], "subject": "s", "text": "t"}]],
            ),
            Sent(where="whole_body"),
        ],
    ) -> list[Sending]:
        """Send many e-mails at once by Resend."""

    @get("/emails/{email_id}")
    async def get_email(self, email_id: Annotated[str, Field(description="as send_email tells")]) -> Mail:
        """Look an e-mail up that was sent by Resend: whether it was delivered, bounced or opened."""

    @get("/domains", place="data")
    async def list_domains(self) -> list[Domain]:
        """List the domains that e-mails are sent from by Resend, and whether they are verified."""

    @post("/domains")
    async def create_domain(
        self,
        name: Annotated[str, Field(examples=["mail.a.example"])],
        region: Literal["us-east-1", "eu-west-1", "sa-east-1"] | None = None,
    ) -> Domain:
        """Add a domain to send e-mails from by Resend; the answer says what to put into the DNS."""

    @get("/audiences", place="data")
    async def list_audiences(self) -> list[Audience]:
        """List the audiences (lists of contacts) at Resend."""

    @get("/audiences/{audience_id}/contacts", place="data")
    async def list_contacts(
        self, audience_id: Annotated[str, Field(description="as list_audiences tells")]
    ) -> list[Contact]:
        """List the contacts of an audience at Resend, and who has unsubscribed."""
