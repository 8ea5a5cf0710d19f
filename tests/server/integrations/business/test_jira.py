"""Jira: texts as Atlassian's documents and back, states by name, and nobody."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, Service, serving
from wand_proto.errors import NotFound
from wand_server.integrations.business.jira import Jira, document, plain

MOVES = {
    "transitions": [
        {"id": "11", "name": "Start work", "to": {"name": "In Progress"}},
        {"id": "31", "name": "Done", "to": {"name": "Closed"}},
    ]
}


def jira(service: Service) -> Jira:
    return Jira(
        Jira.Config(base_url=service.url, email="ann@example.com", token=SecretStr("token-of-a-test"))
    )


async def call(service: Service, name: str, **given: Any) -> Any:
    one = jira(service)
    try:
        return await one.execute(name, given)
    finally:
        await one.cleanup()


@pytest.mark.parametrize(
    "text", ["one line", "two\nlines", "a paragraph\n\nand Grüße 🎉\nto all", "a\n\n\n\nb"]
)
def test_a_text_comes_back_as_it_went(text: str) -> None:
    assert plain(document(text)) == text.replace("\n\n", "\n").replace("\n\n", "\n")


def test_of_a_document_the_text_is_told() -> None:
    item = {"type": "listItem", "content": [{"type": "text", "text": "first"}]}
    mention = {"type": "mention", "attrs": {"id": "5", "text": "@Ann"}}
    card = {"type": "inlineCard", "attrs": {"url": "https://a.example/1"}}
    there = [
        {"type": "bulletList", "content": [item, item]},
        {"type": "paragraph", "content": [mention, card]},
    ]
    assert plain({"type": "doc", "content": there}) == "first\nfirst\n@Annhttps://a.example/1"
    assert plain("a text of old") == "a text of old"
    assert plain(None) is None


@pytest.mark.parametrize("said", ["31", "done", "Closed"])
async def test_an_issue_is_moved_by_id_name_or_state(said: str) -> None:
    before = [] if said == "31" else [Says(body=MOVES)]
    async with serving(*before, Says(status=204)) as service:
        await call(service, "transition_issue", issue="OPS-1", transition=said, comment="shipped")
        sent = json.loads(service.asked[-1].body)
    assert sent["transition"] == {"id": "31"}
    assert plain(sent["update"]["comment"][0]["add"]["body"]) == "shipped"


async def test_a_state_that_cannot_be_reached_is_told_with_those_that_can() -> None:
    async with serving(Says(body=MOVES)) as service:
        with pytest.raises(NotFound) as caught:
            await call(service, "transition_issue", issue="OPS-1", transition="Blocked")
    assert caught.value.hint == "there are: Start work (11), Done (31)"


async def test_nobody_is_sent_as_null() -> None:
    async with serving(Says(status=204)) as service:
        await call(service, "assign_issue", issue="OPS-1", account_id="nobody")
        assert json.loads(service.asked[0].body) == {"accountId": None}


async def test_an_issue_shows_its_text_and_a_field_of_the_site() -> None:
    fields = {"summary": "it is slow", "description": document("very\n\nslow"), "customfield_10016": 5}
    async with serving(Says(body={"id": "1", "key": "OPS-1", "fields": fields})) as service:
        read = await call(service, "get_issue", issue="OPS-1", fields=["*all"])
    assert read["fields"]["description"] == "very\nslow"
    assert read["fields"]["customfield_10016"] == 5
