"""Answers of name servers: those to our question, and of them those that it leads to."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wand_hostagent.launcher.egress import dns

A, CNAME, AAAA = 1, 5, 28


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, content: bytes) -> bytes:
    return owner + struct.pack("!HHIH", kind, 1, 60, len(content)) + content


def answer(question: dns.Question, *records: bytes, flags: int = 0x8180) -> bytes:
    head = struct.pack("!6H", question.number, flags, 1, len(records), 0, 0)
    return head + question.name + struct.pack("!HH", question.kind, 1) + b"".join(records)


def address(text: str) -> bytes:
    return socket.inet_aton(text)


def test_an_address_of_the_name_is_found() -> None:
    question = dns.ask("site.example", A)
    found = dns.read(answer(question, record(b"\xc0\x0c", A, address("1.2.3.4"))), question)
    assert found == (address("1.2.3.4"),)


def test_an_alias_is_followed_and_a_stranger_s_record_is_not() -> None:
    question = dns.ask("site.example", A)
    said = answer(
        question,
        record(name("Site.Example"), CNAME, name("real.example")),
        record(name("evil.example"), A, address("6.6.6.6")),
        record(name("real.example"), A, address("1.2.3.4")),
        record(name("site.example"), A, address("6.6.6.7")),
    )
    assert dns.read(said, question) == (address("1.2.3.4"),)


def test_a_name_that_is_not_there_has_no_address() -> None:
    question = dns.ask("site.example", AAAA)
    assert dns.read(answer(question, flags=0x8183), question) == ()


def test_an_address_of_the_wrong_length_is_none() -> None:
    question = dns.ask("site.example", AAAA)
    assert dns.read(answer(question, record(b"\xc0\x0c", AAAA, b"1234")), question) == ()


def test_an_answer_to_another_question_is_none() -> None:
    question = dns.ask("site.example", A)
    right = answer(question, record(b"\xc0\x0c", A, address("1.2.3.4")))
    other = dns.ask("evil.example", A)
    wrong = [
        bytes([right[0] ^ 1]) + right[1:],
        right[:2] + b"\x01\x80" + right[4:],
        answer(dns.Question(question.number, A, other.name), record(b"\xc0\x0c", A, address("1.2.3.4"))),
        answer(question, flags=0x8182),
        right[:20],
        answer(question, record(b"\xc0\xff", A, address("1.2.3.4"))),
        answer(question, record(bytes([0xC0, len(right)]), A, address("1.2.3.4"))),
    ]
    for message in wrong:
        with pytest.raises(dns.Unanswered):
            dns.read(message, question)


@given(st.binary(max_size=200), st.integers(0, 80))
def test_no_bytes_make_the_reader_fail_in_another_way(rest: bytes, kept: int) -> None:
    question = dns.Question(7, A, name("site.example"))
    message = answer(question, record(b"\xc0\x0c", A, address("1.2.3.4")))[:kept] + rest
    try:
        found = dns.read(message, question)
    except dns.Unanswered:
        return
    assert all(len(one) == 4 for one in found)
