"""What is packed into a frame comes out the same."""

import pytest

from wand_hostagent.filesystem import wire
from wand_hostagent.filesystem.model import (
    Answer,
    Ask,
    Edit,
    Entry,
    Kind,
    List,
    ListAnswer,
    Match,
    Mode,
    Read,
    ReadAnswer,
    Replacement,
    Search,
    SearchAnswer,
    Write,
    WriteAnswer,
)  # fmt: skip
from wand_hostagent.filesystem.refusal import Refused

ODD = 'a"\\\n\0\ud800é\U0001f600'


@pytest.mark.parametrize(
    "value",
    [
        Read(path=ODD, offset=2**40),
        ReadAnswer(path=ODD, data=b"\0\xff", offset=0, total_bytes=2, binary=True, sha256="",
                   modified_unix_seconds=1),
        Write(path="f", data=b"", mode=Mode.APPEND, create_directories=True),
        WriteAnswer(path="f", total_bytes=0, sha256="x", diff=ODD),
        Edit(path="f", replacements=(Replacement(old_text=ODD, new_text="", every=True),)),
        List(path="f"),
        ListAnswer(
            path="f",
            entries=(Entry(path="a", kind=Kind.LINK, bytes=0, modified_unix_seconds=0.5, mode=0o777,
                           target="b"),),
            truncated=False,
        ),
        Search(path="f", pattern=ODD),
        SearchAnswer(
            path="f",
            matches=(Match(path="a", line=1, text=ODD, before=("x",), after=("y", "z")),),
            truncated=True,
            files_searched=1,
            files_skipped=2,
        ),
    ],
)  # fmt: skip
def test_a_value_comes_out_of_its_frame_the_same(value: Ask | Answer) -> None:
    frame = wire.pack(value)
    header, body = wire.LENGTHS.unpack_from(frame)
    start = wire.LENGTHS.size

    assert len(frame) == start + header + body
    assert wire.unpack(frame[start : start + header], frame[start + header :]) == value


def test_a_refusal_keeps_its_parts() -> None:
    frame = wire.pack(Refused("Denied", "no", hint="yes", field="path"))

    got = wire.unpack(frame[wire.LENGTHS.size :], b"")

    assert isinstance(got, Refused)
    assert (got.kind, got.message, got.hint, got.field) == ("Denied", "no", "yes", "path")
