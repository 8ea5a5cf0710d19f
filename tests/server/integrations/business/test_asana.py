"""Asana: what it wraps into data is wrapped and unwrapped, and a list goes on by its offset."""

import json
from typing import Any

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.business.asana import Asana

TASK = {"gid": "7", "name": "Order chairs", "completed": False, "assignee": {"gid": "1", "name": "Ann"}}


async def asked(body: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=body)) as service:
        asana = Asana(Asana.Config(base_url=service.url, token=SecretStr("t")))
        try:
            return await asana.execute(operation, given), service.asked[-1]
        finally:
            await asana.cleanup()


async def test_a_task_is_made_within_data() -> None:
    told, request = await asked({"data": TASK}, "create_task", name="Order chairs", projects=["5"])
    assert json.loads(request.body) == {"data": {"name": "Order chairs", "projects": ["5"]}}
    assert told == {"gid": "7", "name": "Order chairs", "completed": False, "assignee": "Ann"}


async def test_tasks_that_nobody_has_are_listed_page_by_page() -> None:
    body = {"data": [{**TASK, "assignee": None}], "next_page": {"offset": "abc"}}
    told, _ = await asked(body, "list_tasks", project="5")
    assert "assignee" not in told["items"][0]
    told, request = await asked({"data": [], "next_page": None}, "list_tasks", project="5", cursor="abc")
    assert (request.query["offset"], told) == ("abc", {"items": []})


async def test_a_person_is_searched_for_by_the_name_that_asana_has_for_it() -> None:
    _, request = await asked({"data": []}, "search_tasks", workspace="1", text="lease", assignee="me")
    assert (request.path, request.query["assignee.any"]) == ("/workspaces/1/tasks/search", "me")
