"""E-mail by real servers: dovecot and aiosmtpd, over TLS."""

import base64
import os
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from pydantic import SecretStr

from support import mailservers
from support.foreign import Says, serving
from support.mailservers import DOVECOT, PASSWORD, PYTHON, TOKEN, MailServers
from wand_proto.errors import (
    Ambiguous,
    Conflict,
    Denied,
    Exhausted,
    Invalid,
    NotFound,
    Unavailable,
    WandError,
)
from wand_server.integrations.chat.email import Mail

ANN = "ann@mail.example"
BOB = "bob@mail.example"

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        DOVECOT is None or os.geteuid() != 0, reason="dovecot is not installed, or not for us"
    ),
    pytest.mark.skipif(not PYTHON.exists(), reason="aiosmtpd is not installed: ./dev services"),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    with mailservers.running() as started:
        yield started


def mail(servers: MailServers, **more: Any) -> Mail:
    usual = {
        "address": ANN, "username": "ann", "password": SecretStr(PASSWORD), "private_hosts": ("localhost",),
        "smtp_host": "localhost", "smtp_port": servers.smtp_tls, "imap_host": "localhost",
        "imap_port": servers.imap_tls, "certificate_authority": SecretStr(servers.authority),
    }  # fmt: skip
    return Mail(Mail.Config(**{**usual, **more}))


async def call(service: Mail, name: str, **given: Any) -> Any:
    return await service.execute(name, given)


async def newest(service: Mail, **given: Any) -> dict[str, Any]:
    return dict((await call(service, "search_emails", **given))["items"][0])


@pytest.fixture
async def ann(servers: MailServers) -> AsyncIterator[Mail]:
    service = mail(servers, keep_sent=True)
    await service.initialize()
    yield service
    await service.cleanup()


async def test_a_letter_arrives_as_it_was_written(ann: Mail) -> None:
    text = "Grüße aus Köln 🎉\n.\n.. zwei Punkte\nFrom the start\n" + "x" * 2000
    files = [
        {"text": "für Bob", "name": "ä b.txt"},
        {"base64": base64.b64encode(bytes(range(256))).decode(), "name": "all.bin"},
    ]
    sent = await call(
        ann, "send_email", to=[ANN], cc=[BOB], subject="Grüße: 日本", text=text, attachments=files,
        html="<p>Hi</p>",
    )  # fmt: skip
    assert sent["refused"] == {}
    head = await newest(ann, subject="日本", sender="ann", since="2020-01-01", unread=True)
    read = await call(ann, "read_email", id=head["id"])
    assert (read["subject"], read["to"], read["cc"], read["unread"]) == ("Grüße: 日本", [ANN], [BOB], True)
    assert read["text"].rstrip("\n") == text
    assert read["message_id"] == sent["message_id"]
    assert [(one["name"], one["size"]) for one in read["attachments"]] == [("ä b.txt", 8), ("all.bin", 256)]
    assert (await call(ann, "get_attachment", id=head["id"]))["text"] == "für Bob"
    second = await call(ann, "get_attachment", id=head["id"], number=2)
    assert base64.b64decode(second["base64"]) == bytes(range(256))
    with pytest.raises(NotFound, match="no attachment 3"):
        await call(ann, "get_attachment", id=head["id"], number=3)
    assert (await newest(ann, mailbox="Sent"))["id"] == sent["kept_as"]


async def test_an_answer_belongs_to_its_thread_and_a_letter_goes_on_whole(ann: Mail) -> None:
    await call(ann, "send_email", to=[ANN, BOB], subject="lunch?", text="at one")
    first = await newest(ann, subject="lunch")
    await call(ann, "reply_email", id=first["id"], text="yes", all=True)
    answer = await call(ann, "read_email", id=(await newest(ann, subject="Re: lunch"))["id"])
    assert (answer["to"], answer["cc"]) == ([ANN], [BOB])
    assert answer["text"].startswith("yes\n")
    assert "> at one" in answer["text"]
    await call(ann, "forward_email", id=first["id"], to=[ANN], text="fyi")
    on = await newest(ann, subject="Fwd: lunch")
    assert (await call(ann, "read_email", id=on["id"]))["attachments"][0]["name"] == "lunch?.eml"
    assert "at one" in (await call(ann, "get_attachment", id=on["id"]))["text"]


