"""E-mail: sent by SMTP, read by IMAP, at any provider."""

from collections.abc import Callable, Sequence
from email.headerregistry import Address
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import Field, SecretStr

from wand_proto.errors import Invalid, NotFound, WandError
from wand_server.integrations.chat.email.link import Link, Security, Server
from wand_server.integrations.chat.email.mailbox import Fetched, Session
from wand_server.integrations.chat.email.sending import Credential, Letter, deliver, look
from wand_server.integrations.chat.email.told import (
    KEYS,
    MARKS,
    Box,
    Delivered,
    Kept,
    Read,
    Summary,
    attachment,
    boxes,
    day,
    delete,
    prefixed,
    put,
    summary,
)
from wand_server.integrations.kit import (
    BaseIntegration,
    Content,
    Date,
    Download,
    Email,
    OAuth2,
    Page,
    Request,
    Settings,
    letters,
    operation,
)
from wand_server.integrations.kit.content import SaveAs, kept
from wand_server.integrations.kit.http import Address as WebAddress
from wand_server.integrations.kit.http import Client
from wand_server.integrations.kit.letters import Written
from wand_server.integrations.kit.paging import NextCursor
from wand_server.integrations.kit.signin import secret

Given = TypeVar("Given")
Mailbox = Annotated[str, Field(description="from list_mailboxes")]
LetterId = Annotated[str, Field(description="from search_emails, in that mailbox")]
People = Annotated[list[Email], Field(min_length=1, max_length=100)]
Others = Annotated[list[Email] | None, Field(max_length=100)]
Subject = Annotated[str, Field(max_length=900)]
Text = Annotated[str, Field(max_length=1_000_000)]
Files = Annotated[list[Content] | None, Field(max_length=20)]


