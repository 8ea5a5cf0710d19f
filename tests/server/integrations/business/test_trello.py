"""Trello: key and token go with each request, and arguments under Trello's own names."""

import json

from pydantic import SecretStr

from support.foreign import Says, serving
from wand_server.integrations.business.trello import Trello

CARD = {"id": "c1", "name": "Login", "desc": "broken", "idList": "l2", "idMembers": ["m1"], "labels": []}


async def test_a_card_is_moved_and_archived() -> None:
    async with serving(Says(body=CARD)) as service:
        config = Trello.Config(base_url=service.url, api_key=SecretStr("k"), token=SecretStr("t"))
        trello = Trello(config)
        try:
            told = await trello.execute("update_card", {"card": "c1", "list": "l2", "closed": True})
        finally:
            await trello.cleanup()
    request = service.asked[-1]
    assert (request.method, request.path, request.query) == ("PUT", "/cards/c1", {"key": "k", "token": "t"})
    assert json.loads(request.body) == {"idList": "l2", "closed": "true"}
    assert told == {
        "id": "c1",
        "name": "Login",
        "description": "broken",
        "list_id": "l2",
        "people": ["m1"],
    }