async def test_a_letter_is_marked_filed_and_thrown_away(ann: Mail) -> None:
    await call(ann, "send_email", to=[ANN], subject="to file", text="a")
    head = await newest(ann, subject="to file")
    await call(ann, "mark_email", ids=[head["id"]], read=True, flagged=True)
    assert (await newest(ann, flagged=True))["id"] == head["id"]
    filed = await call(ann, "move_email", id=head["id"], to="Bücher & Co")
    there = await newest(ann, mailbox="Bücher & Co")
    assert (there["id"], there["subject"]) == (filed["id"], "to file")
    thrown = await call(ann, "delete_email", id=filed["id"], mailbox="Bücher & Co")
    assert thrown["mailbox"] == "Trash"
    await call(ann, "delete_email", id=thrown["id"], mailbox="Trash")
    with pytest.raises(NotFound, match="no letter of that id"):
        await call(ann, "read_email", id=thrown["id"], mailbox="Trash")


async def test_a_draft_waits_with_whom_it_is_for(ann: Mail) -> None:
    kept = await call(ann, "append_draft", to=[BOB], subject="later", text="not yet")
    assert kept["mailbox"] == "Drafts"
    read = await call(ann, "read_email", id=kept["id"], mailbox="Drafts")
    assert (read["to"], read["text"].strip()) == ([BOB], "not yet")
    uses = {one.get("use"): one for one in await call(ann, "list_mailboxes", counts=True)}
    assert uses["drafts"]["letters"] >= 1
    assert "Bücher & Co" in {one["name"] for one in await call(ann, "list_mailboxes")}


