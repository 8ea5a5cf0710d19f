"""Mails as Gmail takes and gives them: whole, in base64, in parts."""

import base64
import json
from email import message_from_bytes, policy
from typing import Any

import pytest

from support.foreign import Asked, Says, serving
from wand_proto.errors import Invalid
from wand_server.integrations.chat.gmail import Gmail


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")  # as Gmail writes it


MAIL = {
    "id": "1",
    "threadId": "t",
    "labelIds": ["INBOX"],
    "snippet": "Good…",
    "payload": {
        "mimeType": "multipart/mixed",
        "headers": [{"name": "From", "value": "Ann <a@b.example>"}, {"name": "SUBJECT", "value": "Grüße"}],
        "parts": [
            {
                "mimeType": "multipart/alternative",
                "parts": [
                    {"mimeType": "text/html", "body": {"data": encoded(b"<p>x</p>")}},
                    {"mimeType": "text/plain", "body": {"data": encoded("Schöne Grüße".encode())}},
                ],
            },
            {"mimeType": "text/csv", "filename": "a.csv", "body": {"attachmentId": "A", "size": 3}},
        ],
    },
}


async def ask(name: str, given: dict[str, Any], answer: Says) -> tuple[Any, Asked]:
    async with serving(answer) as service:
        gmail = Gmail(
            Gmail.Config.model_validate({"base_url": service.url, "access_token": "ya29.of-a-test"})
        )
        try:
            return await gmail.execute(name, given), service.asked[0]
        finally:
            await gmail.cleanup()


async def test_a_mail_is_read_as_a_person_sees_it() -> None:
    mail, asked = await ask("get_message", {"message_id": "1"}, Says(body=MAIL))
    assert (mail["sender"], mail["subject"], mail["text"]) == ("Ann <a@b.example>", "Grüße", "Schöne Grüße")
    assert (mail["attachments"], mail["labels"]) == ([{"id": "A", "name": "a.csv", "size": 3}], ["INBOX"])
    assert asked.path == "/gmail/v1/users/me/messages/1"


async def test_a_thread_is_all_its_mails() -> None:
    mails, _ = await ask("get_thread", {"thread_id": "t"}, Says(body={"messages": [MAIL, MAIL]}))
    assert [each["text"] for each in mails] == ["Schöne Grüße"] * 2


async def test_a_mail_that_is_sent_can_be_read_by_others() -> None:
    given = {
        "to": ["a@b.example", "c@d.example"],
        "subject": "Grüße",
        "text": "Schöne Grüße",
        "html": "<p>Schöne Grüße</p>",
        "attachment": {"text": "a;b", "name": "a.csv"},
        "thread_id": "t",
    }
    _, asked = await ask("send_message", given, Says(body={"id": "2", "threadId": "t"}))
    body = json.loads(asked.body)
    sent = message_from_bytes(base64.urlsafe_b64decode(body["raw"]), policy=policy.default)
    assert (body["threadId"], sent["To"], sent["Subject"]) == ("t", "a@b.example, c@d.example", "Grüße")
    texts = {
        part.get_content_subtype(): part.get_content().strip()
        for part in sent.walk()
        if not part.is_multipart()
    }
    assert (texts["plain"], texts["html"]) == ("Schöne Grüße", "<p>Schöne Grüße</p>")
    (file,) = sent.iter_attachments()
    assert (file.get_filename(), file.get_content().strip()) == ("a.csv", "a;b")


async def test_nobody_adds_a_header_by_a_subject() -> None:
    given = {"to": ["a@b.example"], "subject": "Hi\r\nBcc: x@y.example", "text": "Hi"}
    for name, value in (
        ("subject", given["subject"]),
        ("to", ["a@b.example\r\nBcc: x@y.example"]),
        ("cc", ["a@b.example, x@y.example"]),
        ("attachment", {"text": "a", "name": "a\r\nBcc: x@y.example"}),
    ):
        with pytest.raises(Invalid, match=name if name != "attachment" else "name"):
            await ask("create_draft", {**given, "subject": "Hi", name: value}, Says(body={}))


async def test_whom_a_mail_goes_to_in_secret_stands_in_it_for_gmail_alone() -> None:
    given = {"to": ["a@b.example"], "bcc": ["x@y.example"], "subject": "Hi", "text": "Hi"}
    _, asked = await ask("send_message", given, Says(body={"id": "4"}))
    raw = json.loads(asked.body)["raw"]
    sent = message_from_bytes(base64.urlsafe_b64decode(raw), policy=policy.default)
    assert (sent["Bcc"], sent["From"], sent["Message-ID"]) == ("x@y.example", None, None)


async def test_an_attachment_is_a_file() -> None:
    said = Says(body={"size": 3, "data": encoded(b"a;b")})
    file, asked = await ask("get_attachment", {"message_id": "1", "attachment_id": "A"}, said)
    assert (file["text"], file["size"]) == ("a;b", 3)
    assert (asked.path, asked.query) == ("/gmail/v1/users/me/messages/1/attachments/A", {})
