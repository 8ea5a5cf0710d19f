"""The way out, without a proxy and without a kernel: whose network is whose, and what is recorded when."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from wand_hostagent.launcher.gateway import Gateway, Tenant
from wand_hostagent.launcher.ledger import Entry
from wand_hostagent.launcher.refusal import Refused

ANN = Tenant(job="j1", profile="p", principal="ann", destinations=("a.example:443",))
WANTED = {"host": "a.example", "port": 443, "addresses": ["192.0.2.1"], "tunnel": True}
ENDED = {"connection": 7, "address": "192.0.2.1", "sent": 3, "received": 4, "seconds": 0.5, "why": "closed"}
WHOSE = {"job": "j1", "profile": "p", "principal": "ann"}
LISTEN, LEAVE = ("listen", {"network": 1}), ("leave", {"network": 1})
TAKE = ("take", {"network": 1, "job": "j1", "profile": "p", "destinations": ["a.example:443"]})


class Proxy:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.doors: list[int | None] = []

    def tell(self, say: str, fields: Mapping[str, Any], descriptor: int | None = None) -> None:
        self.told.append((say, dict(fields)))
        self.doors.append(descriptor)


class Journal:
    """Remembers what it was given, or refuses it."""

    def __init__(self) -> None:
        self.durable: list[Entry] = []
        self.lazy: list[Entry] = []
        self.refuses = ""

    def commit(self, entries: Sequence[Entry]) -> None:
        if self.refuses:
            raise Refused("Exhausted", self.refuses)
        self.durable += entries

    def later(self, entry: Entry) -> None:
        self.lazy.append(entry)


class Scene:
    """A gateway between the two."""

    def __init__(self, stack: ExitStack) -> None:
        self.proxy, self.journal = Proxy(), Journal()
        self.gateway = Gateway(self.proxy, self.journal)  # type: ignore[arg-type]  # as much of one as it needs
        self.door = stack.enter_context(socket.socket())

    def hear(self, say: str, **fields: Any) -> None:
        self.gateway.hear(say, fields, None)

    def connect(self, connection: int = 7, network: int = 1) -> None:
        self.hear("connect", connection=connection, network=network, **WANTED)

    def said(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What the proxy was told since this was asked last."""
        told, self.proxy.told = self.proxy.told, []
        return told


@pytest.fixture
def scene() -> Iterator[Scene]:
    """A job is in network 1, which has a door."""
    with ExitStack() as stack:
        one = Scene(stack)
        one.gateway.enter(1, ANN)
        one.gateway.opened(1, one.door)
        yield one


def test_the_proxy_hears_of_a_network_with_its_door_and_then_whose_it_is(scene: Scene) -> None:
    assert scene.said() == [LISTEN, TAKE]
    assert scene.proxy.doors == [scene.door.fileno(), None]


def test_a_door_that_is_there_first_is_taken_when_a_job_comes() -> None:
    with ExitStack() as stack:
        one = Scene(stack)
        one.gateway.opened(1, one.door)
        assert (one.said(), one.gateway.is_waiting) == ([LISTEN], False)
        one.gateway.enter(1, ANN)
        assert (one.said(), one.gateway.is_waiting) == ([TAKE], True)


def test_a_connection_may_be_made_when_its_record_is_durable(scene: Scene) -> None:
    scene.said()
    scene.connect()
    assert (scene.said(), scene.journal.durable) == ([], [])
    scene.gateway.commit()
    assert scene.journal.durable == [Entry("connect", {**WHOSE, "connection": 1, **WANTED})]
    assert scene.said() == [("go", {"connection": 7})]
    scene.gateway.commit()
    assert len(scene.journal.durable) == 1


def test_a_connection_that_cannot_be_recorded_is_not_made(scene: Scene) -> None:
    scene.said()
    scene.journal.refuses = "the disk is full" + "x" * 400
    scene.connect()
    scene.gateway.commit()
    assert scene.said() == [("deny", {"connection": 7, "why": scene.journal.refuses[:300]})]
    scene.hear("ended", **ENDED)
    assert scene.journal.lazy == []


@pytest.mark.parametrize(
    ("connection", "network"),
    [(7, 2), (7, 1), (8, 1)],
    ids=["nobody's network", "a number twice", "a wanted one"],
)
def test_a_connection_of_nobody_or_with_a_number_that_is_taken_is_denied(
    scene: Scene, connection: int, network: int
) -> None:
    scene.connect(7)
    scene.gateway.commit()
    scene.connect(8)
    scene.said()
    scene.connect(connection, network)
    assert scene.said() == [("deny", {"connection": connection, "why": "there are too many at once"})]


def test_so_many_connections_are_open_at_once_and_no_more(scene: Scene) -> None:
    for number in range(1025):
        scene.connect(number)
    assert [each for each in scene.said() if each[0] == "deny"] == [
        ("deny", {"connection": 1024, "why": "there are too many at once"})
    ]
    scene.gateway.commit()
    assert len(scene.journal.durable) == 1024