async def test_long_lists_come_in_pages_the_newest_first(ann: Mail) -> None:
    for number in range(5):
        await call(ann, "send_email", to=[ANN], subject=f"page {number}", text="a")
    seen, cursor = list[str](), None
    while cursor is not None or not seen:
        page = await call(ann, "search_emails", subject="page ", limit=2, cursor=cursor)
        seen += [one["subject"] for one in page["items"]]
        cursor = page.get("next_cursor")
    assert seen == [f"page {number}" for number in reversed(range(5))]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"subject": "a\r\nBcc: eve@evil.example"}, "subject"),
        ({"subject": "a\nb"}, "subject"),
        ({"to": ["ann@mail.example\r\nRCPT TO:<eve@evil.example>"]}, "to"),
        ({"to": ["ann@mail.example, eve@evil.example"]}, "to"),
        ({"to": ["<ann@mail.example>"]}, "to"),
        ({"attachments": [{"text": "a", "name": "a\r\nX-Evil: 1"}]}, "name"),
        ({"attachments": [{"base64": "AA==" * 8_000_000, "name": "a"}]}, "attachments"),
    ],
)
async def test_what_would_be_no_letter_or_another_one_is_refused(
    ann: Mail, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await call(ann, "send_email", **{"to": [ANN], "subject": "a", "text": "b", **more})
    assert said in (caught.value.field or "")


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("read_email", {"id": "1.1", "mailbox": 'INBOX"\r\nA1 LOGOUT'}),
        ("search_emails", {"words": 'a"\r\nA1 DELETE INBOX'}),
        ("read_email", {"id": "1 LOGOUT"}),
    ],
)
async def test_nothing_said_becomes_a_command_of_imap(ann: Mail, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await call(ann, name, **given)


async def test_words_with_quotes_are_words(ann: Mail) -> None:
    await call(ann, "send_email", to=[ANN], subject='say "hi" \\ there', text="b")
    assert (await newest(ann, subject='"hi" \\'))["subject"] == 'say "hi" \\ there'


async def test_a_hostile_letter_is_read_and_answered_without_harm(ann: Mail, servers: MailServers) -> None:
    servers.put(
        b"From: =?utf-8?q?Eve=0D=0ABcc=3A_x=40evil.example?= <bob@mail.example>\r\n"
        b"Subject: =?utf-8?q?odd=0D=0AX-Evil=3A_1?=\r\nDate: no date\r\nMessage-ID: <1@evil.example>\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/html; charset=nonsense\r\n\r\n"
        b"<script>bad()</script><p>one<br>two\r\n--b\r\nContent-Type: application/x\r\n"
        b'Content-Disposition: attachment; filename="../../etc/passwd"\r\n\r\nx\r\n--b--\r\n'
    )
    head = await newest(ann, subject="odd")
    read = await call(ann, "read_email", id=head["id"])
    assert (read["subject"], read["text"]) == ("odd X-Evil: 1", "one\ntwo")
    assert read["attachments"][0]["name"] == "passwd"
    await call(ann, "reply_email", id=head["id"], text="no")
    copy = (await newest(ann, mailbox="Sent"))["id"]
    sent = await call(ann, "read_email", id=copy, mailbox="Sent")
    assert (sent["subject"], sent["to"]) == ("Re: odd X-Evil: 1", [BOB])


async def test_an_id_of_before_finds_no_other_letter(ann: Mail) -> None:
    with pytest.raises(Conflict, match="search again"):
        await call(ann, "delete_email", id="1.1", for_good=True)


async def test_whom_the_server_does_not_know_is_told(ann: Mail) -> None:
    sent = await call(ann, "send_email", to=[ANN, "who@mail.example"], subject="some", text="a")
    assert "no such person" in sent["refused"]["who@mail.example"]
    with pytest.raises(Invalid, match="no such person"):
        await call(ann, "send_email", to=["who@mail.example"], subject="none", text="a")


async def test_a_letter_too_large_for_the_server_is_told_so(ann: Mail) -> None:
    large = {"base64": base64.b64encode(bytes(3 * 1024 * 1024)).decode(), "name": "large"}
    with pytest.raises(Exhausted, match="too large"):
        await call(ann, "send_email", to=[ANN], subject="large", text="a", attachments=[large])


async def test_a_letter_too_large_to_read_is_refused_before_it_comes(ann: Mail, servers: MailServers) -> None:
    message = EmailMessage()
    message["Subject"] = "huge"
    message.set_content(bytes(26 * 1024 * 1024), "application", "x", cte="base64")
    servers.put(message.as_bytes())
    with pytest.raises(Exhausted, match="at most"):
        await call(ann, "read_email", id=(await newest(ann, subject="huge"))["id"])


async def test_when_the_answer_to_a_letter_gets_lost_nobody_claims_to_know(ann: Mail) -> None:
    with pytest.raises(Ambiguous, match="may have been done"):
        await call(ann, "send_email", to=["lost@mail.example"], subject="lost", text="a")


async def test_starttls_is_as_good(servers: MailServers) -> None:
    ports = {"smtp_port": servers.smtp_starttls, "imap_port": servers.imap_starttls}
    service = mail(servers, smtp_security="starttls", imap_security="starttls", **ports)
    await service.initialize()
    await service.health_check()
    await call(service, "send_email", to=[ANN], subject="by starttls", text="a")
    assert (await newest(service, subject="by starttls"))["unread"]
    await service.cleanup()


async def test_a_token_that_was_fetched_opens_both(servers: MailServers) -> None:
    async with serving(Says(body={"access_token": TOKEN, "expires_in": 600})) as provider:
        service = mail(
            servers, password=None, client_id="app", client_secret=SecretStr("secret-of-app"),
            refresh_token=SecretStr("refresh-of-ann"), token_url=f"{provider.url}/token",
            username=ANN, private_hosts=("localhost", "127.0.0.1"),
        )  # fmt: skip
        await call(service, "send_email", to=[ANN], subject="by token", text="a")
        assert (await newest(service, subject="by token"))["unread"]
        assert "refresh_token=refresh-of-ann" in provider.asked[0].body
        assert len(provider.asked) == 1
        await service.cleanup()


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"password": SecretStr("wrong password")}, Denied, "does not let us in"),
        ({"certificate_authority": None}, Unavailable, "certificate of localhost"),
        ({"private_hosts": ()}, Unavailable, "public"),
        ({"smtp_host": "127.0.0.1", "imap_host": "127.0.0.1"}, Unavailable, "public"),
        ({"smtp_port": 1, "imap_port": 1}, Unavailable, "refused"),
    ],
)
async def test_who_cannot_be_reached_or_trusted_gets_no_password(
    servers: MailServers, more: dict[str, Any], kind: type[WandError], said: str
) -> None:
    service = mail(servers, **more)
    await service.initialize()
    for name, given in (("send_email", {"to": [ANN], "subject": "a", "text": "b"}), ("list_mailboxes", {})):
        with pytest.raises(kind, match=said) as caught:
            await call(service, name, **given)
        assert "wrong password" not in f"{caught.value} {caught.value.hint}"
    await service.cleanup()


async def test_nothing_goes_in_clear_to_a_host_that_is_not_ours(servers: MailServers) -> None:
    service = mail(servers, smtp_host="smtp.example.com", smtp_security="none")
    with pytest.raises(Invalid, match="in clear"):
        await service.initialize()
    await service.cleanup()


async def test_without_imap_letters_are_sent_alone(servers: MailServers) -> None:
    service = mail(servers, imap_host="")
    await service.health_check()
    with pytest.raises(Invalid, match="imap_host"):
        await call(service, "search_emails")
    await service.cleanup()
