"""Outlook's mail and calendar, by Microsoft Graph."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from wand_proto.errors import NotFound
from wand_server.integrations.kit import Email, Page, Resource, Sent, get, operation, patch, post
from wand_server.integrations.kit.graph import PAGES, Body, Content, Graph, content

Person = Annotated[str, Field(description="whose: id or the name to sign in with (ann@example.com)")]
MessageId = Annotated[str, Field(min_length=1, description="from list_messages")]
Many = Annotated[int, Field(ge=1, le=100), Sent("$top")]
Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$", examples=["2026-01-02T15:00:00"])
]
Zone = Annotated[str, Field(description="of both moments, such as Europe/Berlin")]
_NOBODY = "00000000-0000-0000-0000-000000000000"
_MESSAGE = "id,subject,from,toRecipients,receivedDateTime,isRead,hasAttachments,bodyPreview,importance"


class Address(Resource):
    name: str | None = None
    address: str | None = None


class Recipient(Resource):
    email: Annotated[Address | None, Field(alias="emailAddress")] = None


class Message(Resource):
    id: str = ""
    subject: str | None = None
    sender: Annotated[Recipient | None, Field(alias="from")] = None
    to: Annotated[list[Recipient], Field(alias="toRecipients")] = []
    received: Annotated[str | None, Field(alias="receivedDateTime")] = None
    is_read: Annotated[bool | None, Field(alias="isRead")] = None
    has_attachments: Annotated[bool | None, Field(alias="hasAttachments")] = None
    preview: Annotated[str | None, Field(alias="bodyPreview")] = None
    body: Content | None = None


class Folder(Resource):
    id: str = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    total: Annotated[int | None, Field(alias="totalItemCount")] = None
    unread: Annotated[int | None, Field(alias="unreadItemCount")] = None


class Event(Resource):
    id: str = ""
    subject: str | None = None
    start: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    location: dict[str, Any] | None = None
    organizer: Recipient | None = None
    url: Annotated[str | None, Field(alias="webLink")] = None


class Schedule(Resource):
    person: Annotated[str | None, Field(alias="scheduleId")] = None
    view: Annotated[str | None, Field(alias="availabilityView")] = None  # one digit an interval; 0: free
    items: Annotated[list[dict[str, Any]], Field(alias="scheduleItems")] = []


class Outlook(Graph):
    """Mailboxes and calendars of Microsoft 365."""

    headers: ClassVar[dict[str, str]] = {"Prefer": 'outlook.body-content-type="text"'}

    async def health_check(self) -> None:
        try:
            await self.list_folders(person=_NOBODY, limit=1)
        except NotFound:
            return  # it has let us in, and knows nobody of that name

    @get("/users/{person}/messages", paging=PAGES, fixed={"$select": _MESSAGE})
    async def list_messages(
        self,
        person: Person,
        search: Annotated[
            str | None,
            Field(description='in quotes: "from:bob budget"', examples=['"budget"']),
            Sent("$search"),
        ] = None,
        filter: Annotated[str | None, Field(description="such as isRead eq false"), Sent("$filter")] = None,
        limit: Many = 20,
    ) -> Page[Message]:
        """List a person's e-mails in Outlook, the newest first, or find some."""

    @get("/users/{person}/messages/{message}")
    async def get_message(self, person: Person, message: MessageId) -> Message:
        """Read an e-mail in Outlook."""

    @operation()
    async def send_mail(
        self,
        person: Person,
        to: Annotated[list[Email], Field(min_length=1, max_length=100)],
        subject: Annotated[str, Field(max_length=255)],
        text: str,
        cc: list[Email] | None = None,
    ) -> None:
        """Send an e-mail from a person's Outlook."""
        message = {
            "@odata.type": "#microsoft.graph.message",
            "subject": subject,
            "body": content(text),
            "toRecipients": _recipients(to),
            "ccRecipients": _recipients(cc or []),
        }
        await self._send(person=person, message=message)

    @post("/users/{person}/microsoft.graph.sendMail")
    async def _send(self, person: str, message: Annotated[dict[str, Any], Sent("Message")]) -> None:
        """An e-mail as Graph takes it."""

    @post("/users/{person}/messages/{message}/microsoft.graph.reply")
    async def reply_message(
        self, person: Person, message: MessageId, text: Annotated[str, Field(min_length=1), Sent("Comment")]
    ) -> None:
        """Reply to an e-mail in Outlook."""

    @post("/users/{person}/messages/{message}/microsoft.graph.move")
    async def move_message(
        self,
        person: Person,
        message: MessageId,
        folder: Annotated[
            str,
            Field(description="id, from list_folders; or archive, deleteditems, inbox"),
            Sent("DestinationId"),
        ],
    ) -> Message:
        """Move an e-mail in Outlook to another folder: archive it, file it, throw it away."""

    @get("/users/{person}/mailFolders", paging=PAGES)
    async def list_folders(self, person: Person, limit: Many = 50) -> Page[Folder]:
        """List the mail folders of a person's Outlook, and how many unread e-mails each has."""

    @get("/users/{person}/events", paging=PAGES)
    async def list_events(
        self,
        person: Person,
        filter: Annotated[
            str | None, Field(description="such as start/dateTime ge '2026-01-02T00:00'"), Sent("$filter")
        ] = None,
        limit: Many = 20,
    ) -> Page[Event]:
        """List the appointments and meetings in a person's Outlook calendar."""

    @operation()
    async def create_event(
        self,
        person: Person,
        subject: Annotated[str, Field(min_length=1, max_length=255)],
        start: Moment,
        end: Moment,
        zone: Zone = "UTC",
        text: str | None = None,
        location: str | None = None,
        attendees: list[Email] | None = None,
    ) -> Event:
        """Create an appointment in an Outlook calendar, and invite people to a meeting."""
        event = _event(subject=subject, start=_at(start, zone), end=_at(end, zone))
        event |= {"attendees": _recipients(attendees, "attendee")} if attendees else {}
        event |= (
            {"location": {"@odata.type": "#microsoft.graph.location", "displayName": location}}
            if location
            else {}
        )
        event |= {"body": content(text)} if text else {}
        return await self._create(person=person, event=event)

    @post("/users/{person}/events")
    async def _create(self, person: str, event: Body) -> Event:
        """An appointment as Graph takes it."""

    @operation(idempotent=True)
    async def update_event(
        self,
        person: Person,
        event: Annotated[str, Field(min_length=1, description="from list_events")],
        subject: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        zone: Zone = "UTC",
    ) -> Event:
        """Change an appointment in an Outlook calendar: its subject, or move it to another time."""
        said: dict[str, Any] = {"subject": subject} if subject else {}
        said |= {"start": _at(start, zone)} if start else {}
        said |= {"end": _at(end, zone)} if end else {}
        return await self._update(person=person, event=event, changes=_event(**said))

    @patch("/users/{person}/events/{event}", idempotent=True)
    async def _update(self, person: str, event: str, changes: Body) -> Event:
        """An appointment as Graph takes it."""

    @operation(read_only=True)
    async def get_schedule(
        self,
        person: Person,
        people: Annotated[list[Email], Field(min_length=1, max_length=20)],
        start: Moment,
        end: Moment,
        zone: Zone = "UTC",
        minutes: Annotated[int, Field(ge=5, le=1440, description="of an interval")] = 30,
    ) -> list[Schedule]:
        """Say when people are free or busy, to find a time for a meeting."""
        return await self._schedule(
            person=person, Schedules=people, StartTime=_at(start, zone), EndTime=_at(end, zone),
            AvailabilityViewInterval=minutes,
        )  # fmt: skip

    @post("/users/{person}/calendar/microsoft.graph.getSchedule", place="value", read_only=True)
    async def _schedule(
        self,
        person: str,
        Schedules: list[str],  # noqa: N803 - the vendor's names
        StartTime: dict[str, str],  # noqa: N803
        EndTime: dict[str, str],  # noqa: N803
        AvailabilityViewInterval: int,  # noqa: N803
    ) -> list[Schedule]:
        """A question as Graph takes it."""


def _recipients(
    people: list[str], kind: Literal["recipient", "attendee"] = "recipient"
) -> list[dict[str, Any]]:
    about = "#microsoft.graph.emailAddress"
    return [
        {"@odata.type": f"#microsoft.graph.{kind}", "emailAddress": {"@odata.type": about, "address": one}}
        for one in people
    ]


def _at(moment: str, zone: str) -> dict[str, str]:
    return {"@odata.type": "#microsoft.graph.dateTimeTimeZone", "dateTime": moment, "timeZone": zone}


def _event(**properties: Any) -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.event", **properties}
