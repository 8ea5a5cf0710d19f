"""SendGrid's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Counted,
    Date,
    Email,
    Integration,
    Linked,
    Page,
    Request,
    Resource,
    Sent,
    get,
    operation,
    post,
    put,
)

Seconds = Annotated[int | None, Field(ge=0, description="seconds since 1970")]
Many = Annotated[int, Field(ge=1, le=500)]


class Person(Resource):
    email: Email
    name: str | None = None


class Version(Resource):
    id: str | None = None
    name: str | None = None
    subject: str | None = None
    active: int | None = None


class Template(Resource):
    id: str = ""
    name: str = ""
    generation: str | None = None
    versions: list[Version] | None = None


class Contact(Resource):
    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class NewContact(Resource):
    email: Email
    first_name: str | None = None
    last_name: str | None = None


class Job(Resource):
    job_id: str = ""


class Bounce(Resource):
    email: str = ""
    reason: str | None = None
    status: str | None = None
    created: float | None = None


class Suppressed(Resource):
    email: str = ""
    created: int | None = None


class Counts(Resource):
    date: str = ""
    stats: list[dict[str, Any]] = []


class Sender(Resource):
    id: int | None = None
    from_email: str | None = None
    from_name: str | None = None
    verified: bool | None = None


class SendGrid(Integration):
    """SendGrid, as one account."""

    class Config(Integration.Config):
        """Its key."""

        api_key: SecretStr

    base_url = "https://api.sendgrid.com/v3"
    sign_in = Bearer("api_key")
    headers = {"Accept": "application/json"}

    async def health_check(self) -> None:
        await self.list_templates(limit=1)

    @operation()
    async def send_email(
        self,
        sender: Annotated[Person, Field(description="who is verified there")],
        to: Annotated[list[Person], Field(min_length=1, max_length=1000)],
        subject: str,
        text: str | None = None,
        html: str | None = None,
        cc: list[Person] | None = None,
        bcc: list[Person] | None = None,
        template_id: str | None = None,
        template_data: Annotated[dict[str, Any] | None, Field(description="what fills its blanks")] = None,
        send_at: Seconds = None,
    ) -> None:
        """Send an e-mail by SendGrid, now or later, by a template if wanted."""
        people = {"to": to, "cc": cc, "bcc": bcc}
        personal: dict[str, Any] = {name: list(map(_plain, each)) for name, each in people.items() if each}
        if template_data:
            personal["dynamic_template_data"] = template_data
        texts = {"text/plain": text, "text/html": html}
        content = [{"type": kind, "value": each} for kind, each in texts.items() if each]
        body = {
            "personalizations": [personal],
            "from": _plain(sender),
            "subject": subject,
            "content": content,
        }
        more: dict[str, Any] = {"template_id": template_id, "send_at": send_at}
        body |= {name: value for name, value in more.items() if value is not None}
        if template_id and not content:
            del body["content"]
        await self.http.send(Request(method="POST", path="/mail/send", json=body))

    @get("/templates", paging=Linked(items="result", link="_metadata.next"))
    async def list_templates(
        self,
        generations: Literal["legacy", "dynamic", "legacy,dynamic"] = "dynamic",
        limit: Annotated[int, Sent("page_size"), Field(ge=1, le=200)] = 50,
    ) -> Page[Template]:
        """List the templates for e-mails at SendGrid."""

    @get("/templates/{template_id}")
    async def get_template(self, template_id: str) -> Template:
        """Look a template for e-mails at SendGrid up: its versions and subjects."""

    @get("/marketing/contacts", place="result")
    async def list_contacts(self) -> list[Contact]:
        """List the newest contacts at SendGrid, fifty at most."""

    @put("/marketing/contacts")
    async def upsert_contacts(
        self,
        contacts: Annotated[list[NewContact], Field(min_length=1, max_length=30000)],
        list_ids: list[Annotated[str, Field(json_schema_extra={"format": "uuid"})]] | None = None,
    ) -> Job:
        """Add contacts at SendGrid, or change them: by e-mail address, into lists."""

    @post("/marketing/contacts/search", read_only=True, place="result")
    async def search_contacts(
        self, query: Annotated[str, Field(description="SGQL, such as email LIKE 'ann%'")]
    ) -> list[Contact]:
        """Search the contacts at SendGrid."""

    @get("/suppression/bounces")
    async def list_bounces(
        self,
        since: Annotated[Seconds, Sent("start_time")] = None,
        until: Annotated[Seconds, Sent("end_time")] = None,
    ) -> list[Bounce]:
        """List the addresses whose e-mails came back (bounced) at SendGrid, and why."""

    @get("/suppression/unsubscribes", paging=Counted(sent_as="offset", size="limit", by_items=True))
    async def list_global_suppressions(
        self,
        since: Annotated[Seconds, Sent("start_time")] = None,
        until: Annotated[Seconds, Sent("end_time")] = None,
        limit: Many = 100,
    ) -> Page[Suppressed]:
        """List the addresses that have unsubscribed from everything at SendGrid."""

    @get("/stats")
    async def get_stats(
        self,
        since: Annotated[Date, Sent("start_date")],
        until: Annotated[Date | None, Sent("end_date")] = None,
        by: Annotated[Literal["day", "week", "month"] | None, Sent("aggregated_by")] = None,
    ) -> list[Counts]:
        """Count what became of e-mails at SendGrid: delivered, opened, clicked, bounced, by day."""

    @get("/verified_senders", place="results")
    async def list_verified_senders(self, limit: Many = 100) -> list[Sender]:
        """List the senders that are verified at SendGrid."""


def _plain(person: Person) -> dict[str, str]:
    return {name: str(value) for name, value in person if value is not None}
