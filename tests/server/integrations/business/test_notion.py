"""Notion: blocks are read as text, whatever their type, and changed by their type."""

import json
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.business.notion import Notion


async def asked(body: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=body)) as service:
        notion = Notion(Notion.Config(base_url=service.url, token=SecretStr("token-of-a-test")))
        try:
            return await notion.execute(operation, given), service.asked[-1]
        finally:
            await notion.cleanup()


def rich(*spans: tuple[str, str | None]) -> list[dict[str, Any]]:
    looks = {"bold": False, "color": "default"}
    return [{"plain_text": words, "href": link, "annotations": looks} for words, link in spans]


@pytest.mark.parametrize(
    ("told", "text", "content"),
    [
        (
            {
                "type": "paragraph",
                "paragraph": {"rich_text": rich(("See ", None), ("it", "https://a.example"))},
            },
            "See [it](https://a.example)",
            {},
        ),
        (
            {"type": "to_do", "to_do": {"rich_text": rich(("Buy", None)), "checked": True}},
            "Buy",
            {"checked": True},
        ),
        ({"type": "heading_4", "heading_4": {"rich_text": rich(("New", None)), "color": "red"}}, "New", {}),
        ({"type": "table_row", "table_row": {"cells": [rich(("a", None)), rich(("b", None))]}}, "a | b", {}),
        ({"type": "child_page", "child_page": {"title": "Plan"}}, "Plan", {}),
        (
            {"type": "bookmark", "bookmark": {"url": "https://a.example", "caption": []}},
            "",
            {"url": "https://a.example"},
        ),
        ({"type": "divider", "divider": {}}, "", {}),
    ],
)
async def test_a_block_of_any_type_is_read(told: dict[str, Any], text: str, content: Any) -> None:
    page, _ = await asked({"results": [{"id": "b", **told}]}, "list_block_children", block_id="p")
    (block,) = page["items"]
    assert (block["type"], block["text"], block["content"]) == (told["type"], text, content)


async def test_a_heading_of_any_size_is_changed() -> None:
    content = {"rich_text": [{"text": {"content": "New"}}]}
    _, request = await asked({"id": "b"}, "update_block", block_id="b", kind="heading_3", content=content)
    assert (request.method, request.path) == ("PATCH", "/v1/blocks/b")
    assert json.loads(request.body) == {"heading_3": content}


async def test_a_page_says_who_changed_it_last() -> None:
    page, _ = await asked({"id": "p", "last_edited_by": {"id": "u"}}, "get_page", page_id="p")
    assert page["last_edited_by"] == {"id": "u"}
