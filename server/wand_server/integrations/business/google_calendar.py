"""Google Calendar's API."""

from typing import Annotated, Any, Literal

from pydantic import Field

from wand_server.integrations.kit import (
    Cursor,
    Date,
    DateTime,
    Email,
    Page,
    Personal,
    Resource,
    Sent,
    delete,
    get,
    patch,
    post,
)
from wand_server.integrations.kit.google import GoogleConfig, google

CalendarId = Annotated[str, Field(description="as list_calendars tells; primary is one's own")]
EventId = Annotated[str, Field(description="id of an event, as list_events tells")]
PAGES = Cursor(items="items", mark="nextPageToken", sent_as="pageToken")
Notify = Annotated[
    Literal["all", "externalOnly", "none"],
    Sent("sendUpdates", "query"),
    Field(description="who is told by mail"),
]


class When(Resource):
    """`dateTime` for a time, or `date` for a whole day."""

    dateTime: DateTime | None = None  # noqa: N815 - the service's own words
    date: Date | None = None
    timeZone: Annotated[str | None, Field(examples=["Europe/Berlin"])] = None  # noqa: N815


class Moment(Resource):
    dateTime: str | None = None  # noqa: N815
    date: str | None = None
    timeZone: str | None = None  # noqa: N815


class Guest(Resource):
    email: Email
    optional: bool | None = None


class Attendee(Resource):
    email: str | None = None
    responseStatus: str | None = None  # noqa: N815


class Event(Resource):
    id: str = ""
    summary: str | None = None
    description: str | None = None
    location: str | None = None
    status: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    attendees: list[Attendee] | None = None
    recurrence: list[str] | None = None
    htmlLink: str | None = None  # noqa: N815
    hangoutLink: str | None = None  # noqa: N815


class Calendar(Resource):
    id: str = ""
    summary: str = ""
    primary: bool | None = None
    accessRole: str | None = None  # noqa: N815
    timeZone: str | None = None  # noqa: N815


class Whose(Resource):
    id: Annotated[str, Field(description="of a calendar; a person's is the e-mail address")]


Title = Annotated[str | None, Sent("summary"), Field(description="what it is called")]
Guests = Annotated[list[Guest] | None, Sent("attendees")]
Repeats = Annotated[list[str] | None, Field(description="RFC 5545", examples=[["RRULE:FREQ=WEEKLY;COUNT=5"]])]


class GoogleCalendar(Personal):
    """Google Calendar, as one of its users or a service account."""

    class Config(GoogleConfig):
        """Who that is."""

    base_url = "https://www.googleapis.com/calendar/v3"
    sign_in = google("calendar")

    async def health_check(self) -> None:
        await self.list_calendars(limit=1)

    @get("/users/me/calendarList", paging=PAGES)
    async def list_calendars(
        self, limit: Annotated[int, Sent("maxResults"), Field(ge=1, le=250)] = 100
    ) -> Page[Calendar]:
        """List the calendars that one sees in Google Calendar."""

    @get(
        "/calendars/{calendar_id}/events",
        paging=PAGES,
        query={"singleEvents": "true", "orderBy": "startTime"},
    )
    async def list_events(
        self,
        calendar_id: CalendarId = "primary",
        begin: Annotated[DateTime | None, Sent("timeMin"), Field(description="events that end later")] = None,
        end: Annotated[
            DateTime | None, Sent("timeMax"), Field(description="events that begin earlier")
        ] = None,
        text: Annotated[str | None, Sent("q"), Field(description="words in them")] = None,
        limit: Annotated[int, Sent("maxResults"), Field(ge=1, le=2500)] = 50,
    ) -> Page[Event]:
        """List or search the events (meetings, appointments) of a calendar in Google Calendar."""

    @get("/calendars/{calendar_id}/events/{event_id}")
    async def get_event(self, event_id: EventId, calendar_id: CalendarId = "primary") -> Event:
        """Look an event in Google Calendar up: when, where, and who comes."""

    @post("/calendars/{calendar_id}/events")
    async def create_event(
        self,
        title: Annotated[str, Sent("summary"), Field(description="what it is called")],
        start: When,
        end: When,
        calendar_id: CalendarId = "primary",
        description: str | None = None,
        location: str | None = None,
        guests: Guests = None,
        recurrence: Repeats = None,
        notify: Notify = "none",
    ) -> Event:
        """Create an event in Google Calendar: schedule a meeting, and invite people."""

    @patch("/calendars/{calendar_id}/events/{event_id}", idempotent=True)
    async def update_event(
        self,
        event_id: EventId,
        calendar_id: CalendarId = "primary",
        title: Title = None,
        start: When | None = None,
        end: When | None = None,
        description: str | None = None,
        location: str | None = None,
        guests: Annotated[Guests, Field(description="all of them: who is not named is taken off")] = None,
        notify: Notify = "none",
    ) -> Event:
        """Change an event in Google Calendar: move it to another time, rename it, change who is invited."""

    @delete("/calendars/{calendar_id}/events/{event_id}")
    async def delete_event(
        self, event_id: EventId, calendar_id: CalendarId = "primary", notify: Notify = "none"
    ) -> None:
        """Delete an event from Google Calendar: cancel a meeting."""

    @post("/calendars/{calendar_id}/events/quickAdd")
    async def quick_add_event(
        self,
        text: Annotated[
            str, Sent("text", "query"), Field(description="such as Lunch with Ann tomorrow at 12")
        ],
        calendar_id: CalendarId = "primary",
        notify: Notify = "none",
    ) -> Event:
        """Create an event in Google Calendar from a sentence."""

    @post("/freeBusy", read_only=True, place="calendars")
    async def query_free_busy(
        self,
        begin: Annotated[DateTime, Sent("timeMin")],
        end: Annotated[DateTime, Sent("timeMax")],
        calendars: Annotated[list[Whose], Sent("items"), Field(min_length=1)],
        time_zone: Annotated[str | None, Sent("timeZone"), Field(examples=["Europe/Berlin"])] = None,
    ) -> dict[str, Any]:
        """Look when people are free or busy in Google Calendar, to find a time for a meeting."""
