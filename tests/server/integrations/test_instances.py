"""Which operations there are, who may call them, and that nothing is asked before it is on record."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from support.foreign import Says, Service, serving
from support.host import call
from support.services import FakeCatalog, FakeLedger, Notes
from wand_proto.errors import Denied, Exhausted, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.secrets import Sources

SECRET = "s3cr3t-of-notes"
NOTES = Says(body={"notes": [{"id": 1, "text": "a"}], "id": 2})
ALL = ["notes.delete_note", "notes.list_notes", "notes.write_note"]


@asynccontextmanager
async def opened(
    ledger: FakeLedger | None = None, *answers: Says, **tables: Mapping[str, Any]
) -> AsyncIterator[tuple[Instances, Service]]:
    """Instances of a service of notes, which listens."""
    ids = count(1)
    sources = Sources({"NOTES": SECRET})
    async with serving(*(answers or (NOTES,))) as service:
        instances = Instances(FakeCatalog(), ledger or FakeLedger(), lambda: f"a{next(ids)}", sources)
        usual = {"token": "env:NOTES", "base_url": service.url}
        configured = {name.replace("__", ":"): {**usual, **table} for name, table in tables.items()}
        instances.check(configured)
        instances.configure(configured)
        try:
            yield instances, service
        finally:
            await instances.close()


def names(instances: Instances) -> list[str]:
    return sorted(one.name for one in instances.offered("", 100))


@pytest.mark.parametrize(
    ("table", "left"),
    [
        ({}, ALL),
        ({"read_only": True}, ["notes.list_notes"]),
        ({"allow": ["list_*", "write_note"]}, ["notes.list_notes", "notes.write_note"]),
        ({"deny": ["*_note"]}, ["notes.list_notes"]),
        ({"allow": ["*"], "deny": ["delete_*"]}, ["notes.list_notes", "notes.write_note"]),
    ],
)
async def test_an_instance_offers_what_it_permits(table: Mapping[str, Any], left: list[str]) -> None:
    async with opened(notes=table) as (instances, _):
        assert names(instances) == left
        for name in set(ALL) - set(left):
            with pytest.raises(NotFound):
                await instances.run(call(), name, {}, may_change=True)


async def test_an_act_is_on_record_before_the_service_hears_of_it_and_after() -> None:
    ledger = FakeLedger()
    async with opened(ledger, notes={}) as (instances, service):
        result = await instances.run(call(), "notes.write_note", {"text": "x"}, may_change=True)
        assert result == {"id": 2, "text": ""}
        assert service.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert ledger.told == [("begins", "notes.write_note", "a1"), ("ended", "done", "a1")]


async def test_what_cannot_be_recorded_is_not_asked() -> None:
    async with opened(FakeLedger(Exhausted("the disk is full")), notes={}) as (instances, service):
        with pytest.raises(Exhausted):
            await instances.run(call(), "notes.list_notes", {}, may_change=False)
        assert service.asked == []


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("notes.write_note", {}, Invalid),
        ("notes.write_note", {"text": 1}, Invalid),
        ("notes.write_notes", {"text": "x"}, NotFound),
        ("other.write_note", {"text": "x"}, NotFound),
        ("write_note", {"text": "x"}, NotFound),
    ],
)
async def test_what_cannot_be_asked_is_no_act(
    name: str, given: dict[str, Any], kind: type[WandError]
) -> None:
    ledger = FakeLedger()
    async with opened(ledger, notes={}) as (instances, service):
        with pytest.raises(kind):
            await instances.run(call(), name, given, may_change=True)
        assert (service.asked, ledger.told) == ([], [])


async def test_what_changes_something_is_not_called_where_nothing_may_change() -> None:
    async with opened(notes={}) as (instances, service):
        with pytest.raises(Denied, match="call it with call_operation_write"):
            await instances.run(call(), "notes.delete_note", {"number": 1}, may_change=False)
        assert service.asked == []


async def test_a_refusal_says_which_service_and_is_on_record() -> None:
    ledger = FakeLedger()
    said = Says(status=403, body={"message": f"token {SECRET} may not"})
    async with opened(ledger, said, notes__work={}) as (instances, _):
        with pytest.raises(Denied, match=r"notes:work: answers with 403: token \[secret\] may not"):
            await instances.run(call(), "notes:work.list_notes", {}, may_change=False)
    assert ledger.told[-1][:2] == ("ended", "Denied")


async def test_a_defect_is_on_record_and_not_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise KeyError("status")

    monkeypatch.setattr(BaseIntegration, "execute", fails)
    ledger = FakeLedger()
    async with opened(ledger, notes={}) as (instances, _):
        with pytest.raises(KeyError):
            await instances.run(call(), "notes.list_notes", {}, may_change=False)
    assert ledger.told[1:] == [("ended", "Broken", "a1")]


async def test_a_service_alone_is_named_by_its_service() -> None:
    async with opened(notes__work={}) as (instances, _):
        assert await instances.run(call(), "notes.list_notes", {}, may_change=False) == [
            {"id": 1, "text": "a"}
        ]


async def test_of_several_one_has_to_be_named() -> None:
    async with opened(notes__work={}, notes__home={}) as (instances, _):
        with pytest.raises(Invalid, match="notes is configured several times") as caught:
            await instances.run(call(), "notes.list_notes", {}, may_change=False)
        assert caught.value.hint == "say which: notes:work.list_notes, notes:home.list_notes"


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("noets", {}, r"integrations.noets: there is no service 'noets' \(did you mean notes\?\)"),
        ("notes", {"token": "x", "tokn": "y"}, r"integrations.notes.tokn: is not a setting of notes"),
        ("notes", {"token": "x", "allow": "list_*"}, r"integrations.notes.allow: must be a list"),
        (
            "notes",
            {"token": "x", "read_only": "perhaps"},
            r"integrations.notes.read_only: must be true or false",
        ),
        ("notes", {}, r"integrations.notes.token: is missing \(say where the secret is: env:NAME"),
        ("Notes", {}, "must be a service, or a service with a name"),
    ],
)
async def test_a_configuration_that_is_wrong_is_told_by_its_place(
    name: str, table: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(WandError, match=said):
        Instances(FakeCatalog(), FakeLedger(), str).check({name: table})


async def test_a_secret_that_is_not_there_is_told_when_it_is_needed() -> None:
    async with opened(notes={"token": "env:GONE"}) as (instances, _):
        with pytest.raises(NotFound, match="there is nothing in env:GONE"):
            await instances.run(call(), "notes.list_notes", {}, may_change=False)


async def test_another_configuration_takes_the_place_of_the_first() -> None:
    async with opened(notes={}) as (instances, service):
        await instances.run(call(), "notes.list_notes", {}, may_change=False)
        table = {"token": "env:NOTES", "base_url": service.url}
        assert not instances.configure({"notes": table})
        assert instances.configure({"notes": {**table, "read_only": True}})
        assert names(instances) == ["notes.list_notes"]
        await instances.run(call(), "notes.list_notes", {}, may_change=False)
        assert instances.configure({})
        assert names(instances) == []


async def test_what_cannot_get_ready_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = list[Notes]()

    async def broken(_: Notes) -> None:
        raise Exhausted("no room")

    async def cleanup(self: Notes) -> None:
        closed.append(self)

    monkeypatch.setattr(Notes, "initialize", broken)
    monkeypatch.setattr(Notes, "cleanup", cleanup)
    async with opened(notes={}) as (instances, _):
        with pytest.raises(Exhausted):
            await instances.run(call(), "notes.list_notes", {}, may_change=False)
        assert len(closed) == 1


async def test_what_is_open_is_closed_side_by_side_though_one_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = asyncio.Barrier(2)

    async def cleanup(self: Notes) -> None:
        await self.http.close()
        await meeting.wait()
        raise KeyError("a defect")

    monkeypatch.setattr(Notes, "cleanup", cleanup)
    async with asyncio.timeout(4), opened(notes__a={}, notes__b={}) as (instances, _):
        for one in ("a", "b"):
            await instances.run(call(), f"notes:{one}.list_notes", {}, may_change=False)


async def test_what_is_configured_no_more_is_closed_though_a_call_opens_it_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened_now, go_on, closed = asyncio.Event(), asyncio.Event(), list[Notes]()

    async def initialize(_: Notes) -> None:
        opened_now.set()
        await go_on.wait()

    async def cleanup(self: Notes) -> None:
        closed.append(self)

    monkeypatch.setattr(Notes, "initialize", initialize)
    monkeypatch.setattr(Notes, "cleanup", cleanup)
    monkeypatch.setattr("wand_server.integrations.instances._LAST_SECONDS", 0)
    async with opened(notes={}) as (instances, _):
        running = asyncio.create_task(instances.run(call(), "notes.list_notes", {}, may_change=False))
        await opened_now.wait()
        instances.configure({})
        await asyncio.sleep(0.02)
        go_on.set()
        with pytest.raises(Unavailable, match="configured no more"):
            await running
        assert len(closed) == 1


class _Meaning:
    """Puts what it takes up in the opposite order."""

    def __init__(self) -> None:
        self.texts: Mapping[str, str] = {}
        self.meanwhile: Callable[[], object] = dict

    def take_up(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    async def joined(self, query: str, by_words: Sequence[str], among: Iterable[str]) -> Sequence[str]:
        self.meanwhile()
        return [*by_words, *(name for name in reversed([*among]) if name not in by_words)]


async def test_a_search_is_joined_with_what_operations_mean() -> None:
    meaning = _Meaning()
    instances = Instances(FakeCatalog(), FakeLedger(), str, around=Around(meaning=meaning))
    table = {"token": "env:NOTES", "base_url": "http://127.0.0.1"}
    instances.configure({"notes": table, "notes:two": {**table, "read_only": True}})

    async def found(query: str, service: str = "") -> list[str]:
        return [one.name for one in await instances.find(query, service, 100)]

    assert await found("", "notes:two") == ["notes:two.list_notes"]
    assert meaning.texts == {}, "who asks for no words asks for no meaning"
    assert await found("xyzzy", "notes:two") == ["notes:two.list_notes"]
    assert len(await found("xyzzy")) == len(meaning.texts) == 4
    assert meaning.texts["notes.list_notes"].startswith("notes: ")
    meaning.meanwhile = lambda: instances.configure({"notes:two": {**table, "read_only": True}})
    assert await found("xyzzy") == ["notes:two.list_notes"], "what is configured no more is not found"
    await instances.close()
