"""What is told of letters and mailboxes."""

from datetime import date
from email.message import EmailMessage
from typing import Any

from wand_proto.errors import NotFound
from wand_server.integrations.chat.email.mailbox import Fetched, Session
from wand_server.integrations.kit import Resource, letters

KEYS = {"words": "TEXT", "sender": "FROM", "to": "TO", "subject": "SUBJECT"}  # of a search (RFC 3501, 6.4.4)
MARKS = {"read": "\\Seen", "flagged": "\\Flagged", "answered": "\\Answered"}
_USES = {"\\Sent": "sent", "\\Drafts": "drafts", "\\Trash": "trash", "\\Junk": "junk", "\\Archive": "archive"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOST_COUNTED = 100


class Box(Resource):
    name: str
    use: str | None = None  # sent, drafts, trash, junk, archive
    letters: int | None = None
    unread: int | None = None


class Delivered(Resource):
    message_id: str
    refused: dict[str, str] = {}  # whom it did not go to, and why
    remark: str | None = None  # it has gone out, but something after that was not done
    kept_as: str | None = None  # the id of the copy in the mailbox of sent letters


class Summary(Resource):
    id: str
    sender: str = ""
    to: list[str] = []
    subject: str = ""
    date: str = ""
    size: int = 0
    unread: bool = False
    flagged: bool = False


class Attachment(Resource):
    number: int
    name: str = ""
    media_type: str = ""
    size: int = 0


class Read(Summary):
    cc: list[str] = []
    reply_to: list[str] = []
    message_id: str = ""
    text: str = ""
    is_cut: bool = False  # there is more text
    attachments: list[Attachment] = []


class Kept(Resource):
    id: str | None = None
    mailbox: str


def summary(fetched: Fetched) -> dict[str, Any]:
    """The members of a Summary."""
    message = letters.parsed(fetched.raw)
    return {
        "id": fetched.id,
        "sender": letters.header(message, "From"),
        "to": letters.addressed(message, "To")[:20],
        "subject": letters.header(message, "Subject"),
        "date": letters.header(message, "Date"),
        "size": fetched.size,
        "unread": "\\Seen" not in fetched.flags,
        "flagged": "\\Flagged" in fetched.flags,
    }


def attachment(number: int, part: EmailMessage) -> Attachment:
    """What is told of an attachment; its name has no folder."""
    name = (letters.filename(part)).replace("\\", "/").rpartition("/")[2]
    return Attachment(
        number=number, name=name, media_type=part.get_content_type(), size=len(letters.data_of(part))
    )


def boxes(session: Session, *, counts: bool) -> list[Box]:
    """The mailboxes there are; how many letters each has is asked of the first hundred."""
    told = list[Box]()
    for number, box in enumerate(session.boxes()):
        can_hold = "\\Noselect" not in box.flags and "\\NonExistent" not in box.flags
        has = session.counts(box.name) if counts and can_hold and number < _MOST_COUNTED else (None, None)
        use = next((_USES[flag] for flag in box.flags if flag in _USES), None)
        told.append(Box(name=box.name, use=use, letters=has[0], unread=has[1]))
    return told


def put(session: Session, *, raw: bytes, use: str, usual: str, flags: str) -> Kept:
    """Put a letter into the mailbox of that use.

    Raises:
        NotFound: there is none.
    """
    to = session.special(use, usual)
    if not to:
        raise NotFound(
            f"there is no mailbox for {usual}", hint=f"make one that is called {usual.capitalize()}"
        )
    return Kept(id=session.append(to, raw, flags) or None, mailbox=to)


def delete(session: Session, *, mailbox: str, id: str, for_good: bool) -> Kept | None:
    """Throw a letter away, or delete it for good; where it is then."""
    trash = "" if for_good else session.special("\\Trash", "trash", "deleted items", "deleted messages")
    if not trash or trash == mailbox:
        session.size(id)
        session.remove(id)
        return None
    return Kept(id=session.move(id, trash) or None, mailbox=trash)


def day(said: str) -> str:
    """A day as IMAP has it."""
    found = date.fromisoformat(said)
    return f"{found.day}-{_MONTHS[found.month - 1]}-{found.year}"


def prefixed(word: str, subject: str) -> str:
    """A subject with Re or Fwd before it, once."""
    return subject if subject.casefold().startswith(f"{word.casefold()}:") else f"{word}: {subject}"
