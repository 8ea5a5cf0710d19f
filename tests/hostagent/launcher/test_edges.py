"""The bounds at which the launcher's pure parts turn, and the words that they go by: tables of values."""

import ipaddress
import resource
import socket
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.places import short_folder
from wand_hostagent.launcher import anchors, closure, ends, limits, listener, options, protocol
from wand_hostagent.launcher.egress import dns
from wand_hostagent.launcher.egress.addresses import is_public
from wand_hostagent.launcher.ledger import MOST_BYTES, MOST_DAYS, Head
from wand_hostagent.launcher.profile import Profile, load
from wand_hostagent.launcher.protocol import Unreadable, read_request

# -- messages ------------------------------------------------------------------------------------------

RUN: dict[str, Any] = {
    "do": "run", "re": 1, "job": "j", "profile": "p", "argv": ["true"], "directory": "",
    "environment": {}, "limits": {}, "why": {},
}  # fmt: skip
OTHERS: dict[str, tuple[dict[str, Any], int]] = {
    "worker": ({"job": "j", "profile": "p", "why": {}}, 1),
    "kill": ({"job": "j", "signal": 9, "reason": "signal"}, 0),
    "record": ({"event": "e", "fields": {}}, 0),
    "note": ({"event": "e", "fields": {}}, 0),
    "jobs": ({}, 0),
    "adopt": ({"job": "j"}, 0),
    "forget": ({"job": "j"}, 0),
    "profiles": ({}, 0),
    "ledger": ({}, 0),
}


def test_the_table_is_closed() -> None:
    assert {"run", *OTHERS} == set(protocol.REQUESTS)
    assert set(protocol.LIMIT_NAMES) == {
        "wall_seconds", "memory_bytes", "cpu_seconds", "processes", "open_files", "file_size_bytes",
        "output_bytes",
        "disk_bytes", "cpu_percent",
    }  # fmt: skip
    assert (protocol.MESSAGE_BYTES, protocol.MAX_TEXT, protocol.MAX_WORDS) == (163_840, 65_536, 1024)
    assert (protocol.MAX_DESCRIPTORS, protocol.MAX_NAME, protocol.MAX_PRINCIPAL) == (5, 128, 256)


@pytest.mark.parametrize("do", list(OTHERS))
def test_every_request_has_these_fields_and_no_others(do: str) -> None:
    fields, count = OTHERS[do]
    assert read_request({"do": do, "re": 0, **fields}, count).fields == fields
    with pytest.raises(Unreadable, match="other: is not a field"):
        read_request({"do": do, "re": 0, **fields, "other": 1}, count)
    with pytest.raises(Unreadable):
        read_request({"do": do, "re": 0, **fields}, count + 2)
    for name in fields:
        with pytest.raises(Unreadable) as unreadable:
            read_request({"do": do, "re": 0, **fields, name: None}, count)
        assert unreadable.value.field == name


@pytest.mark.parametrize(
    ("do", "more", "fits"),
    [
        ("ledger", {"before": 0}, True), ("ledger", {"before": -1}, False), ("note", {"quiet": True}, True),
        ("note", {"quiet": False}, False), ("forget", {"quiet": True}, True), ("forget", {"quiet": 1}, False),
        ("kill", {"quiet": True}, False), ("record", {"quiet": True}, False),
    ],
)  # fmt: skip
def test_what_may_be_left_out(do: str, more: dict[str, Any], *, fits: bool) -> None:
    fields, count = OTHERS[do]
    if fits:
        assert read_request({"do": do, "re": 1, **fields, **more}, count).fields == {**fields, **more}
        return
    with pytest.raises(Unreadable) as unreadable:
        read_request({"do": do, "re": 1, **fields, **more}, count)
    assert unreadable.value.field in more


GOOD = [
    ({}, 3), ({}, 5), ({"network": "none"}, 3), ({"network": "loopback"}, 5),
    ({"terminal": {"columns": 1, "rows": 65535}}, 2),
    ({"re": 2**63 - 1}, 3), ({"job": "j" * 128}, 3), ({"argv": ["x" * 65536]}, 3),
    ({"argv": ["x"] * 1024}, 3),
    ({"directory": "/" * 4096}, 3), ({"environment": {f"v{number}": "" for number in range(1024)}}, 3),
    ({"limits": {"wall_seconds": 0.1, "processes": 2**62}}, 3),
    ({"why": {str(number): 1 for number in range(64)}}, 3),
    ({"why": {"a": None, "b": True, "c": 1.5, "d": "x", "e": ["x"] * 1024, "f": -(2**62)}}, 3),
]  # fmt: skip


@pytest.mark.parametrize(("more", "count"), GOOD)
def test_what_just_fits(more: dict[str, Any], count: int) -> None:
    asked = {**RUN, **more}
    assert read_request(asked, count) == (
        "run",
        asked["re"],
        {k: v for k, v in asked.items() if k not in {"do", "re"}},
    )


