"""A name that is not UTF-8 has one spelling, which means that name and no other."""

import os
import random

import pytest

from wand_hostagent.launcher.spelling import meant, show


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        (b"plain/\\n\\x41", "plain/\\n\\x41"),
        ("é\U0001f600".encode(), "é\U0001f600"),
        (b"caf\xe9", "caf\\xe9"),
        (b"caf\\xe9", "caf\\x5cxe9"),
        (b"\\x5cxe9", "\\x5cx5cxe9"),
        (b"\\\xe9", "\\\\xe9"),
    ],
)
def test_a_name_is_spelled_so_and_found_by_it(name: bytes, spelled: str) -> None:
    path = os.fsdecode(name)

    assert (show(path), meant(spelled)) == (spelled, path)


def test_another_spelling_of_the_same_bytes_means_the_same_name() -> None:
    assert meant("\\xC3\\xa9") == "é"


def test_whatever_a_name_is_its_spelling_leads_back() -> None:
    dice = random.Random(1)
    for _ in range(20_000):
        name = bytes(dice.choices(b"\\x5c8eE9/\xe9\xc3\xa9", k=dice.randint(1, 9)))
        spelled = show(os.fsdecode(name))
        assert os.fsencode(meant(spelled)) == name
        assert spelled.encode().decode() == spelled
