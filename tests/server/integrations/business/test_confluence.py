"""Confluence: how a page is written, and that what changed in between is not overwritten."""

import json
from typing import Any

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.business.confluence import Confluence


async def asked(body: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=body)) as service:
        config = Confluence.Config(base_url=service.url, email="a@example.com", token=SecretStr("token"))
        confluence = Confluence(config)
        try:
            return await confluence.execute(operation, given), service.asked[-1]
        finally:
            await confluence.cleanup()


async def test_pages_go_on_where_the_answer_says() -> None:
    body = {"results": [{"id": "7"}], "_links": {"next": "/wiki/api/v2/pages?cursor=abc&limit=1"}}
    page, _ = await asked(body, "list_pages", space_id=5, limit=1)
    assert (page["items"][0]["id"], page["next_cursor"]) == ("7", "cursor=abc&limit=1")
    page, request = await asked({"results": []}, "list_pages", space_id=5, cursor="cursor=abc&limit=1")
    assert request.query["cursor"] == "abc"
    assert "next_cursor" not in page


async def test_a_page_is_written_over_the_version_that_was_read() -> None:
    _, request = await asked({"id": "7"}, "update_page", id=7, title="Plan", text="<p>a</p>", version=3)
    assert (request.method, request.path) == ("PUT", "/wiki/api/v2/pages/7")
    assert json.loads(request.body) == {
        "id": "7",
        "status": "current",
        "title": "Plan",
        "body": {"representation": "storage", "value": "<p>a</p>"},
        "version": {"number": 4, "message": ""},
    }


async def test_a_page_stands_below_another_where_that_is_said() -> None:
    _, request = await asked({"id": "8"}, "create_page", space_id=5, title="Sub", text="<p>a</p>", parent=7)
    assert json.loads(request.body)["parentId"] == "7"
