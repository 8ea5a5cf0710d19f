"""The worker as a process: it answers in order, outlives what it cannot read, and ends with its socket."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import fileworker
from support.fileworker import Site
from wand_hostagent.filesystem import wire
from wand_hostagent.filesystem.model import Ask, Edit, List, Mode, Read, Replacement, Scan, Search, Write
from wand_hostagent.filesystem.refusal import Refused


@pytest.fixture
def at() -> Iterator[Site]:
    with fileworker.site() as site:
        yield site


def test_asks_may_be_sent_ahead_and_are_answered_in_order(at: Site) -> None:
    for number in range(20):
        at.put(str(number), str(number))
        at.worker.send(Read(path=str(number)))

    answers = [at.worker.receive() for _ in range(20)]

    assert [getattr(each, "data", each) for each in answers] == [str(number).encode() for number in range(20)]


@pytest.mark.parametrize(
    "header",
    [
        b"", b"[]", b"{", b"\xff" * 9, b"[" * 100_000,
        b'{"what":"Read","fields":{"path":1}}', b'{"what":"Read","fields":{"pth":""}}',
        b'{"what":"Read","fields":{}}', b'{"what":"ReadAnswer","fields":{}}', b'{"what":"Stop","fields":{}}',
        b'{"what":"Refused","fields":{}}', b'{"what":"Write","fields":{"path":"f","mode":"other"}}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_and_ends_nothing(at: Site, header: bytes) -> None:
    at.put("f")
    at.worker.sock.sendall(wire.LENGTHS.pack(len(header), 0) + header)

    answer = at.worker.receive()

    assert isinstance(answer, Refused)
    assert answer.kind == "Invalid"
    assert at.ask(Read(path="f")).data == b"x"


def test_a_pattern_that_never_ends_is_stopped(at: Site) -> None:
    at.put("f", "a" * 64 + "!")
    with fileworker.running([at.work], look_seconds=0.3) as worker:
        site = Site(at.top, worker)

        refusal = site.refused(Search(path="", pattern="(a+)+$"))

        assert (refusal.kind, "not done within 0.3 seconds" in refusal.message) == ("TimedOut", True)
        assert "simpler pattern" in refusal.hint
        with at.put("sparse", "first\n").open("r+b") as file:
            file.truncate(1 << 42)
        refusal = site.refused(Read(path="sparse", first_line=9))
        assert (refusal.kind, refusal.hint) == ("TimedOut", "lines far behind take long to find: give offset")
        assert site.ask(Read(path="f")).total_bytes == 65


@pytest.mark.parametrize(
    ("ask", "where"),
    [
        (Search(path="", name_glob="{a,b}" + "*a" * 60 + "z"), "over one name alone"),
        (Search(path="", pattern="(a+)+$"), "over f alone"),
        (Scan(data=b"a" * 64 + b"!", pattern="(a+)+$"), "over a piece of the output alone"),
    ],
)
def test_a_pattern_that_takes_long_over_one_thing_is_stopped_at_once(at: Site, ask: Ask, where: str) -> None:
    at.put("f", "a" * 64 + "!")
    at.put("a" * 250)

    refusal = at.refused(ask)

    assert (refusal.kind, refusal.field) == ("TimedOut", "pattern")
    assert where in refusal.message
    assert "write it without repeats in repeats" in refusal.hint


def test_no_descriptor_is_left_open_by_what_is_asked(at: Site) -> None:
    at.put("a/b/f", "x")
    open_files = Path(f"/proc/{at.worker.process.pid}/fd")

    def use_everything() -> int:
        for path in ("a/b/f", "a", "", "absent", "../x", "a/b/f/g"):
            for ask in (
                Read(path=path), List(path=path, depth=8, max_entries=1),
                Search(path=path, pattern="x", max_matches=1),
                Write(path=path, data=b"x", mode=Mode.CREATE), Write(path=path, data=b"x", mode=Mode.REPLACE),
                Edit(path=path, replacements=(Replacement(old_text="absent", new_text=""),)),
            ):  # fmt: skip
                at.worker.send(ask)
                at.worker.receive()
        return len(list(open_files.iterdir()))

    first = use_everything()

    assert [use_everything() for _ in range(3)] == [first] * 3


def test_a_frame_too_large_ends_the_worker(at: Site) -> None:
    at.worker.sock.sendall(wire.LENGTHS.pack(2**32 - 1, 0))

    with pytest.raises(EOFError):
        at.worker.receive()
    assert at.worker.process.wait(10) == 0


def test_the_worker_ends_with_its_socket(at: Site) -> None:
    at.worker.sock.shutdown(socket.SHUT_WR)

    assert at.worker.process.wait(10) == 0


def test_a_socket_that_is_no_connection_ends_the_worker_quietly() -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")
        listening.listen()
        done = subprocess.run(
            [sys.executable, fileworker.PROGRAM],
            stdin=listening.fileno(),
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