class Mail(BaseIntegration):
    """One person's e-mail, or a role's."""

    class Config(Settings):
        """Which servers, and who signs in there."""

        address: Email = Field(description="whom letters are from")
        display_name: str = Field(default="", description="of the sender, beside the address")
        username: str = Field(default="", description="to sign in with, if not the address")
        password: SecretStr | None = Field(default=None, description="or one for this application alone")
        client_id: str = Field(
            default="", description="with refresh_token, where there is no password: XOAUTH2"
        )
        client_secret: SecretStr | None = None
        refresh_token: SecretStr | None = None
        token_url: str = Field(default="", description="such as https://oauth2.googleapis.com/token")
        smtp_host: str = Field(description="where letters are sent from")
        smtp_port: int = Field(default=465, description="465, or 587 where TLS begins later")
        smtp_security: Security = Field(
            default="tls", description="tls, starttls (usual at port 587) or none"
        )
        imap_host: str = Field(default="", description="left out: letters can be sent, and not read")
        imap_port: int = Field(default=993, description="of imap_host")
        imap_security: Security = Field(
            default="tls", description="tls, starttls (usual at port 143) or none"
        )
        certificate_authority: SecretStr | None = Field(
            default=None, description="file:/PATH of certificates that are believed beside the system's"
        )
        keep_sent: bool = Field(
            default=False,
            description="put what is sent into the mailbox for that; some providers do so themselves",
        )
        private_hosts: tuple[str, ...] = Field(
            default=(), description="which of the hosts may be in our own networks"
        )

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._link = Link(self.strike)
        self._web = Client(WebAddress(base_url=config.token_url, hosts=config.private_hosts), self.strike)
        way = OAuth2(token_url="{token_url}", grant="refresh_token")  # noqa: S106 - no secret
        self._tokens = way.signer(config, self._web.once, self.strike) if config.refresh_token else None

    async def initialize(self) -> None:
        self._smtp.check("smtp_security")
        if self.config.imap_host:
            self._imap.check("imap_security")

    async def cleanup(self) -> None:
        await self._web.close()

    async def health_check(self) -> None:
        credential = await self._credential()
        await self._link.run(self._smtp, partial(look, self._smtp, credential, self.config.address))
        if self.config.imap_host:
            await self._at(lambda session: session.open("INBOX"))

    @operation()
    async def send_email(
        self,
        to: People,
        subject: Subject,
        text: Text,
        html: Annotated[Text | None, Field(description="the same as HTML, for those who show that")] = None,
        cc: Others = None,
        bcc: Others = None,
        reply_to: Email | None = None,
        attachments: Files = None,
    ) -> Delivered:
        """Send an e-mail to people, with attachments if need be."""
        parts = [await one.part("attachments") for one in attachments or ()]
        return await self._send(
            self._written(to, subject, text, html=html or "", cc=cc or (), bcc=bcc or (),
                          reply_to=reply_to or "", attached=parts)
        )  # fmt: skip

    @operation()
    async def reply_email(
        self,
        id: LetterId,
        text: Text,
        mailbox: Mailbox = "INBOX",
        all: Annotated[bool, Field(description="to everybody who got it")] = False,  # noqa: FBT002
        attachments: Files = None,
    ) -> Delivered:
        """Reply to an e-mail: answer its sender, or everybody who got it."""
        parts = [await one.part("attachments") for one in attachments or ()]
        got = letters.parsed((await self._fetched(mailbox, id)).raw)
        sender = letters.addressed(got, "Reply-To") or letters.addressed(got, "From")
        if not sender:
            raise Invalid("names no sender to whom one could reply", field="id")
        known = {self.config.address.casefold(), *map(str.casefold, sender)}
        others = [*letters.addressed(got, "To"), *letters.addressed(got, "Cc")] if all else []
        written = self._written(
            sender,
            prefixed("Re", letters.header(got, "Subject")),
            text + letters.quoted(got),
            cc=[one for one in dict.fromkeys(others) if one.casefold() not in known],
            answers=letters.header(got, "Message-ID"),
            thread=letters.header(got, "References"),
            attached=parts,
        )
        sent = await self._send(written)
        try:
            await self._at(lambda session: session.mark([id], "\\Answered", on=True), mailbox, change=True)
        except WandError as why:  # it has gone out, and an error would have it sent again
            return sent.model_copy(update={"remark": f"not marked as answered: {why.message}"})
        return sent

    @operation()
    async def forward_email(
        self, id: LetterId, to: People, text: Text = "", mailbox: Mailbox = "INBOX"
    ) -> Delivered:
        """Forward an e-mail to somebody else, whole, with its attachments."""
        raw = (await self._fetched(mailbox, id)).raw
        subject = prefixed("Fwd", letters.header(letters.parsed(raw), "Subject"))
        return await self._send(self._written(to, subject, text, forwarded=raw))

    @operation(read_only=True)
    async def list_mailboxes(
        self,
        counts: Annotated[bool, Field(description="tell how many letters each has, how many unread")] = False,  # noqa: FBT002
    ) -> list[Box]:
        """List the mailboxes and folders, and how many unread e-mails there are."""
        return await self._at(partial(boxes, counts=counts))

    @operation(read_only=True)
    async def search_emails(
        self,
        mailbox: Mailbox = "INBOX",
        words: Annotated[str | None, Field(description="anywhere in it")] = None,
        sender: Annotated[str | None, Field(description="a part of the name or the address")] = None,
        to: str | None = None,
        subject: Annotated[str | None, Field(description="a part of it")] = None,
        since: Date | None = None,
        before: Date | None = None,
        unread: bool | None = None,  # noqa: FBT001
        flagged: bool | None = None,  # noqa: FBT001
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
        cursor: NextCursor = None,
    ) -> Page[Summary]:
        """Find e-mails by sender, subject, words or date; or list the newest or unread ones of an inbox."""
        said = {"words": words, "sender": sender, "to": to, "subject": subject}
        conditions = [(KEYS[name], letters.one_line(word, name)) for name, word in said.items() if word]
        days = {"SINCE": since, "BEFORE": before}
        conditions += [(f"{name} {day(said)}", "") for name, said in days.items() if said]
        conditions += [(("UNSEEN" if unread else "SEEN"), "")] if unread is not None else []
        conditions += [(("FLAGGED" if flagged else "UNFLAGGED"), "")] if flagged is not None else []

        def work(session: Session) -> tuple[list[Fetched], str | None]:
            ids = session.search(conditions, cursor or "")
            heads = session.heads(ids[:limit])
            return heads, ids[limit - 1] if len(ids) > limit else None

        heads, following = await self._at(work, mailbox)
        return Page[Summary](items=tuple(Summary(**summary(one)) for one in heads), next_cursor=following)

    @operation(read_only=True)
    async def read_email(
        self,
        id: LetterId,
        mailbox: Mailbox = "INBOX",
        most_characters: Annotated[int, Field(ge=100, le=200_000)] = 20_000,
    ) -> Read:
        """Read an e-mail: its text, and which attachments it has; it stays unread."""
        fetched = await self._fetched(mailbox, id)
        message = letters.parsed(fetched.raw)
        text = letters.text_of(message)
        return Read(
            **summary(fetched),
            cc=letters.addressed(message, "Cc"),
            reply_to=letters.addressed(message, "Reply-To"),
            message_id=letters.header(message, "Message-ID"),
            text=text[:most_characters],
            is_cut=len(text) > most_characters,
            attachments=[attachment(*one) for one in enumerate(letters.attached(message), 1)],
        )

    @operation(read_only=True)
    async def get_attachment(
        self,
        id: LetterId,
        number: Annotated[int, Field(ge=1, description="from read_email")] = 1,
        mailbox: Mailbox = "INBOX",
        save_as: SaveAs = None,
    ) -> Download:
        """Get an attachment of an e-mail, or keep it in the workspace."""
        there = letters.attached(letters.parsed((await self._fetched(mailbox, id)).raw))
        if number > len(there):
            hint = f"it has {len(there)} attachments"
            raise NotFound(f"there is no attachment {number}", hint=hint, field="number")
        about = attachment(number, there[number - 1])
        got = await kept(letters.data_of(there[number - 1]), about.media_type, save_as)
        return got.model_copy(update={"name": about.name})

    @operation()
    async def move_email(self, id: LetterId, to: Mailbox, mailbox: Mailbox = "INBOX") -> Kept:
        """Move an e-mail to another mailbox: file it, archive it."""
        moved = await self._at(lambda session: session.move(id, to), mailbox, change=True)
        return Kept(id=moved or None, mailbox=to)

    @operation(idempotent=True)
    async def mark_email(
        self,
        ids: Annotated[list[LetterId], Field(min_length=1, max_length=500)],
        mailbox: Mailbox = "INBOX",
        read: bool | None = None,  # noqa: FBT001
        flagged: bool | None = None,  # noqa: FBT001
        answered: bool | None = None,  # noqa: FBT001
    ) -> None:
        """Mark e-mails as read or unread, flagged (starred) or answered."""
        wanted = {"read": read, "flagged": flagged, "answered": answered}
        if all(one is None for one in wanted.values()):
            raise Invalid("says nothing to mark", hint="give read, flagged or answered", field="read")

        def work(session: Session) -> None:
            for name, on in wanted.items():
                if on is not None:
                    session.mark(ids, MARKS[name], on=on)

        await self._at(work, mailbox, change=True)

    @operation(destructive=True)
    async def delete_email(
        self,
        id: LetterId,
        mailbox: Mailbox = "INBOX",
        for_good: Annotated[bool, Field(description="not into the mailbox for what is thrown away")] = False,  # noqa: FBT002
    ) -> Kept | None:
        """Delete an e-mail: throw it into the trash, or delete it for good."""
        return await self._at(
            partial(delete, mailbox=mailbox, id=id, for_good=for_good), mailbox, change=True
        )

    @operation()
    async def append_draft(
        self,
        subject: Subject,
        text: Text,
        to: Others = None,
        cc: Others = None,
        bcc: Others = None,
        attachments: Files = None,
    ) -> Kept:
        """Save a draft of an e-mail, for a person to read, change and send."""
        parts = [await one.part("attachments") for one in attachments or ()]
        written = self._written(to or (), subject, text, cc=cc or (), bcc=bcc or (), attached=parts)
        raw = letters.compose(written, with_bcc=True).as_bytes()
        return await self._at(partial(put, raw=raw, use="\\Drafts", usual="drafts", flags="\\Draft \\Seen"))

    def _written(self, to: Sequence[str], subject: str, text: str, **more: Any) -> Written:
        name = letters.one_line(self.config.display_name, "display_name")
        sender = Address(display_name=name, addr_spec=self.config.address)
        return Written(sender=sender, to=to, subject=subject, text=text, **more)

    async def _send(self, written: Written) -> Delivered:
        message = letters.compose(written)
        letter = Letter(message=message, sender=self.config.address, to=written.recipients)
        work = partial(deliver, self._smtp, await self._credential(), letter)
        refused = await self._link.run(self._smtp, work)
        told = Delivered(message_id=str(message["Message-ID"]), refused=refused)
        if not (self.config.keep_sent and self.config.imap_host):
            return told
        keep = partial(put, raw=message.as_bytes(), use="\\Sent", usual="sent", flags="\\Seen")
        try:
            return told.model_copy(update={"kept_as": (await self._at(keep)).id})
        except WandError as why:  # it has gone out, and an error would have it sent again
            return told.model_copy(update={"remark": f"no copy was kept: {why.message}"})

    async def _fetched(self, mailbox: str, id: str) -> Fetched:
        return await self._at(lambda session: session.letter(id), mailbox)

    async def _at(
        self, work: Callable[[Session], Given], mailbox: str = "", *, change: bool = False
    ) -> Given:
        """What is done in a session, in that mailbox if one is named."""
        if not self.config.imap_host:
            raise Invalid(
                "letters cannot be read here", hint="the administrator sets imap_host", field="imap_host"
            )
        credential, server = await self._credential(), self._imap

        def in_session(connection: Any, progress: Any) -> Given:
            with Session(server, credential, connection, progress) as session:
                if mailbox:
                    session.open(mailbox, change=change)
                return work(session)

        return await self._link.run(server, in_session)

    async def _credential(self) -> Credential:
        token = Request(method="GET", path="/")
        if self._tokens is not None:
            await self._tokens.sign(token)
        return Credential(
            username=self.config.username or self.config.address,
            password=secret(self.config, "password"),
            token=token.headers.get("Authorization", "").removeprefix("Bearer "),
        )

    @property
    def _smtp(self) -> Server:
        config = self.config
        return self._server(config.smtp_host, config.smtp_port, config.smtp_security)

    @property
    def _imap(self) -> Server:
        config = self.config
        return self._server(config.imap_host, config.imap_port, config.imap_security)

    def _server(self, host: str, port: int, security: Security) -> Server:
        authority = secret(self.config, "certificate_authority")
        return Server(
            host=host,
            port=port,
            security=security,
            private_hosts=self.config.private_hosts,
            authority=authority,
        )
