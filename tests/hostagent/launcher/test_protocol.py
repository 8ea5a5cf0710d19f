"""Every field of every request: what is not as the table says is refused by its name."""

from typing import Any

import pytest

from wand_hostagent.launcher import protocol
from wand_hostagent.launcher.protocol import Unreadable, decode, encode, read_request

RUN: dict[str, Any] = {
    "do": "run", "re": 1, "job": "j", "profile": "p", "argv": ["true"], "directory": "",
    "environment": {}, "limits": {}, "why": {},
}  # fmt: skip
KILL: dict[str, Any] = {"do": "kill", "re": 1, "job": "j", "signal": 9, "reason": "cancelled"}
RECORD: dict[str, Any] = {"do": "record", "re": 1, "event": "file", "fields": {}}
LONG = "x" * (protocol.MAX_TEXT + 1)


def test_a_good_request_is_read_whole() -> None:
    request = read_request(decode(encode(RUN)), 5)
    assert (request.do, request.re, request.fields["argv"]) == ("run", 1, ["true"])


@pytest.mark.parametrize(
    ("message", "field", "wrong"),
    [
        (RUN, "re", -1),
        (RUN, "re", True),
        (RUN, "re", "1"),
        (RUN, "re", None),
        (RUN, "do", "shell"),
        (RUN, "do", 7),
        (RUN, "job", 5),
        (RUN, "job", "j" * 129),
        (RUN, "job", "a\0b"),
        (RUN, "profile", ["p"]),
        (RUN, "argv", []),
        (RUN, "argv", "true"),
        (RUN, "argv", ["true", 1]),
        (RUN, "argv", ["a\0b"]),
        (RUN, "argv", [LONG]),
        (RUN, "argv", ["x"] * 1025),
        (RUN, "directory", 1),
        (RUN, "directory", "/" * 4097),
        (RUN, "environment", []),
        (RUN, "environment", {"A=B": "1"}),
        (RUN, "environment", {"": "1"}),
        (RUN, "environment", {"A": 1}),
        (RUN, "environment", {"A": "\0"}),
        (RUN, "limits", {"wall_seconds": 0}),
        (RUN, "limits", {"wall_seconds": -1}),
        (RUN, "limits", {"wall_seconds": True}),
        (RUN, "limits", {"wall_seconds": "5"}),
        (RUN, "limits", {"wall_seconds": float("nan")}),
        (RUN, "limits", {"wall_seconds": 1e30}),
        (RUN, "limits", {"luck": 1}),
        (RUN, "why", {"rule": {"a": 1}}),
        (RUN, "why", {str(n): 1 for n in range(65)}),
        (KILL, "signal", "TERM"),
        (KILL, "signal", -9),
        (KILL, "signal", 1.5),
        (KILL, "reason", "because"),
        (KILL, "reason", []),
        (RECORD, "event", 1),
        (RECORD, "fields", [1]),
    ],
)
def test_a_field_that_is_not_as_the_table_says_is_named(
    message: dict[str, Any], field: str, wrong: object
) -> None:
    with pytest.raises(Unreadable) as unreadable:
        read_request({**message, field: wrong}, 3 if message is RUN else 0)
    assert unreadable.value.field == field


@pytest.mark.parametrize("message", [RUN, KILL, RECORD])
def test_every_field_is_needed(message: dict[str, Any]) -> None:
    for field in message:
        with pytest.raises(Unreadable) as unreadable:
            read_request({name: value for name, value in message.items() if name != field}, 3)
        assert unreadable.value.field in {field, "descriptors"}


def test_a_field_that_nobody_knows_is_named() -> None:
    with pytest.raises(Unreadable, match="user: is not a field of run"):
        read_request({**RUN, "user": "root"}, 3)


@pytest.mark.parametrize(("do", "count"), [("run", 0), ("run", 4), ("run", 6), ("worker", 0), ("jobs", 1)])
def test_descriptors_come_in_the_number_that_belongs_to_the_request(do: str, count: int) -> None:
    with pytest.raises(Unreadable) as unreadable:
        read_request({"do": do, "re": 1, **({} if do == "jobs" else RUN)} | {"do": do}, count)
    assert unreadable.value.field in {"descriptors", "argv", "directory", "environment", "limits"}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_not_read(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(raw)


def test_a_message_that_no_datagram_holds_is_not_made() -> None:
    with pytest.raises(Unreadable, match="the most is"):
        encode({"text": "x" * protocol.MESSAGE_BYTES})


@pytest.mark.parametrize(
    ("untrusted", "said"),
    [
        (b"[]", "is not an object"),
        (b"1", "is not an object"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
    ],
)
def test_what_is_no_message_is_said_of_the_message(untrusted: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as refused:
        decode(untrusted)
    assert refused.value.field == "message"
