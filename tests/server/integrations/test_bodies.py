"""Bodies of answers by their media type; what is not as it says is text, and what could harm is refused."""

from typing import Any

import pytest

from wand_server.integrations.kit import bodies, plainxml

LISTING = b"""<?xml version="1.0"?><R xmlns="http://a.example/"><Name>b</Name><On/>
<C><Key>1</Key></C><C x:type="k" xmlns:x="u"><Key>2</Key></C></R>"""
LAUGHS = b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r>&b;</r>'
OUTSIDE = b'<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>'


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("application/json", b'{"a":1}', {"a": 1}),
        ("application/problem+json; charset=utf-8", b"[]", []),
        ("application/json", b"not json", "not json"),
        ("application/json", b'{"a":"\\ud83d", "b": 1e400}', {"a": "\ud83d", "b": float("inf")}),
        (
            "application/json",
            b'[12345678901234567890123, 0.1, "\\u00e9\xc3\xa9"]',
            [12345678901234567890123, 0.1, "éé"],
        ),
        ("application/json", b'"\xff"', "\ufffd"),
        ("application/json", b"[" * 9999, "[" * 9999),
        ("application/json", b"", None),
        ("text/plain; charset=latin-1", b"\xfc", "\u00fc"),
        ("text/plain; charset=none-such", b"\xc3\xbc", "\u00fc"),
        ("application/x-ndjson", b'{"a":1}\n\n{"a":2}\r\n', [{"a": 1}, {"a": 2}]),
        ("application/x-ndjson", b'{"a":1}\n{"a', '{"a":1}\n{"a'),
        ("text/event-stream", b'event: x\ndata: {"a":1}\n\n: ping\n\ndata: [DONE]\n\n', [{"a": 1}]),
        ("text/event-stream", b"data: one\r\ndata: two\r\n\r\ndata:last", ["one\ntwo", "last"]),
        (
            "application/xml",
            LISTING,
            {"R": {"Name": "b", "On": "", "C": [{"Key": "1"}, {"@type": "k", "Key": "2"}]}},
        ),
        ("text/xml", b"<a>x<b>y</b></a>", {"a": {"b": "y", "#text": "x"}}),
        ("text/xml", b"<a> x </a>", {"a": " x "}),
        ("application/xml", b"<a>", "<a>"),
        ("application/xml", LAUGHS, LAUGHS.decode()),
        ("image/svg+xml", OUTSIDE, OUTSIDE.decode()),
    ],
)
def test_a_body_is_read_as_its_type_says(kind: str, raw: bytes, value: Any) -> None:
    assert bodies.read(raw, kind) == value


@pytest.mark.parametrize("raw", [LAUGHS, OUTSIDE, b"<a>" * 80 + b"</a>" * 80, b"<a></b>", b"\xff"])
def test_xml_that_could_be_an_attack_is_none(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"document type|deeply|mismatched|invalid|unclosed"):
        plainxml.read(raw)
