"""A file goes to Slack in three steps: a place for it, the file, and where people see it.

As https://docs.slack.dev/messaging/working-with-files says.
"""

import json
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from wand_proto.errors import NotFound
from wand_server.integrations.chat.slack import Slack


async def test_a_file_is_uploaded_without_the_token_and_then_shared() -> None:
    async with serving() as storage, serving() as slack:
        place = {"ok": True, "upload_url": f"{storage.url}/upload/v1/abc", "file_id": "F1"}
        slack.answers = [Says(body=place), Says(body={"ok": True, "files": [{"id": "F1", "title": "a.csv"}]})]
        storage.answers = [Says(text="OK - 6")]
        hosts = ("127.0.0.1",)
        service = Slack(
            Slack.Config(base_url=slack.url, token=SecretStr("xoxb-of-a-test"), private_hosts=hosts)
        )
        await service.initialize()
        try:
            shared = await service.execute(
                "upload_file",
                {"channel": "C1", "content": {"text": "1;grün", "name": "a.csv"}, "comment": "as asked"},
            )
        finally:
            await service.cleanup()
    assert shared == [{"id": "F1", "title": "a.csv"}]
    asked, told = slack.asked
    assert parse_qs(asked.body) == {"filename": ["a.csv"], "length": ["7"]}
    (sent,) = storage.asked
    assert (sent.method, sent.path, sent.body) == ("POST", "/upload/v1/abc", "1;grün")
    assert "authorization" not in sent.headers
    assert json.loads(told.body) == {
        "files": [{"id": "F1", "title": "a.csv"}],
        "channel_id": "C1",
        "initial_comment": "as asked",
    }


async def test_a_place_that_refuses_ends_it_before_anybody_sees_something() -> None:
    async with serving(Says(status=404)) as storage, serving() as slack:
        slack.answers = [Says(body={"ok": True, "upload_url": f"{storage.url}/gone", "file_id": "F1"})]
        hosts = ("127.0.0.1",)
        service = Slack(
            Slack.Config(base_url=slack.url, token=SecretStr("xoxb-of-a-test"), private_hosts=hosts)
        )
        await service.initialize()
        try:
            with pytest.raises(NotFound):
                await service.execute("upload_file", {"channel": "C1", "content": {"text": "a"}})
        finally:
            await service.cleanup()
        assert len(slack.asked) == 1