BAD = [
    ({"re": 2**63}, "re", 3), ({"network": "host"}, "network", 3), ({"network": ""}, "network", 3),
    ({"terminal": {"columns": 0, "rows": 1}}, "terminal", 2),
    ({"terminal": {"columns": 65536, "rows": 1}}, "terminal", 2),
    ({"terminal": {"columns": 1}}, "terminal", 2),
    ({"terminal": {"columns": 1, "rows": 1}}, "descriptors", 3),
    ({"terminal": {"columns": 1, "rows": 1, "x": 1}}, "terminal", 2), ({"terminal": []}, "terminal", 2),
    ({"argv": ["x" * 65537]}, "argv", 3),
    ({"environment": {f"v{number}": "" for number in range(1025)}}, "environment", 3),
    ({"limits": {"wall_seconds": 2**63}}, "limits", 3), ({"why": {"a": ["x"] * 1025}}, "why", 3),
    ({"why": {"a": [1]}}, "why", 3), ({"why": {"a": "\0"}}, "why", 3), ({"why": {"a": 2**63}}, "why", 3),
]  # fmt: skip


@pytest.mark.parametrize(("more", "field", "count"), BAD)
def test_what_is_just_too_much(more: dict[str, Any], field: str, count: int) -> None:
    with pytest.raises(Unreadable) as unreadable:
        read_request({**RUN, **more}, count)
    assert unreadable.value.field == field


def test_a_datagram_holds_so_much() -> None:
    rest = len(protocol.encode({"a": ""}))
    assert len(protocol.encode({"a": "x" * (protocol.MESSAGE_BYTES - rest)})) == protocol.MESSAGE_BYTES
    with pytest.raises(Unreadable):
        protocol.encode({"a": "x" * (protocol.MESSAGE_BYTES - rest + 1)})


# -- the command line, and what tells systemd ----------------------------------------------------------

NEEDED = ["--profiles", "/p", "--ledger", "/l"]


def test_what_the_launcher_does_unless_it_is_told() -> None:
    told = options.read(NEEDED)
    assert (told.socket, told.state, told.peer_uid, told.ready_fd, told.cgroup, told.egress) == (
        "",
        "",
        None,
        None,
        "",
        "",
    )
    assert (told.explain, told.development, told.allow_unconfined, told.fork) == ("", False, False, False)
    assert (told.anchor, told.secret) == ((), ())
    assert (told.ledger_most_bytes, told.ledger_most_days) == (MOST_BYTES, MOST_DAYS) == (64 * 2**20, 30)


def test_what_the_launcher_is_told() -> None:
    words = """--socket s --state t --ready-fd 5 --development --allow-unconfined --fork --cgroup c --egress
    e --explain x
    --ledger-most-bytes 99999999 --ledger-most-days 0.5 --anchor journal --anchor syslog --anchor /a
    --secret pin --secret q"""
    told = options.read([*NEEDED, *words.split()])
    assert (told.profiles, told.ledger, told.socket, told.state, told.ready_fd) == ("/p", "/l", "s", "t", 5)
    assert (told.development, told.allow_unconfined, told.fork) == (True, True, True)
    assert (told.cgroup, told.egress, told.explain) == ("c", "e", "x")
    assert (told.anchor, told.secret) == (("journal", "syslog", "/a"), ("pin", "q"))
    habits = told.habits
    assert (habits.most_bytes, habits.most_seconds, habits.secrets) == (99_999_999, 43_200, ("pin", "q"))


@pytest.mark.parametrize(
    "words",
    [
        "--ledger-most-bytes 1",
        "--ledger-most-bytes x",
        "--ledger-most-bytes ٣٣٣٣٣٣٣٣٣٣",
        "--anchor a",
        "--profile x",
    ],
)
def test_what_the_launcher_cannot_be_told(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.read([*NEEDED, *words.split()])
    assert (ended.value.code, words.split(maxsplit=1)[0] in capsys.readouterr().err) == (2, True)
    least = options._LEAST_BYTES
    assert options.read([*NEEDED, "--ledger-most-bytes", str(least)]).ledger_most_bytes == least
    with pytest.raises(SystemExit):
        options.read([*NEEDED, "--ledger-most-bytes", str(least - 1)])


@pytest.mark.parametrize(
    ("pid", "microseconds", "seconds"),
    [(None, "1500000", 1.5), (None, None, 0.0), (None, "x", 0.0), ("1", "1500000", 0.0)],
)
def test_how_long_systemd_waits_for_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, pid: str | None, microseconds: str | None, seconds: float
) -> None:
    for name, value in (("WATCHDOG_PID", pid), ("WATCHDOG_USEC", microseconds)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert listener.watchdog_seconds() == seconds


HEAD = Head(seq=7, hash="ab" * 32)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("journal", "MESSAGE={0}\nPRIORITY=5\nSYSLOG_IDENTIFIER=wand-launcher\n"),
        ("syslog", "<85>wand-launcher["),
    ],
)
def test_a_head_is_told_to_the_system(monkeypatch: pytest.MonkeyPatch, place: str, said: str) -> None:
    text = f"wand-ledger seq=7 hash={HEAD.hash}"
    assert anchors._SOCKETS == {"journal": "/run/systemd/journal/socket", "syslog": "/dev/log"}
    with short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hears:
        hears.bind(str(folder / "s"))
        hears.settimeout(60)
        monkeypatch.setattr(anchors, "_SOCKETS", {place: str(folder / "s")})
        anchors.Anchors([place]).tell(HEAD)
        heard = hears.recv(4096).decode()
    assert heard.startswith(said.format(text))
    assert text in heard


