"""Gmail's API."""

import base64
import binascii
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from wand_proto.errors import Broken
from wand_server.integrations.kit import (
    Content,
    Cursor,
    Download,
    Email,
    Page,
    Personal,
    Request,
    Resource,
    Sent,
    get,
    letters,
    operation,
    post,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.content import SaveAs, kept
from wand_server.integrations.kit.google import GoogleConfig, google
from wand_server.integrations.kit.letters import Written
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import segments

ME = "/gmail/v1/users/me"
MessageId = Annotated[str, Field(description="id of a message, as list_messages tells")]
Labels = Annotated[
    list[str] | None, Field(description="ids of labels: INBOX, UNREAD, STARRED, SPAM or one's own")
]
People = Annotated[list[Email], Field(min_length=1)]
Others = list[Email] | None


class Header(Resource):
    name: str = ""
    value: str = ""


class Body(Resource):
    attachmentId: str | None = None  # noqa: N815 - the service's own words
    size: int | None = None
    data: str | None = None


class Part(Resource):
    mimeType: str = ""  # noqa: N815
    filename: str | None = None
    headers: list[Header] | None = None
    body: Body | None = None
    parts: list["Part"] | None = None


class Attachment(Resource):
    id: str
    name: str
    size: int | None = None


class Mail(Resource):
    id: str = ""
    thread_id: str = ""
    sender: str = ""
    to: str = ""
    subject: str = ""
    date: str = ""
    labels: list[str] = []
    snippet: str = ""
    text: str = ""
    attachments: list[Attachment] = []


class Brief(Resource):
    id: str = ""
    threadId: str = ""  # noqa: N815


class Sending(Resource):
    id: str = ""
    threadId: str | None = None  # noqa: N815
    labelIds: list[str] | None = None  # noqa: N815


class Draft(Resource):
    id: str = ""
    message: Brief | None = None


class Label(Resource):
    id: str = ""
    name: str = ""
    type: str | None = None


class Profile(Resource):
    emailAddress: str = ""  # noqa: N815
    messagesTotal: int | None = None  # noqa: N815
    threadsTotal: int | None = None  # noqa: N815


class Gmail(Personal):
    """Gmail, as one of its users."""

    class Config(GoogleConfig):
        """Who that is; a service account needs a subject."""

    base_url = "https://gmail.googleapis.com"
    sign_in = google("gmail.modify")

    async def health_check(self) -> None:
        await self.get_profile()

    @get(f"{ME}/messages", paging=Cursor(items="messages", mark="nextPageToken", sent_as="pageToken"))
    async def list_messages(
        self,
        query: Annotated[
            str | None,
            Sent("q"),
            Field(description="as in Gmail's search: from:ann is:unread newer_than:2d subject:plan"),
        ] = None,
        limit: Annotated[int, Sent("maxResults"), Field(ge=1, le=500)] = 20,
    ) -> Page[Brief]:
        """Search the mails in Gmail, or list the newest: their ids, for get_message."""

    @operation(read_only=True)
    async def get_message(self, message_id: MessageId) -> Mail:
        """Read a mail in Gmail: who sent it, its subject, its text and its attachments."""
        return _mail((await self._get(f"/messages/{segments('message_id', message_id, many=False)}")).body)

    @operation()
    async def send_message(
        self,
        to: People,
        subject: str,
        text: str,
        cc: Others = None,
        bcc: Others = None,
        html: str | None = None,
        attachment: Content | None = None,
        thread_id: Annotated[str | None, Field(description="to go on in a thread")] = None,
    ) -> Sending:
        """Send a mail by Gmail."""
        written = Written(to=to, cc=cc or (), bcc=bcc or (), subject=subject, text=text, html=html or "")
        raw = await _composed(written, attachment)
        request = Request(method="POST", path=f"{ME}/messages/send", json=_in_thread(raw, thread_id))
        return Sending.model_validate((await self.http.send(request)).body)

    @operation()
    async def create_draft(
        self,
        to: People,
        subject: str,
        text: str,
        cc: Others = None,
        html: str | None = None,
        attachment: Content | None = None,
        thread_id: Annotated[str | None, Field(description="to go on in a thread")] = None,
    ) -> Draft:
        """Write a draft of a mail in Gmail, for somebody to look through and send."""
        written = Written(to=to, cc=cc or (), subject=subject, text=text, html=html or "")
        raw = await _composed(written, attachment)
        body = {"message": _in_thread(raw, thread_id)}
        return Draft.model_validate(
            (await self.http.send(Request(method="POST", path=f"{ME}/drafts", json=body))).body
        )

    @post(f"{ME}/messages/{{message_id}}/modify", idempotent=True)
    async def modify_labels(
        self,
        message_id: MessageId,
        add: Annotated[Labels, Sent("addLabelIds")] = None,
        remove: Annotated[Labels, Sent("removeLabelIds")] = None,
    ) -> Sending:
        """Label a mail in Gmail: mark it read or unread, star it, archive it (remove INBOX)."""

    @post(f"{ME}/messages/{{message_id}}/trash", destructive=True, idempotent=True)
    async def trash_message(self, message_id: MessageId) -> Sending:
        """Move a mail in Gmail into the trash."""

    @get(f"{ME}/labels", place="labels")
    async def list_labels(self) -> list[Label]:
        """List the labels in Gmail."""

    @operation(read_only=True)
    async def get_thread(
        self, thread_id: Annotated[str, Field(description="id of a thread, as messages have it")]
    ) -> list[Mail]:
        """Read a conversation in Gmail: all mails of a thread."""
        answered = await self._get(f"/threads/{segments('thread_id', thread_id, many=False)}")
        return [_mail(each) for each in found(answered.body, "messages") or []]

    @operation(read_only=True)
    async def get_attachment(
        self,
        message_id: MessageId,
        attachment_id: Annotated[str, Field(description="as get_message tells")],
        save_as: SaveAs = None,
    ) -> Download:
        """Download a file that is attached to a mail in Gmail."""
        mail, file = (
            segments("message_id", message_id, many=False),
            segments("attachment_id", attachment_id, many=False),
        )
        path = f"{ME}/messages/{mail}/attachments/{file}"
        answered = await self.http.send(Request(method="GET", path=path))
        raw = _decoded(str(found(answered.body, "data") or ""))
        return await kept(raw, "", save_as)

    @get(f"{ME}/profile")
    async def get_profile(self) -> Profile:
        """Say whose Gmail it is, and how many mails are in it."""

    async def _get(self, path: str) -> Answered:
        return await self.http.send(Request(method="GET", path=f"{ME}{path}", query={"format": "full"}))


async def _composed(written: Written, attachment: Content | None) -> str:
    """A mail, as Gmail takes it: it says itself who sends it, to whom it goes is in its head."""
    if attachment is not None:
        written = replace(written, attached=[await attachment.part("attachment")])
    return base64.urlsafe_b64encode(letters.compose(written, with_bcc=True).as_bytes()).decode()


def _in_thread(raw: str, thread_id: str | None) -> dict[str, str]:
    return {"raw": raw, **({"threadId": thread_id} if thread_id else {})}


def _mail(body: Any) -> Mail:
    """What matters of a message."""
    told = body if isinstance(body, dict) else {}
    whole = Part.model_validate(told.get("payload") or {})
    headers = {each.name.lower(): each.value for each in whole.headers or []}
    parts = list(_parts(whole))
    return Mail(
        id=str(told.get("id", "")),
        thread_id=str(told.get("threadId", "")),
        sender=headers.get("from", ""),
        to=headers.get("to", ""),
        subject=headers.get("subject", ""),
        date=headers.get("date", ""),
        labels=[str(each) for each in told.get("labelIds") or []],
        snippet=str(told.get("snippet", "")),
        text=_text(parts),
        attachments=[
            Attachment(id=part.body.attachmentId, name=part.filename or "", size=part.body.size)
            for part in parts
            if part.body is not None and part.body.attachmentId
        ],
    )


def _parts(part: Part) -> list[Part]:
    return [part, *(inner for each in part.parts or [] for inner in _parts(each))]


def _text(parts: list[Part]) -> str:
    """The plain text of a mail, or its HTML where there is none."""
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.mimeType == kind and part.body is not None and part.body.data and not part.filename:
                return _decoded(part.body.data).decode("utf-8", "replace")
    return ""


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as why:
        raise Broken("the service's answer is no base64") from why
