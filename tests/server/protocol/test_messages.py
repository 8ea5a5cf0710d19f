"""One message is read from bytes, or refused with what is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wand_server.protocol import messages
from wand_server.protocol.failures import INVALID_REQUEST, PARSE_ERROR, ProtocolFailure
from wand_server.protocol.messages import Notification, Request, Response


def test_a_request_has_an_id_a_notification_has_none_and_a_response_has_no_method() -> None:
    assert messages.read(b'{"jsonrpc":"2.0","id":"7","method":"ping"}') == Request(
        id="7", method="ping", params=None
    )
    assert messages.read(b'{"jsonrpc":"2.0","method":"n","params":{"a":1}}') == Notification(
        method="n", params={"a": 1}
    )
    assert isinstance(messages.read(b'{"jsonrpc":"2.0","id":1,"result":{}}'), Response)


@pytest.mark.parametrize("levels", [messages.DEPTH_CEILING - 2, messages.DEPTH_CEILING + 1, 5000])
def test_depth_has_a_ceiling(levels: int) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":' + b"[" * levels + b"]" * levels + b"}}"

    if levels < messages.DEPTH_CEILING:
        assert isinstance(messages.read(body), Request)
        return
    with pytest.raises(ProtocolFailure) as refused:
        messages.read(body)
    assert refused.value.code == PARSE_ERROR


@pytest.mark.parametrize("many", [b"[],", b"{},", b'{"a\\"[":[]},'])
def test_there_are_only_so_many_arrays_and_objects(many: bytes) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[%s1]}}' % (
        many * messages.CONTAINERS_CEILING
    )

    with pytest.raises(ProtocolFailure, match="arrays and objects") as refused:
        messages.read(body)
    assert refused.value.code == PARSE_ERROR


@pytest.mark.parametrize("text", ["[" * 300_000, '{"' * 300_000, "\\[" * 300_000, '"[\\' * 300_000])
def test_brackets_in_a_text_are_none(text: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": text}}).encode()

    assert messages.read(body) == Request(id=1, method="m", params={"a": text})


@pytest.mark.parametrize("start", [b'"', b'{"a":"'])
def test_a_text_without_an_end_is_looked_through_once(start: bytes) -> None:
    with pytest.raises(ProtocolFailure, match="not JSON"):
        messages.read(start + b'[\\"' * 300_000)


def test_a_batch_is_refused() -> None:
    one = b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}'
    with pytest.raises(ProtocolFailure, match="one message at a time") as refused:
        messages.read(b"[" + b",".join([one] * 10_000) + b"]")
    assert refused.value.code == INVALID_REQUEST


@pytest.mark.parametrize("key", ["jsonrpc", "method", "params", "id"])
def test_a_field_that_is_wrong_is_named(key: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "m", "params": {}, key: [1]}

    with pytest.raises(ProtocolFailure, match=key) as refused:
        messages.read(json.dumps(body).encode())

    assert refused.value.code == INVALID_REQUEST
    assert refused.value.request_id == (None if key == "id" else 1)


def test_a_number_of_any_length_is_refused_or_read_but_does_not_hang() -> None:
    with pytest.raises(ProtocolFailure):
        messages.read(b'{"jsonrpc":"2.0","id":' + b"9" * 100_000 + b',"method":"m"}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {}, optional={name: JSON | st.just("2.0") for name in ("jsonrpc", "id", "method", "params", "result")}
)


@given(st.binary(max_size=200) | st.builds(lambda body: json.dumps(body).encode(), FIELDS | JSON))
def test_whatever_comes_is_read_or_refused(untrusted: bytes) -> None:
    try:
        message = messages.read(untrusted)
    except ProtocolFailure as why:
        assert why.status == 400  # noqa: PT017 - both ends are right
    else:
        assert isinstance(message, Request | Notification | Response)


@pytest.mark.parametrize(
    "character", [*map(chr, range(0x20)), "\x7f", "\x85", "\u2028", "\u2029", "\\\u2028"]
)
def test_no_character_ends_the_line_that_a_message_is_written_on(character: str) -> None:
    message = {"jsonrpc": "2.0", "id": f"a{character}b{character}", "method": "n"}

    line = messages.one_line(messages.write(message)).decode()

    assert line.splitlines() == [line]
    assert json.loads(line) == message
