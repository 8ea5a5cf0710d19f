"""Bytes become text that a model can read, and nothing of them can play tricks on a terminal."""

import pytest

from wand_proto.plaintext import plain
from wand_server.tools import render


def shown(data: bytes, **changes: object) -> str:
    facts = {"name": "stdout", "job": "j", "data": data, "total_bytes": len(data), **changes}
    return render.show_stream(render.Stream(**facts)).text  # type: ignore[arg-type]  # facts are a stream's


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1b(Bset \x1b=mode", "set mode"),
        (b"\x1b]never ends\nnext line", "\nnext line"),
        (b"10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        (b"bell\x07 back\x08", "bell back"),
        ("grüße €".encode(), "grüße €"),
        (b"caf\xe9 au lait, s'il vous plait", "caf\\xe9 au lait, s'il vous plait"),
    ],
)
def test_terminal_control_sequences_are_taken_out(data: bytes, text: str) -> None:
    assert shown(data) == text


def test_a_hundred_thousand_escape_characters_are_taken_out_in_no_time() -> None:
    assert plain("\x1b]" * 50_000 + "\x1b[" * 50_000 + "end") == "nd"


@pytest.mark.parametrize(("cut", "kept"), [(1, "a"), (2, "a"), (3, "a"), (4, "a€")])
def test_a_character_cut_at_the_end_of_the_head_is_left_to_the_rest(cut: int, kept: str) -> None:
    head, tail = "a€".encode()[:cut], b"z"

    text = shown(head + tail, total_bytes=1000, omitted=(cut, 999))

    assert text.startswith(f"{kept}\n[... {1000 - len(kept.encode()) - 1} bytes left out")
    assert f"offset={len(kept.encode())} ..." in text
    assert text.endswith("]\nz")


def test_a_character_cut_at_the_start_of_the_tail_is_left_to_the_rest() -> None:
    text = shown(b"a" + "€z".encode()[1:], total_bytes=1000, omitted=(1, 997))

    assert text.endswith("]\nz")
    assert "998 bytes left out" in text


@pytest.mark.parametrize(
    ("data", "is_binary"),
    [
        (b"", False),
        (b"text\n" * 100, False),
        ("日本語".encode(), False),
        ("\ufffd".encode() * 10, False),
        (b"a\0b", True),
        (bytes(range(128, 256)), True),
    ],
)
def test_binary_is_what_holds_a_nul_or_too_little_utf8(data: bytes, *, is_binary: bool) -> None:
    assert render.is_binary(data) is is_binary


def test_a_text_too_long_for_a_result_loses_its_middle() -> None:
    text = render.clipped("a" * 1000 + "é" * 1000 + "z" * 1000, 1000)

    assert len(text.encode()) <= 1000
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert "too long" in text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.25, "250 ms"),
        (2.5, "2.5 s"),
        (42, "42 s"),
        (150, "2 min 30 s"),
        (8000, "2 h 13 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_read_as_people_say_them(amount: float, text: str) -> None:
    assert render.seconds(amount) == text


@pytest.mark.parametrize(("amount", "text"), [(5, "5 bytes"), (2048, "2.0 KiB"), (3 * 2**40, "3.0 TiB")])
def test_sizes_read_as_people_say_them(amount: int, text: str) -> None:
    assert render.size(amount) == text
