"""A log line is one JSON object, and no secret is in it."""

import io
import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from wand_proto import logline
from wand_proto.context import REQUEST_ID
from wand_proto.errors import Invalid

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIr\n-----END EC PRIVATE KEY-----"


def line(event: str, *args: object, exc_info: Any = None, **extra: object) -> dict[str, Any]:
    record = logging.makeLogRecord(
        {"levelname": "INFO", "msg": event, "args": args, "exc_info": exc_info, "created": 1.25, **extra}
    )
    text = logline.Formatter("server").format(record)
    assert "\n" not in text
    read: dict[str, Any] = json.loads(text)
    return read


def test_a_line_tells_when_who_what_and_for_which_request() -> None:
    token = REQUEST_ID.set("abc")
    try:
        assert line("job exited", job="j", status=3) == {
            "ts": "1970-01-01T00:00:01.250Z", "level": "info", "component": "server",
            "event": "job exited", "request_id": "abc", "job": "j", "status": 3,
        }  # fmt: skip
    finally:
        REQUEST_ID.reset(token)


@pytest.mark.parametrize(
    "name",
    [
        "token", "api_key", "apiKey", "key", "private_key", "password", "passwd", "client_secret",
        "authorization", "Authorization", "set-cookie", "credentials", "access_token", "passphrase",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["hunter2", b"hunter2", ["hunter2"], {"a": "hunter2"}, 1234])
def test_a_field_with_a_secrets_name_is_struck_out(name: str, value: object) -> None:
    assert line("e", **{name: value})[name] == "[struck out]"
    assert line("e", inside={"deeper": [{name: value}]})["inside"]["deeper"][0][name] == "[struck out]"


PARTS = (
    "-----BEGIN ", "PRIVATE KEY-----", "Bearer ", "basic ", "wand_", "AKIA", "eyJ", "ghp_", "sk-", "xoxb-",
    "glpat-", "github_pat_", "://", "password=", "token=", "secret=", "api_key=", ":", "@", ".", "-", " ",
    "a", "Z9", "0123456",
)  # fmt: skip


@given(text=some.lists(some.sampled_from(PARTS), max_size=4).map("".join))
@example("basic 01234567")
@example("token=a")
@example("AKIA0123456789ABCDEF")
@example("ghp_0123456789abcdef")
@example("://:a@")
def test_a_short_text_is_read_as_any_other(text: str) -> None:
    assert logline.strike(text) == logline.struck(text)


@pytest.mark.parametrize("name", ["monkey", "keyboard", "path", "keys_loaded", "job"])
def test_a_harmless_field_is_left(name: str) -> None:
    assert line("e", **{name: "value"})[name] == "value"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefghij.klm", "Authorization: [struck out]"),
        ("Basic dXNlcjpwYXNz", "[struck out]"),
        ("key wand_0123456789abcdefABCDEF_- is bad", "key [struck out] is bad"),
        (f"before {PEM} after", "before [struck out] after"),
        ("-----BEGIN PRIVATE KEY-----\ncut", "[struck out]"),
        ("id AKIAIOSFODNN7EXAMPLE", "id [struck out]"),
        (f"t={JWT}!", "t=[struck out]!"),
        ("https://me:hunter2@host/x", "https://[struck out]@host/x"),
        ("?password=hunter2&x=1", "?password=[struck out]&x=1"),
        ("ghp_0123456789abcdef0123", "[struck out]"),
        ("module wand_hostagent.daemon started", "module wand_hostagent.daemon started"),
        ("basic facts", "basic facts"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out_anywhere(text: str, left: str) -> None:
    assert line(text.replace("%", "%%"))["event"] == left
    assert line("e", said=text)["said"] == left
    assert line("e", said=[text.encode()])["said"] == [left]
    assert line("e", said={"deep": {text: 1}})["said"]["deep"].keys() == {left}


def test_an_exception_is_one_field_without_secrets() -> None:
    try:
        json.loads(JWT, parse_float=None)
    except ValueError as error:
        error.args = (f"bad {JWT}",)
        read = line("failed", exc_info=sys.exc_info())
    assert "Traceback" in read["exception"]
    assert "JSONDecodeError: bad [struck out]" in read["exception"]


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Rude(), "<Rude>"),
        ("\ud800", "\ud800"),
        (b"\xff", "\\xff"),
        (10**40, str(10**40)),
        (None, None),
        (True, True),
        ("x" * 10_000, "x" * 4096 + "…"),
    ],
)
def test_no_value_breaks_the_line(value: object, shown: object) -> None:
    assert line("e", value=value)["value"] == shown


def test_a_wrong_format_a_circle_and_a_flood_do_not_break_the_line() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert line("%d files", "no number")["event"] == "%d files"
    table: dict[str, object] = {}
    table["table"] = table
    assert line("e", circle=circle, table=table)["event"] == "e"
    flood = line("e", **{f"field{number}": "x" * 4000 for number in range(100)})
    assert flood.keys() == {"ts", "level", "component", "event", "cut"}
    assert (flood["event"], flood["cut"][0]) == ("e", "field0")
    assert len(json.dumps(flood)) < 32 * 1024


def test_a_field_cannot_pose_as_one_of_ours() -> None:
    assert line("e", component="forged")["component"] == "server"


def test_configure_writes_lines_from_the_level_on(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    try:
        logline.configure("hostagent", "info")
        logging.getLogger("a").info("seen")
        logging.getLogger("a").debug("unseen")
        text = stderr.getvalue()
    finally:
        logging.captureWarnings(False)
        root.handlers[:], root.level = before
    assert [json.loads(each)["event"] for each in text.splitlines()] == ["seen"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(Invalid, match="must be one of debug, info, warning, error"):
        logline.configure("server", "loud")