def test_an_end_is_recorded_once_with_what_went_through(scene: Scene) -> None:
    scene.connect()
    scene.gateway.commit()
    scene.hear("ended", **ENDED)
    scene.hear("ended", **ENDED)
    told = {"job": "j1", "connection": 1, "host": "a.example", "port": 443, "address": "192.0.2.1"}
    told |= {"sent_bytes": 3, "received_bytes": 4, "seconds": 0.5, "why": "closed"}
    assert scene.journal.lazy == [Entry("connect_end", told)]


def test_with_a_proxy_that_is_gone_every_connection_ends_and_none_that_was_only_wanted(scene: Scene) -> None:
    scene.connect(7)
    scene.gateway.commit()
    scene.connect(8)
    scene.gateway.lost()
    (end,) = scene.journal.lazy
    assert (end.event, end.fields["connection"], end.fields["why"]) == ("connect_end", 1, "the proxy is gone")
    scene.gateway.lost()
    scene.gateway.commit()
    assert (len(scene.journal.lazy), len(scene.journal.durable)) == (1, 1)


def test_another_proxy_is_told_of_all_that_is_there(scene: Scene) -> None:
    scene.gateway.enter(2, ANN)  # it has no door yet
    scene.said()
    scene.gateway.joined()
    assert scene.said() == [LISTEN, TAKE]
    scene.gateway.leave(1, lambda: None)
    scene.said()
    scene.gateway.joined()
    assert scene.said() == [LISTEN, LEAVE]


def test_a_network_is_free_when_the_proxy_has_let_go_of_it_and_only_once(scene: Scene) -> None:
    freed: list[int] = []
    scene.said()
    scene.hear("left", network=1)  # nobody has asked for it
    scene.gateway.leave(1, lambda: freed.append(1))
    assert (freed, scene.said()) == ([], [LEAVE])
    scene.hear("left", network=1)
    scene.hear("left", network=1)
    assert (freed, scene.gateway.is_waiting) == ([1], False)
    scene.connect()
    assert scene.said()[0][0] == "deny"  # it is nobody's now


def test_a_network_without_a_door_is_free_at_once() -> None:
    freed: list[int] = []
    with ExitStack() as stack:
        one = Scene(stack)
        one.gateway.enter(1, ANN)
        one.gateway.leave(1, lambda: freed.append(1))
        one.gateway.leave(1, lambda: freed.append(2))
        assert (freed, one.said(), one.gateway.is_waiting) == ([1, 2], [], False)


def test_a_network_that_is_closed_is_forgotten_and_its_door_with_it(scene: Scene) -> None:
    scene.said()
    scene.gateway.close(1)
    scene.gateway.close(1)
    assert (scene.said(), scene.door.fileno()) == ([("forget", {"network": 1})], -1)


def test_a_refusal_is_recorded_with_whose_it_was_and_not_without_end(scene: Scene) -> None:
    told = {"host": "b.example", "port": 80, "why": "not a destination", "more": 2}
    scene.hear("refused", network=2, **told)
    for _ in range(300):
        scene.hear("refused", network=1, **told)
    assert scene.journal.lazy[0] == Entry("connect_refused", {**WHOSE, **told})
    assert 256 <= len(scene.journal.lazy) < 300


def test_a_job_that_connects_and_is_refused_without_end_takes_nothing_from_another(scene: Scene) -> None:
    told = {"host": "b.example", "port": 80, "why": "not a destination", "more": 0}
    scene.gateway.enter(2, Tenant(job="j2", profile="p", principal="bob", destinations=()))
    for number in range(1200):
        scene.connect(number)
        scene.hear("refused", network=1, **told)
        scene.gateway.commit()
        scene.hear("ended", **{**ENDED, "connection": number})
    scene.said()
    scene.connect(5000, network=2)
    scene.hear("refused", network=2, **told)
    scene.gateway.commit()
    assert scene.said() == [("go", {"connection": 5000})]
    refused = [one.fields for one in scene.journal.lazy if one.event == "connect_refused"]
    assert [one["job"] for one in refused if one["job"] == "j2"] == ["j2"]


def test_refusals_that_are_not_recorded_one_by_one_are_counted(scene: Scene) -> None:
    for _ in range(400):
        scene.hear("refused", network=1, host="b.example", port=80, why="not a destination", more=1)
    scene.gateway.leave(1, lambda: None)
    scene.hear("left", network=1)
    *told, last = [one.fields for one in scene.journal.lazy]
    assert sum(1 + one["more"] for one in told) + last["more"] == 800
    assert (last["why"], last["job"]) == ("as before", "j1")


def test_a_job_that_ends_leaves_no_place_taken(scene: Scene) -> None:
    """Neither where the proxy gives it up before it hears that it may connect, nor where it asks too late."""
    for turn in range(40):
        scene.gateway.enter(1, ANN)
        scene.connect(2 * turn)
        scene.gateway.commit()
        scene.connect(2 * turn + 1)
        scene.gateway.leave(1, lambda: None)
        scene.connect(1000 + turn)
        scene.hear("left", network=1)
        scene.gateway.commit()
    assert len(scene.journal.durable) == 40
    assert [one.fields["why"] for one in scene.journal.lazy] == ["the job is over"] * 40
    assert scene.gateway._open == scene.gateway._wanted == {}
