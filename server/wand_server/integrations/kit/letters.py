"""Letters: written from what a caller says, and read as text and attachments, whoever has sent them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, getaddresses, make_msgid
from html.parser import HTMLParser

from wand_proto.errors import Invalid
from wand_server.integrations.kit.multipart import Part

MOST_BYTES = 25 * 1024 * 1024  # of a letter; few servers take more
_ADDRESS = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+")
_SILENT = {"script", "style", "head", "title"}
_BREAKS = {"p", "br", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "table"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a letter says."""

    sender: Address | None = None  # none: the service says it, and when and as which letter
    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    reply_to: str = ""
    answers: str = ""  # the id of the message that it answers
    thread: str = ""  # ids of those before
    attached: Sequence[Part] = ()
    forwarded: bytes = b""  # a letter that is in this one

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody whom it goes to, each once."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.bcc)))


def compose(written: Written, *, with_bcc: bool = False) -> EmailMessage:
    """The letter as it is sent; Bcc only stands in drafts.

    Raises:
        Invalid: a header would hold a line break, an address is none, or it is too large.
    """
    message = EmailMessage(policy=policy.SMTP)
    for name, value in _headers(written, with_bcc=with_bcc):
        if value:
            message[name] = value
    message.set_content(written.text)
    if written.html:
        message.add_alternative(written.html, subtype="html")
    for part in written.attached:
        main, _, sub = part.media_type.partition(";")[0].strip().partition("/")
        params = {"charset": "utf-8"} if "charset=utf-8" in part.media_type.lower() else {}
        name = one_line(part.name, "name") or "attachment"
        message.add_attachment(part.data, main, sub, filename=name, params=params)
    if written.forwarded:
        message.add_attachment(parsed(written.forwarded))
    if len(message.as_bytes()) > MOST_BYTES:
        raise Invalid(f"must have at most {MOST_BYTES // 1024 // 1024} MiB in all", field="attachments")
    return message


def _headers(written: Written, *, with_bcc: bool) -> Iterator[tuple[str, object]]:
    yield "From", written.sender or ""
    yield "To", addresses(written.to, "to")
    yield "Cc", addresses(written.cc, "cc")
    if with_bcc:
        yield "Bcc", addresses(written.bcc, "bcc")
    yield "Reply-To", addresses([written.reply_to] if written.reply_to else [], "reply_to")
    yield "Subject", one_line(written.subject, "subject")
    if written.sender is not None:
        yield "Date", format_datetime(datetime.now(UTC))
        yield "Message-ID", make_msgid(domain=written.sender.domain)
    yield "In-Reply-To", written.answers
    yield "References", " ".join(filter(None, (written.thread, written.answers)))


def addresses(given: Iterable[str], field: str) -> tuple[Address, ...]:
    """Addresses, each nothing but one.

    Raises:
        Invalid: one is none; names it.
    """
    return tuple(_address(one, field) for one in given)


def _address(text: str, field: str) -> Address:
    try:
        return Address(addr_spec=text)
    except (ValueError, HeaderParseError, IndexError) as why:
        raise Invalid(f"{text!r:.80} is no e-mail address", field=field, hint="ann@example.com") from why


def one_line(text: str, field: str) -> str:
    """A text that is to stand in a header.

    Raises:
        Invalid: it would begin another header.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise Invalid("must be one line, without control characters", field=field)
    return text


def parsed(raw: bytes) -> EmailMessage:
    """A letter that came."""
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)


def header(message: EmailMessage, name: str) -> str:
    """A header as one line of text; empty where there is none, or none that can be read."""
    try:
        text = str(message.get(name, ""))
    except Exception:  # noqa: BLE001 - Python's parser of headers fails in many ways on what strangers send
        return ""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def addressed(message: EmailMessage, name: str) -> list[str]:
    """The addresses in a header, without names; those that cannot be read are left out."""
    raw = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
    found = (address for _, address in getaddresses(raw))
    return [one for one in found if _ADDRESS.fullmatch(one) and one.isprintable()]


def text_of(message: EmailMessage) -> str:
    """What a letter says, of HTML its text."""
    body = message.get_body(("plain", "html"))
    if body is None:
        return ""
    text = _content(body).replace("\r\n", "\n")  # type: ignore[arg-type] # of the message's own class
    return shown(text) if body.get_content_type() == "text/html" else text


def _content(part: EmailMessage) -> str:
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        raw = part.get_payload(decode=True)
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""


def attached(message: EmailMessage) -> list[EmailMessage]:
    """The parts of a letter that are no text of its own; one that is a letter itself is one part."""
    body = message.get_body(("plain", "html"))
    return [part for part in _leaves(message) if part is not body and _is_file(part)]


def _leaves(part: EmailMessage) -> Iterator[EmailMessage]:
    if part.get_content_maintype() == "multipart" and isinstance(inner := part.get_payload(), list):
        for one in inner:
            yield from _leaves(one)  # type: ignore[arg-type] # of the message's own class too
    else:
        yield part


def _is_file(part: EmailMessage) -> bool:
    return part.get_filename() is not None or part.get_content_maintype() != "text"


def filename(part: EmailMessage) -> str:
    """What an attachment is called, a letter by its subject; empty where that is not told."""
    try:
        name = part.get_filename() or _subject(part)
    except Exception:  # noqa: BLE001 - as above
        name = ""
    return " ".join("".join(one if one.isprintable() else " " for one in name).split())


def _subject(part: EmailMessage) -> str:
    inner = part.get_payload() if part.get_content_type() == "message/rfc822" else None
    subject = header(inner[0], "Subject") if isinstance(inner, list) and inner else ""  # type: ignore[arg-type]
    return f"{subject[:100].replace('/', ' ')}.eml" if subject else ""


def data_of(part: EmailMessage) -> bytes:
    """What an attachment holds."""
    if part.get_content_maintype() == "message" and isinstance(inner := part.get_payload(), list) and inner:
        return bytes(inner[0].as_bytes())  # type: ignore[union-attr]
    raw = part.get_payload(decode=True)
    return raw if isinstance(raw, bytes) else b""


class _Shown(HTMLParser):
    """Keeps the text of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.kept.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.kept.append(" ".join(data.split()) + (" " if data[-1:].isspace() else ""))


def shown(html: str) -> str:
    """The text of HTML."""
    reading = _Shown()
    reading.feed(html)
    reading.close()
    lines = ("".join(reading.kept)).split("\n")
    return "\n".join(filter(None, (line.strip() for line in lines)))


def quoted(message: EmailMessage) -> str:
    """What a letter said, as one quotes it below an answer."""
    said = "\n".join(f"> {line}" for line in text_of(message).splitlines()[:500])
    return f"\n\n{header(message, 'Date')}, {header(message, 'From')}:\n{said}\n"