def test_a_head_is_told_to_a_file_and_one_that_cannot_be_told_stops_nobody(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    anchors.Anchors(["/nowhere/x", str(tmp_path / "heads")]).tell(HEAD)
    anchors.Anchors([str(tmp_path / "heads")]).tell(replace(HEAD, seq=8))
    lines = (tmp_path / "heads").read_text().splitlines()
    assert lines == [f"wand-ledger seq={seq} hash={HEAD.hash}" for seq in (7, 8)]
    assert (tmp_path / "heads").stat().st_mode & 0o777 == 0o600
    assert "head not anchored" in capfd.readouterr().err


# -- limits and ends -----------------------------------------------------------------------------------


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    path = tmp_path / "p.toml"
    path.write_text(f'name = "p"\nworkspace = "{tmp_path}"\n[limits]\nwall_seconds = 2\nprocesses = 9\n')
    path.chmod(0o644)
    return load(str(tmp_path), development=True).take("p")


def test_the_lower_limit_counts(profile: Profile) -> None:
    assert limits.granted(profile, {}) == {"wall_seconds": 2, "processes": 9}
    asked = {"wall_seconds": 1.5, "processes": 9.9, "open_files": 0.5, "cpu_seconds": 0.5}
    assert limits.granted(profile, asked) == {
        "wall_seconds": 1.5,
        "processes": 9,
        "open_files": 1,
        "cpu_seconds": 0.5,
    }
    assert limits.granted(profile, {"wall_seconds": 5}) == {"wall_seconds": 2, "processes": 9}


@pytest.mark.parametrize(
    ("wanted", "more", "number", "pair"),
    [
        ({}, {}, resource.RLIMIT_CORE, (1, 1)), ({"cpu_seconds": 1.2}, {}, resource.RLIMIT_CPU, (2, 3)),
        ({"memory_bytes": 4096}, {}, resource.RLIMIT_DATA, (4096, 4096)),
        ({"open_files": 16}, {}, resource.RLIMIT_NOFILE, (16, 16)),
        ({"file_size_bytes": 7}, {}, resource.RLIMIT_FSIZE, (7, 7)),
        ({"processes": 3}, {}, resource.RLIMIT_NPROC, (5, 5)),
        ({"processes": 3}, {"counted": False}, resource.RLIMIT_NPROC, None),
        ({"processes": 3}, {"sums": frozenset({"pids"})}, resource.RLIMIT_NPROC, None),
        ({"memory_bytes": 3}, {"sums": frozenset({"memory"})}, resource.RLIMIT_DATA, None),
        ({"memory_bytes": 3}, {"sums": frozenset({"pids"})}, resource.RLIMIT_DATA, (3, 3)),
    ],
)  # fmt: skip
def test_what_the_kernel_holds(
    wanted: dict[str, float], more: dict[str, Any], number: int, pair: tuple[int, int] | None
) -> None:
    how = {"counted": True, "beside": 2, "open_files": 64, "sums": frozenset(), **more}
    assert limits.for_kernel(wanted, **how).get(number) == pair
    assert limits.for_kernel({}, **how)[resource.RLIMIT_NOFILE] == (
        64,
        resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    )


def test_what_an_end_says() -> None:
    known = ends.Known(job="j", given="", status=3 << 8, wall_seconds=1.23456789, limits={"cpu_seconds": 2.0})
    told = ends.ending(known, ends.Usage(cpu_seconds=0.12345678, peak_memory_bytes=5))
    assert told == ("j", "exited", 3, 0, 1.234568, 0.123457, 5, ())
    killed = ends.ending(known._replace(status=9), ends.Usage(cpu_seconds=2.0, peak_memory_bytes=5))
    assert (killed.exit_code, killed.signal, killed.reason) == (0, 9, "cpu_limit")
    last = ends.ending(known._replace(status=128 << 8), ends.Usage(cpu_seconds=0, peak_memory_bytes=0))
    assert (last.exit_code, last.also) == (128, ())


# -- addresses and names -------------------------------------------------------------------------------

SPECIAL = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.0.2.0/24
192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 168.63.129.16/32
2001::/23
2001:db8::/32 2002::/16 3fff::/20"""


@pytest.mark.parametrize("block", SPECIAL.split())
def test_a_block_that_is_special_is_so_from_its_first_address_to_its_last(block: str) -> None:
    network = ipaddress.ip_network(block)
    first, last = network.network_address, network.broadcast_address
    assert not is_public(first.packed)
    assert not is_public(last.packed)
    for near in ([first - 1] if int(first) else []) + ([] if last.packed[0] == 255 else [last + 1]):
        others = (ipaddress.ip_network(each) for each in SPECIAL.split())
        assert is_public(near.packed) is not any(
            near in each for each in others if each.version == near.version
        )


@pytest.mark.parametrize(
    ("address", "public"), [("2000::", True), ("1fff::1", False), ("4000::", False), ("::1", False)]
)
def test_the_world_is_what_is_given_out(address: str, *, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address).packed) is public


def answer(question: dns.Question, count: int, records: bytes) -> bytes:
    head = struct.pack("!6H", question.number, 0x8180, 1, count, 0, 0)
    return head + question.name + struct.pack("!HH", question.kind, 1) + records


def test_a_question_is_one_to_the_byte() -> None:
    question = replace(dns.ask("a.example", 28), number=7)
    extension = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"  # EDNS(0) of 1232 bytes, RFC 6891
    assert question.packed == b"\0\7\1\0\0\1\0\0\0\0\0\1" + b"\1a\7example\0" + b"\0\x1c\0\1" + extension


@pytest.mark.parametrize(("space", "size", "found"), [(1, 4, True), (3, 4, False), (1, 5, False)])
def test_a_record_counts_where_it_is_of_the_internet_and_whole(space: int, size: int, *, found: bool) -> None:
    question = dns.ask("a.example", 1)
    record = b"\xc0\x0c" + struct.pack("!HHIH", 1, space, 60, size) + bytes(4)
    assert dns.read(answer(question, 1, record), question) == ((bytes(4),) if found else ())


@pytest.mark.parametrize(("before", "found"), [(63, 1), (64, 0)])
def test_so_many_records_are_looked_at(before: int, found: int) -> None:
    question = dns.ask("a.example", 1)
    other = b"\0" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(4)
    ours = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes(4)
    assert len(dns.read(answer(question, before + 1, other * before + ours), question)) == found


# -- what a program needs ------------------------------------------------------------------------------


def elf(needed: list[str], run_path: str = "", interpreter: str = "") -> bytes:
    """A file of ELF that says just that: elf(5), 64 bits, little-endian, loaded at 0x10000."""
    names = [*needed, *([run_path] if run_path else [])]
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in names)
    at = 64 + 3 * 56
    offsets = [1 + sum(len(name) + 1 for name in names[:number]) for number in range(len(names))]
    tags = [(29 if number == len(needed) else 1, offset) for number, offset in enumerate(offsets)]
    interpreter_at = at + len(strings)
    dynamic_at = interpreter_at + len(interpreter) + 1
    tags += [(5, 0x10000 + at), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *tag) for tag in tags)
    head = b"\x7fELF\x02\x01".ljust(32, b"\0") + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 3)
    parts = [
        (1, 0, 0x10000, dynamic_at + len(dynamic)), (2, dynamic_at, 0, len(dynamic)),
        (3 if interpreter else 4, interpreter_at, 0, len(interpreter) + 1),
    ]  # fmt: skip
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 0, where, address, 0, size, size, 0)
        for kind, where, address, size in parts
    )
    return head.ljust(64, b"\0") + table + strings + interpreter.encode() + b"\0" + dynamic


@pytest.mark.parametrize("origin", ["$ORIGIN", "${ORIGIN}"])
def test_a_library_is_found_beside_the_program_that_says_so(tmp_path: Path, origin: str) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "loader").write_bytes(b"")
    for name, content in (
        ("program", elf(["liba.so", "libnowhere.so"], f"/none:{origin}/lib", str(tmp_path / "loader"))),
        ("lib/liba.so", elf(["libb.so"], origin)), ("lib/libb.so", elf([])), ("lib/libother.so", elf([])),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    found = closure.of([str(tmp_path / "program"), str(tmp_path / "not there")])
    ours = [path for path in found.read if path.startswith(str(tmp_path))]
    assert ours == [str(tmp_path / name) for name in ("lib/liba.so", "lib/libb.so", "loader")]
    assert found.executed == (str(tmp_path / "loader"), str(tmp_path / "program"))
