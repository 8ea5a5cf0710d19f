"""An operation is its signature: what it takes, what it gives back, and what it does to the world."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

import pytest
from pydantic import Field

from support.foreign import Says, serving
from wand_proto.errors import Broken, Invalid, NotFound
from wand_server.integrations.kit import (
    Bearer,
    Counted,
    Cursor,
    Integration,
    Lasting,
    Linked,
    Page,
    Request,
    Resource,
    Until,
    delete,
    get,
    head,
    http,
    lasting,
    operation,
    patch,
    post,
)


class Thing(Resource):
    id: int
    name: str = ""


class Made(Lasting):
    id: int = 0
    status: str = Field(default="", alias="is")


class Things(Integration):
    """A service of things."""

    sign_in = Bearer("base_url")

    async def health_check(self) -> None:
        await self.get_thing(id=1)

    @operation(read_only=True)
    async def read_thing(self) -> Thing:
        """Read a thing."""
        return Thing.model_validate((await self.http.send(Request(method="GET", path="/thing"))).body)

    @get("/things/{id}", place="data.thing")
    async def get_thing(self, id: Annotated[int, Field(ge=1)]) -> Thing:  # noqa: A002
        """Get a thing."""

    @get("/things", paging=Cursor(items="data", mark="meta.next"))
    async def list_things(self, limit: int = 2) -> Page[Thing]:
        """List things."""

    @get("/counted", paging=Counted(size="size"))
    async def list_counted(self, size: int = 2) -> Page[Thing]:
        """List things by pages."""

    @get("/more", paging=Cursor(items="data", mark="last", sent_as="after", more="has_more"))
    async def list_more(self) -> Page[Thing]:
        """List things, as long as there are more."""

    @get("/linked", paging=Linked())
    async def list_linked(self) -> Page[Thing]:
        """List things by links."""

    @post("/things")
    async def create_thing(self, name: str, tags: list[str] | None = None) -> Thing:
        """Create a thing."""

    @patch("/things/{id}", idempotent=True)
    async def rename_thing(self, id: int, name: str) -> None:  # noqa: A002
        """Rename a thing."""

    @delete("/things/{id}")
    async def delete_thing(self, id: int) -> None:  # noqa: A002
        """Delete a thing."""

    @head("/things/{id}", headers={"etag": "ETag", "about": "X-About-*"})
    async def head_thing(self, id: int) -> dict[str, Any]:  # noqa: A002
        """See of a thing what its headers tell."""

    @post("/form", form="nested")
    async def bill(self, amount: int, items: list[dict[str, Any]]) -> None:
        """Bill things."""

    @post("/streamed", joined=lambda pieces: {"id": 1, "name": "".join(each["piece"] for each in pieces)})
    async def stream_thing(self) -> Thing:
        """Have a thing told piece by piece."""

    @post("/made", until=Until(again="get_thing", at="/made/{id}", state="is", running=("made",)))
    async def make_thing(self) -> Made:
        """Have a thing made, which takes a while."""

    @post("/moved", until=Until(again="get_thing"))
    async def move_thing(self) -> Made:
        """Have a thing moved; the service says where to ask."""

    @operation(read_only=True)
    async def count_things(self, limit: int = 100) -> int:
        """Count things."""
        return len((await self.list_things(limit=limit)).items)


async def ask(name: str, given: dict[str, Any], *answers: Says) -> tuple[Any, Any]:
    async with serving(*answers) as service:
        things = Things(Things.Config(base_url=service.url))
        try:
            return await things.execute(name, given), service.asked
        finally:
            await things.cleanup()


async def test_an_answer_is_read_where_it_stands_and_the_rest_is_left_out() -> None:
    said = Says(body={"data": {"thing": {"id": 1, "name": "a", "secret": "x"}}})
    answer, asked = await ask("get_thing", {"id": 1}, said)
    assert answer == {"id": 1, "name": "a"}
    assert (asked[0].method, asked[0].path, asked[0].query) == ("GET", "/things/1", {})
    assert asked[0].headers["authorization"].startswith("Bearer http")


@pytest.mark.parametrize(
    ("name", "answer", "cursor", "then"),
    [
        (
            "list_things",
            Says(body={"data": [{"id": 1}], "meta": {"next": "m2"}}),
            "m2",
            {"limit": "2", "cursor": "m2"},
        ),
        ("list_things", Says(body={"data": [{"id": 1}], "meta": {"next": ""}}), None, None),
        ("list_things", Says(body={"data": []}), None, None),
        ("list_more", Says(body={"data": [], "last": "m2", "has_more": True}), "m2", {"after": "m2"}),
        ("list_more", Says(body={"data": [{"id": 1}], "last": "m2", "has_more": False}), None, None),
        ("list_counted", Says(body=[{"id": 1}, {"id": 2}]), "2", {"size": "2", "page": "2"}),
        ("list_counted", Says(body=[{"id": 1}]), None, None),
        (
            "list_linked",
            Says(body=[{"id": 1}], headers={"Link": '<http://evil.example/x?page=2&a=b>; rel="next"'}),
            "page=2&a=b",
            {"page": "2", "a": "b"},
        ),
        (
            "list_linked",
            Says(body=[{"id": 1}], headers={"Link": '<http://a/x?page=1>; rel="prev"'}),
            None,
            None,
        ),
    ],
)
async def test_a_long_list_goes_on_by_its_cursor(
    name: str, answer: Says, cursor: str | None, then: dict[str, str] | None
) -> None:
    page, _ = await ask(name, {}, answer)
    assert page.get("next_cursor") == cursor
    if cursor is not None:
        _, asked = await ask(name, {"cursor": cursor}, answer)
        assert asked[0].query == then


async def test_a_cursor_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="cursor: must be the next_cursor"):
        await ask("list_counted", {"cursor": "1&x=y"})


async def test_what_gives_nothing_back_does_not_care_what_is_said() -> None:
    assert (await ask("rename_thing", {"id": 1, "name": "b"}, Says(body={"any": "thing"})))[0] is None


async def test_headers_of_an_answer_can_be_told() -> None:
    said = Says(headers={"ETag": '"1"', "X-About-Us": "yes"})
    assert (await ask("head_thing", {"id": 1}, said))[0] == {"etag": '"1"', "about": {"us": "yes"}}


async def test_a_form_can_be_nested() -> None:
    _, asked = await ask("bill", {"amount": 1, "items": [{"price": "p", "tax": []}, {"on": True}]})
    assert parse_qsl(asked[0].body, keep_blank_values=True) == [
        ("amount", "1"),
        ("items[0][price]", "p"),
        ("items[0][tax]", ""),
        ("items[1][on]", "true"),
    ]


async def test_a_stream_becomes_one_value() -> None:
    lines = Says(raw=b'{"piece":"a"}\n{"piece":"b"}\n', headers={"Content-Type": "application/x-ndjson"})
    assert (await ask("stream_thing", {}, lines))[0] == {"id": 1, "name": "ab"}


@pytest.mark.parametrize(
    ("name", "answers", "paths"),
    [
        (
            "make_thing",
            [
                Says(body={"id": 7, "is": "made"}),
                Says(body={"id": 7, "is": "made"}),
                Says(body={"id": 7, "is": "fine"}),
            ],
            ["/made", "/made/7", "/made/7"],
        ),
        ("make_thing", [Says(body={"id": 7, "is": "fine"})], ["/made"]),
        (
            "move_thing",
            [Says(status=202, headers={"Location": "../state/1"}), Says(body={"id": 7, "is": "fine"})],
            ["/moved", "/state/1"],
        ),
    ],
)
async def test_what_goes_on_is_asked_until_it_is_done(
    name: str, answers: list[Says], paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "_FIRST_PAUSE_SECONDS", 0.0)
    answer, asked = await ask(name, {}, *answers)
    assert answer == {"id": 7, "status": "fine"}
    assert [each.path for each in asked] == paths


@pytest.mark.parametrize("last", [Says(body={"id": 7, "is": "made"}), Says(status=500)])
async def test_what_is_not_done_in_time_says_how_to_ask_again(
    last: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = iter([0.0, 999.0])
    monkeypatch.setattr(lasting, "_FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(lasting, "_longer", lambda _: next(pauses, 999.0))
    monkeypatch.setattr(http, "_pause_seconds", lambda *_: 0.0)
    answer, _ = await ask("make_thing", {}, Says(body={"id": 7, "is": "made"}), last)
    assert answer == {"id": 7, "status": "made", "goes_on": "it is not done yet: ask by get_thing"}


async def test_where_an_answer_leads_gets_no_sign_in() -> None:
    async with serving(Says(body={"id": 1, "is": "fine"})) as other:
        made = Says(status=202, headers={"Location": f"{other.url}/x"})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lasting, "_FIRST_PAUSE_SECONDS", 0.0)
            await ask("move_thing", {}, made)
        assert "authorization" not in other.asked[0].headers


async def test_an_operation_with_a_body_can_use_the_others() -> None:
    assert (await ask("count_things", {}, Says(body={"data": [{"id": 1}, {"id": 2}]})))[0] == 2


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("get_thing", {}, "id: is missing"),
        ("get_thing", {"id": 0}, "id: must be at least 1"),
        ("get_thing", {"id": 1, "naem": "x"}, "naem: there is no such argument"),
        ("create_thing", {"name": "x", "tags": "y"}, "tags: must be a list"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        await ask(name, given)


async def test_an_unknown_operation_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="did you mean get_thing"):
        await ask("get_things", {})


async def test_an_answer_that_is_not_as_expected_is_our_fault() -> None:
    with pytest.raises(Broken, match="not as expected: id: "):
        await ask("create_thing", {"name": "x"}, Says(body={"id": "many"}))


def test_what_an_operation_does_follows_from_its_method() -> None:
    marks = {name: (one.plan.marks) for name, one in Things.operations.items()}
    told = {name: (one.read_only, one.destructive, one.idempotent) for name, one in marks.items()}
    assert told == {
        "get_thing": (True, False, True),
        "list_things": (True, False, True),
        "list_counted": (True, False, True),
        "list_linked": (True, False, True),
        "list_more": (True, False, True),
        "create_thing": (False, False, False),
        "rename_thing": (False, False, True),
        "delete_thing": (False, True, True),
        "head_thing": (True, False, True),
        "bill": (False, False, False),
        "stream_thing": (False, False, False),
        "make_thing": (False, False, False),
        "move_thing": (False, False, False),
        "count_things": (True, False, True),
        "read_thing": (True, False, True),
    }


def test_schemas_are_lean() -> None:
    assert Things.operations["create_thing"].input_schema == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
    }
    assert Things.REQUIRED_CONFIG_KEYS == ()


@pytest.mark.parametrize(("name", "given"), [("read_thing", {}), ("get_thing", {"id": 1})])
async def test_an_answer_that_is_not_as_expected_is_told_without_what_it_holds(
    name: str, given: dict[str, Any]
) -> None:
    thing = {"id": "secret-of-somebody"}
    async with serving(Says(body={**thing, "data": {"thing": thing}})) as service:
        things = Things(Things.Config(base_url=service.url))
        with pytest.raises(Broken, match="not as expected: id: ") as caught:
            await things.execute(name, given)
        await things.cleanup()
    assert caught.value.__cause__ is None
    assert "secret-of-somebody" not in str(caught.value)
