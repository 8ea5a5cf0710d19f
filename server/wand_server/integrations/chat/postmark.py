"""Postmark's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import ApiKey, Counted, Date, Integration, Page, Resource, Sent, get, post

People = Annotated[str, Field(description="an address, or several with commas", examples=["a@b.example"])]
From = Annotated[str, Field(description="a sender that is confirmed there", examples=["Ann <a@b.example>"])]
Stream = Annotated[str | None, Sent("MessageStream"), Field(examples=["outbound"])]
Tag = Annotated[str | None, Sent("Tag")]
Many = Annotated[int, Sent("count"), Field(ge=1, le=500)]
Others = str | None


def pages(items: str) -> Counted:
    """Its lists say from which item on."""
    return Counted(items=items, sent_as="offset", size="count", by_items=True)


class Sending(Resource):
    MessageID: str | None = None
    ErrorCode: int | None = None
    Message: str | None = None
    To: str | None = None
    SubmittedAt: str | None = None


class Mail(Resource):
    From: From
    To: People
    Subject: str
    TextBody: str | None = None
    HtmlBody: str | None = None
    Tag: str | None = None


class Bounce(Resource):
    ID: int | None = None
    Type: str | None = None
    Email: str | None = None
    Description: str | None = None
    BouncedAt: str | None = None
    Inactive: bool | None = None


class Kind(Resource):
    Name: str | None = None
    Count: int | None = None


class Stats(Resource):
    InactiveMails: int | None = None
    Bounces: list[Kind] | None = None


class Outbound(Resource):
    MessageID: str | None = None
    Recipients: list[str] | None = None
    Subject: str | None = None
    Status: str | None = None
    ReceivedAt: str | None = None


class Server(Resource):
    ID: int | None = None
    Name: str | None = None
    DeliveryType: str | None = None


class Postmark(Integration):
    """Postmark, as one server of it."""

    class Config(Integration.Config):
        """Its token."""

        token: SecretStr

    base_url = "https://api.postmarkapp.com"
    sign_in = ApiKey("X-Postmark-Server-Token", "token")
    headers = {"Accept": "application/json"}

    async def health_check(self) -> None:
        await self.get_server()

    @post("/email")
    async def send_email(
        self,
        sender: Annotated[From, Sent("From")],
        to: Annotated[People, Sent("To")],
        subject: Annotated[str, Sent("Subject")],
        text: Annotated[str | None, Sent("TextBody")] = None,
        html: Annotated[str | None, Sent("HtmlBody")] = None,
        cc: Annotated[Others, Sent("Cc")] = None,
        bcc: Annotated[Others, Sent("Bcc")] = None,
        reply_to: Annotated[Others, Sent("ReplyTo")] = None,
        tag: Tag = None,
        stream: Stream = None,
    ) -> Sending:
        """Send an e-mail by Postmark."""

    @post("/email/batch")
    async def send_batch(
        self, mails: Annotated[list[Mail], Field(min_length=1, max_length=500), Sent(where="whole_body")]
    ) -> list[Sending]:
        """Send many e-mails at once by Postmark; each has an answer of its own."""

    @post("/email/withTemplate")
    async def send_template(
        self,
        sender: Annotated[From, Sent("From")],
        to: Annotated[People, Sent("To")],
        template: Annotated[str, Sent("TemplateAlias"), Field(description="its alias")],
        model: Annotated[dict[str, Any], Sent("TemplateModel"), Field(description="what fills its blanks")],
        tag: Tag = None,
        stream: Stream = None,
    ) -> Sending:
        """Send an e-mail by Postmark that a template makes."""

    @get("/bounces", paging=pages("Bounces"), query={"offset": "0"})
    async def list_bounces(
        self,
        kind: Annotated[str | None, Sent("type"), Field(examples=["HardBounce"])] = None,
        address: Annotated[str | None, Sent("emailFilter")] = None,
        since: Annotated[Date | None, Sent("fromdate")] = None,
        until: Annotated[Date | None, Sent("todate")] = None,
        limit: Many = 50,
    ) -> Page[Bounce]:
        """List the e-mails that came back (bounced) at Postmark, and why."""

    @get("/deliverystats")
    async def get_delivery_stats(self) -> Stats:
        """Count the e-mails that could not be delivered by Postmark, by reason."""

    @get("/messages/outbound", paging=pages("Messages"), query={"offset": "0"})
    async def search_outbound(
        self,
        recipient: str | None = None,
        sender: Annotated[str | None, Sent("fromemail")] = None,
        tag: str | None = None,
        status: Literal["queued", "sent"] | None = None,
        since: Annotated[Date | None, Sent("fromdate")] = None,
        until: Annotated[Date | None, Sent("todate")] = None,
        limit: Many = 50,
    ) -> Page[Outbound]:
        """Search the e-mails that were sent by Postmark: to whom, with which subject, when."""

    @get("/server")
    async def get_server(self) -> Server:
        """Say which server of Postmark the token belongs to."""
