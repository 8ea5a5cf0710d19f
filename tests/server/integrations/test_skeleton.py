"""A first draft has the names and types of a description, is Python, and says which operation is missing."""

import ast
from typing import Any

import pytest

from wand_proto.errors import Invalid
from wand_server.integrations.skeleton import Wanted, draft

THING = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": ["big", "small"]},
        "dueAt": {"type": ["string", "null"]},
        "class": {"type": "string"},
    },
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example/v1/"}],
    "components": {"schemas": {"Thing": THING}},
    "paths": {
        "/things": {
            "get": {
                "parameters": [
                    {"name": "page", "in": "query", "schema": {"type": "integer"}},
                    {"name": "sort[by]", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "properties": {
                                        "data": {
                                            "type": "array",
                                            "items": {"$ref": "#/components/schemas/Thing"},
                                        }
                                    }
                                }
                            }
                        }
                    }
                },
            },
            "post": {
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                },
                "responses": {
                    "201": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                    }
                },
            },
        },
        "/things/{thingId}": {"delete": {"responses": {"204": {"description": "gone"}}}},
    },
}
WANTED = [
    Wanted(name="list_things", method="GET", path="/things"),
    Wanted(name="create_thing", method="POST", path="/things"),
    Wanted(name="delete_thing", method="DELETE", path="/things/{id}"),
]


def test_a_draft_is_python_with_the_names_and_types_of_the_description() -> None:
    text = draft(DOCUMENT, "some_things", WANTED)
    ast.parse(text)
    for line in (
        "class SomeThings(kit.Integration):",
        'base_url = "https://api.example/v1"',
        '@get("/things", place="data")',
        'self, sort_by: Annotated[str | None, Sent("sort[by]")] = None) -> list[Thing]:',
        'kind: Literal["big", "small"] | None = None',
        '    due_at: Annotated[str | None, at("dueAt")] = None',
        'due_at: Annotated[str | None, Sent("dueAt")] = None',
        'class_: Annotated[str | None, Sent("class")] = None',
        '@delete("/things/{thing_id}")',
        "async def delete_thing(self, thing_id: str) -> None:",
    ):
        assert line in text, line


def test_what_lies_within_one_member_is_led_into() -> None:
    wrapped = {
        "application/json": {"schema": {"properties": {"data": {"$ref": "#/components/schemas/Thing"}}}}
    }
    put = {"requestBody": {"content": wrapped}, "responses": {"200": {"content": wrapped}}}
    text = draft(
        {**DOCUMENT, "paths": {"/things/{id}": {"put": put}}},
        "things",
        [Wanted(name="update_thing", method="PUT", path="/things/{id}")],
    )
    ast.parse(text)
    assert '@put("/things/{id}", place="data", inside="data")' in text
    assert "-> Thing:" in text


def test_what_is_not_described_is_named() -> None:
    with pytest.raises(Invalid, match="sell_thing: PUT /things is not described"):
        draft(DOCUMENT, "things", [Wanted(name="sell_thing", method="PUT", path="/things")])


def test_a_file_is_content_and_what_is_said_twice_is_taken_once() -> None:
    said = {"name": "folder", "in": "query", "schema": {"type": "string"}}
    parts = {"properties": {"file": {"type": "string", "format": "binary"}, "folder": {"type": "string"}}}
    body = {"content": {"multipart/form-data": {"schema": parts}}}
    upload = {"parameters": [said], "requestBody": body, "responses": {}}
    text = draft(
        {"paths": {"/files": {"post": upload}}},
        "todo",
        [Wanted(name="upload_file", method="POST", path="/files")],
    )
    ast.parse(text)
    assert text.count("folder:") == 1
    assert "file: Content | None = None" in text
    assert '@post("/files", multipart="form-data")' in text


@pytest.mark.parametrize("url", ["https://{site}.example/api", "/api"])
def test_where_a_service_of_ones_own_is_has_to_be_said(url: str) -> None:
    text = draft({**DOCUMENT, "servers": [{"url": url}]}, "some_things", WANTED)
    assert f'        base_url: str = Field(description="such as {url}")' in text
    assert "    base_url =" not in text


def test_a_class_is_not_called_as_one_of_the_kit() -> None:
    text = draft(DOCUMENT, "wiki", [Wanted(name="list_pages", method="GET", path="/things")])
    assert "class OnePage(Resource):" in text
    assert "-> list[OnePage]:" in text
