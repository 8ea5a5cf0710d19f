"""What the proxy says: to the launcher by a closed table, to a client in words; and how often."""

from types import SimpleNamespace
from typing import Any

import pytest

from wand_hostagent.launcher.egress import answers, wire
from wand_hostagent.launcher.egress.destinations import MOST
from wand_hostagent.launcher.egress.pace import Pace

GOOD: list[tuple[wire.Table, str, dict[str, Any]]] = [
    (wire.TO_PROXY, "listen", {"network": 0}),
    (wire.TO_PROXY, "take", {"network": 1, "job": "j", "profile": "p", "destinations": ["a:1"]}),
    (wire.TO_PROXY, "leave", {"network": 2**63 - 1}),
    (wire.TO_PROXY, "forget", {"network": 1}),
    (wire.TO_PROXY, "go", {"connection": 1}),
    (wire.TO_PROXY, "deny", {"connection": 1, "why": "w" * 512}),
    (wire.TO_LAUNCHER, "ready", {"walls": []}),
    (
        wire.TO_LAUNCHER,
        "connect",
        {"connection": 1, "network": 1, "host": "h", "port": 1, "addresses": ["a"] * MOST, "tunnel": False},
    ),
    (
        wire.TO_LAUNCHER,
        "ended",
        {"connection": 1, "address": "a", "sent": 0, "received": 0, "seconds": 0.5, "why": ""},
    ),
    (wire.TO_LAUNCHER, "refused", {"network": 1, "host": "h", "port": 1, "why": "w", "more": 0}),
    (wire.TO_LAUNCHER, "left", {"network": 1}),
]
WRONG: dict[str, list[Any]] = {
    "network": [-1, 2**63, True, "1", 1.0, None],
    "connection": [-1, True],
    "port": [-1, "80"],
    "sent": [-1],
    "received": [-1],
    "more": [-1, False],
    "job": [1, "a\nb", "x" * 513],
    "profile": [None],
    "host": ["a\0"],
    "address": [["a"]],
    "why": [0],
    "destinations": ["a", [1], ["a"] * (MOST + 1)],
    "addresses": [None, ["a\n"]],
    "walls": [{}],
    "tunnel": [0, "true"],
    "seconds": [-0.1, 1e9, True, "1"],
}


@pytest.mark.parametrize(("table", "say", "fields"), GOOD)
def test_a_message_is_read_as_it_was_written_and_only_in_its_own_direction(
    table: wire.Table, say: str, fields: dict[str, Any]
) -> None:
    packed = wire.encode(say, fields)

    assert wire.decode(packed, table) == (say, fields)
    assert len(packed) < wire.MESSAGE_BYTES
    with pytest.raises(wire.Unreadable, match="nothing that is known"):
        wire.decode(packed, wire.TO_LAUNCHER if table is wire.TO_PROXY else wire.TO_PROXY)


@pytest.mark.parametrize(("table", "say", "fields"), GOOD)
def test_a_field_that_is_wrong_too_many_or_missing_is_not_read(
    table: wire.Table, say: str, fields: dict[str, Any]
) -> None:
    spoiled = [{**fields, name: value} for name in fields for value in WRONG[name]]
    spoiled += [
        {**fields, "another": 1},
        *({k: v for k, v in fields.items() if k != name} for name in fields),
    ]
    for one in spoiled:
        with pytest.raises(wire.Unreadable, match=f"{say} has other fields"):
            wire.decode(wire.encode(say, one), table)


def test_every_message_and_every_field_is_in_these_tables() -> None:
    assert {say for _, say, _ in GOOD} == {*wire.TO_PROXY, *wire.TO_LAUNCHER}
    assert {name for _, _, fields in GOOD for name in fields} == set(WRONG)


@pytest.mark.parametrize("untrusted", [b"", b"{", b"[]", b"1", b"{}", b'{"say": 1}', b"\xff", b"[" * 60_000])
def test_what_is_no_message_is_not_read(untrusted: bytes) -> None:
    with pytest.raises(wire.Unreadable):
        wire.decode(untrusted, wire.TO_PROXY)


def parts(answer: bytes) -> tuple[str, dict[str, str], str]:
    head, _, body = answer.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    return first, dict(line.split(": ", 1) for line in rest), body


@pytest.mark.parametrize(
    ("count", "listed", "more"), [(0, 0, ""), (1, 1, ""), (64, 64, ""), (66, 64, "and 2 more")]
)
def test_a_refusal_lists_what_is_permitted(count: int, listed: int, more: str) -> None:
    first, headers, body = parts(
        answers.refusal("b.example:80 is no destination", "p", [f"d{n}" for n in range(count)])
    )

    assert first == "HTTP/1.1 403 b.example:80 is no destination (profile p)"
    assert headers["Content-Length"] == str(len(body.encode()))
    assert headers["Connection"] == "close"
    assert body.startswith("wand: b.example:80 is no destination.\n")
    assert sum(line.startswith("  d") for line in body.splitlines()) == listed
    assert (more in body, "  nothing\n" in body, "more\n" in body) == (True, count == 0, bool(more))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "Bad request"), (403, "Forbidden"), (408, "Too slow"), (411, "Length required"),
        (431, "Too large"), (502, "Not reachable"), (503, "Not recorded"), (504, "No answer"),
        (505, "Version not known"),
    ],
)  # fmt: skip
def test_what_came_to_nothing_is_told_with_its_status(status: int, reason: str) -> None:
    first, _, body = parts(answers.trouble(status, "it is so"))

    assert (first, body) == (f"HTTP/1.1 {status} {reason}: it is so", "wand: it is so\n")


def test_no_word_of_a_client_makes_a_header() -> None:
    first, headers, _ = parts(answers.trouble(400, "a\r\nX: 1 é" + "x" * 400))

    assert first.startswith("HTTP/1.1 400 Bad request: a??X: 1 ?x")
    assert len(first) == len("HTTP/1.1 400 ") + 300
    assert "X" not in headers


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answers.TUNNEL, "200 Connection established"),
        (answers.trouble(504, "late"), "504 No answer: late"),
        (b"\x15\x03\x01", "ended by the proxy"),
        (b"", "ended by the proxy"),
    ],
)
def test_an_answer_is_summed_up_by_its_first_line(answer: bytes, said: str) -> None:
    assert answers.summary(answer) == said


def test_so_many_at_once_and_then_so_many_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("wand_hostagent.launcher.egress.pace.time", clock)
    one = Pace(3, 2)

    def taken() -> int:
        return sum(one.take() for _ in range(10))

    assert taken() == 3
    now[0] += 0.49
    assert taken() == 0
    now[0] += 0.51
    assert taken() == 2
    now[0] += 1000
    assert taken() == 3  # what was not used is not saved up
