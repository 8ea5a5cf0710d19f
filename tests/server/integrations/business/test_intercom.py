"""Intercom: how a search asks, goes on within its body, and what a ticket is made of."""

import json
from typing import Any

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.business.intercom import Intercom


async def asked(says: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=says)) as service:
        intercom = Intercom(Intercom.Config(base_url=service.url, token=SecretStr("t")))
        try:
            return await intercom.execute(operation, given), service.asked[-1]
        finally:
            await intercom.cleanup()


async def test_a_search_goes_on_within_its_body() -> None:
    found = {"data": [{"id": "7", "email": "ann@example.com"}], "pages": {"next": {"starting_after": "abc"}}}
    told, request = await asked(found, "search_contacts", value="ann", size=1)
    query = {"field": "email", "operator": "~", "value": "ann"}
    assert json.loads(request.body) == {"query": query, "pagination": {"per_page": 1}}
    assert (told["items"][0]["email"], told["next_cursor"]) == ("ann@example.com", "abc")
    _, request = await asked({"data": []}, "search_contacts", value="ann", size=1, cursor="abc")
    assert json.loads(request.body)["pagination"] == {"per_page": 1, "starting_after": "abc"}


async def test_a_conversation_is_read_with_what_was_said() -> None:
    part = {"author": {"name": "Bob"}, "body": "Try again", "created_at": 2}
    body = {
        "id": "1",
        "source": {"body": "It is broken"},
        "conversation_parts": {"conversation_parts": [part]},
    }
    told, _ = await asked(body, "get_conversation", conversation="1")
    assert told["first"] == "It is broken"
    assert told["parts"] == [{"author": "Bob", "body": "Try again", "created_at": 2}]


async def test_a_conversation_and_a_ticket_are_a_contacts() -> None:
    _, request = await asked({"id": "1"}, "create_conversation", contact="5f", body="Hello")
    assert json.loads(request.body) == {"from": {"type": "user", "id": "5f"}, "body": "Hello"}
    _, request = await asked({"id": "2"}, "create_ticket", type="9", contact="5f", title="Broken")
    assert json.loads(request.body) == {
        "ticket_type_id": "9",
        "contacts": [{"id": "5f"}],
        "ticket_attributes": {"_default_title_": "Broken"},
    }
