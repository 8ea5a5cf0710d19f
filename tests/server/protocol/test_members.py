"""Members that stand twice: found wherever they are, and nothing else is taken for one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from wand_server.protocol import members, messages
from wand_server.protocol.failures import INVALID_REQUEST, ProtocolFailure

CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}'
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b'{"name":"read_file","name":"execute_command"}', "name"),
        (b'{"a":[{"b":1},{"c":{"d":1,"d":1}}]}', "d"),
        (b'{"n\\u0061me":1,"name":2}', "name"),
        (b'{"":1,"":2}', ""),
        (b'{"a":"::","a":":"}', "a"),
    ],
)
def test_a_member_that_stands_twice_is_named(text: bytes, name: str) -> None:
    with pytest.raises(members.Twice) as why:
        members.check(from_json(text), text, 200)

    assert str(why.value) == name


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
        b'{"url":"http://127.0.0.1:8001/mcp","a:b":1}',
        b'{"far":1e300,"long":%b,"t":":"}' % (b"9" * 300),
        b'{"deep":%b,"t":":"}' % (b"[" * 120 + b"]" * 120),
    ],
)
def test_what_stands_once_passes(text: bytes) -> None:
    members.check(from_json(text), text, 200)


@given(JSON)
def test_whatever_json_writes_passes(value: object) -> None:
    text = json.dumps(value).encode()

    members.check([from_json(text)], text, 200)


def test_a_call_that_says_two_things_is_refused() -> None:
    with pytest.raises(ProtocolFailure, match="'name' stands twice") as why:
        messages.read(CALL % b'{"name":"read_file","name":"execute_command","arguments":{}}')

    assert why.value.code == INVALID_REQUEST
