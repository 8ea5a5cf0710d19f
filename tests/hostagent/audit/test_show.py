"""What a person sees of a ledger."""

from pathlib import Path
from typing import Any

import pytest

from wand_hostagent.audit import command, show
from wand_hostagent.launcher import record

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("start", {"pid": 7, "enforced": ["process tree"]}),
    ("run", {"job": "a", "argv": ["git", "commit", "-m", "two words"], "profile": "p", "directory": "/w",
             "why": {"principal": "ann", "rule": "all"}}),
    ("refused", {"job": "b", "argv": ["rm", "/\x1b[31m"], "message": "no", "why": {"principal": "bob"}}),
    ("end", {"job": "a", "reason": "exited", "exit_code": 3, "wall_seconds": 1.5, "cpu_seconds": 0.25}),
    ("lost", {"job": "c"}),
    ("file", {"act": "f", "verb": "write", "path": "/w/x y", "principal": "bob"}),
    ("file_end", {"act": "f", "verb": "write", "path": "/w/x y", "ok": False, "kind": "Conflict",
                  "message": "new"}),
    ("connect", {"job": "a", "principal": "ann", "host": "site.example", "port": 443,
                 "addresses": ["192.0.2.1"]}),
    ("connect_end", {"job": "a", "host": "site.example", "port": 443, "sent_bytes": 5, "received_bytes": 7,
                     "why": "nothing happened"}),
    ("connect_refused", {"job": "a", "principal": "ann", "host": "", "port": 0, "why": "no", "more": 3}),
]  # fmt: skip


TO_THE_NETWORK = ["connect", "connect_end", "connect_refused"]


def lines() -> list[bytes]:
    prev, sealed = record.FIRST, []
    for seq, (event, fields) in enumerate(EVENTS):
        line, prev = record.seal(seq, prev, event, fields)
        sealed.append(line)
    return sealed


def shown(**filters: Any) -> str:
    return "\n".join(show.show(lines(), **filters))


def test_a_command_is_shown_as_a_shell_would_read_it_with_who_and_why() -> None:
    assert "ann: git commit -m 'two words'  (p, /w, by rule 'all')" in shown()


def test_an_end_says_how_and_what_it_took() -> None:
    assert "a  exited with 3  after 1.500 s, 0.250 s of it computing" in shown()


def test_a_file_change_is_shown_with_its_outcome() -> None:
    assert "f  bob: write '/w/x y'" in shown()
    assert "f  write '/w/x y'  not done: Conflict: new" in shown()


def test_a_connection_is_shown_with_where_to_and_how_much() -> None:
    assert "a  ann: to site.example:443 (192.0.2.1)" in shown()
    assert "a  site.example:443 ended, 5 bytes out, 7 in: nothing happened" in shown()
    assert "a  ann: not to where nobody can read: no  (3 more before)" in shown()


def test_what_a_caller_wrote_cannot_colour_the_screen() -> None:
    assert "\x1b" not in shown()
    assert "\\x1b[31m" in shown()


@pytest.mark.parametrize(
    ("filters", "events"),
    [
        ({}, ["start", "run", "refused", "end", "lost", "file", "file_end", *TO_THE_NETWORK]),
        ({"job": "a"}, ["run", "end", *TO_THE_NETWORK]),
        ({"principal": "ann"}, ["run", "end", *TO_THE_NETWORK]),
        ({"principal": "bob"}, ["refused", "file", "file_end"]),
        ({"job": "f"}, ["file", "file_end"]),
        ({"denied": True}, ["refused", "connect_refused"]),
        ({"principal": "bob", "denied": True}, ["refused"]),
        ({"since": "2999-01-01T00:00:00.000000Z"}, []),
        ({"since": "1999-01-01T00:00:00.000000Z", "job": "c"}, ["lost"]),
    ],
)
def test_filters_let_through_what_they_say(filters: dict[str, Any], events: list[str]) -> None:
    assert [line.split()[2] for line in show.show(lines(), **filters)] == events


def test_a_line_that_was_touched_is_said_to_be() -> None:
    touched = lines()
    touched[1] = touched[1].replace(b"git", b"cat")
    assert "line 2 has a hash that is not its own" in "\n".join(show.show(touched))


@pytest.mark.parametrize(
    ("text", "starts"),
    [("2031-01-31", "2031-01-31T00:00:00"), ("2031-01-31T12:00:00+02:00", "2031-01-31T10:00:00")],
)
def test_a_time_is_read_as_records_write_it(text: str, starts: str) -> None:
    assert show.moment(text).startswith(starts)


@pytest.mark.parametrize("argv", [[], ["edit", "x"]])
def test_the_audit_command_says_what_it_can_do(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(argv) == 2
    assert "audit verify FILE" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["verify"], ["show", "--since", "1d"]])
def test_the_audit_command_reads_a_file(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(lines()))
    assert command.main([*words, str(path)]) == 0
    assert capsys.readouterr().out
