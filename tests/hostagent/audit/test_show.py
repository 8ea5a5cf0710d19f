"""What a person sees of a ledger."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.ledgers import events, grown, lines_of
from wand_hostagent.audit import command, show
from wand_hostagent.audit.show import Filter
from wand_hostagent.launcher.ledger import Entry, Ledger

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("start", {"pid": 7, "enforced": ["process tree"]}),
    ("run", {"job": "a", "argv": ["git", "commit", "-m", "two words"], "profile": "p", "directory": "/w",
             "why": {"principal": "ann", "rule": "all", "client": "pen 1.0"}}),
    ("refused", {"job": "b", "argv": ["rm", "/\x1b[31m"], "message": "no", "why": {"principal": "bob"}}),
    ("end", {"job": "a", "reason": "exited", "exit_code": 3, "wall_seconds": 1.5, "cpu_seconds": 0.25}),
    ("ambiguous", {"job": "c"}),
    ("file", {"act": "f", "verb": "write", "path": "/w/x y", "principal": "bob"}),
    ("file_end", {"act": "f", "verb": "write", "path": "/w/x y", "ok": False, "kind": "Conflict",
                  "message": "new"}),
    ("connect", {"job": "a", "principal": "ann", "host": "site.example", "port": 443,
                 "addresses": ["192.0.2.1"]}),
    ("connect_end", {"job": "a", "host": "site.example", "port": 443, "sent_bytes": 5, "received_bytes": 7,
                     "why": "nothing happened"}),
    ("connect_refused", {"job": "a", "principal": "ann", "host": "", "port": 0, "why": "no", "more": 3}),
    ("approval_asked", {"approval": "q", "job": "d", "principal": "eve", "argv": ["git", "push"],
                        "rule": "look", "message": "git push needs a person"}),
    ("approval_refused", {"approval": "q", "principal": "eve", "rule": "look", "by": "0 (root)"}),
    ("approval_expired", {"approval": "r", "principal": "eve", "rule": "look"}),
]  # fmt: skip
APPROVALS = ["approval_asked", "approval_refused", "approval_expired"]
TO_THE_NETWORK = ["connect", "connect_end", "connect_refused"]


def shown(**filters: Any) -> str:
    return "\n".join(show.show(lines_of(*EVENTS), Filter(**filters)))


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


def test_an_approval_is_shown_with_who_asked_for_what_and_who_answered() -> None:
    assert "q  eve: git push  git push needs a person" in shown()
    assert "q  0 (root), to eve  (rule 'look')" in shown()
    assert "r  eve  (rule 'look')" in shown()


@pytest.mark.parametrize(
    ("event", "fields", "said"),
    [
        (
            "config",
            {"of": "server", "by": "0 (root)", "changed": ["http.port: 1 -> 2", "x"], "uri": "u"},
            "0 (root) changes server: http.port: 1 -> 2, x",
        ),
        (
            "file",
            {"act": "f", "verb": "write", "path": "/x", "principal": "ann", "task": "t1", "agent": "a-1"},
            "f  ann (task t1, by a-1): write /x",
        ),
        ("policy_read", {"policy": "d1", "error": "", "by": "SIGHUP"}, "SIGHUP: digest d1"),
        ("policy_read", {"policy": "d1", "error": "a:3", "by": "0 (root)"}, "0 (root): cannot be read: a:3"),
        ("input", {"job": "a", "principal": "ann", "bytes": 3, "sha256": "s"}, "a  ann: 3 bytes"),
        (
            "input",
            {"job": "a", "principal": "ann", "interrupt": True, "end": True},
            "ann: Ctrl-C and the end",
        ),
        ("signal", {"job": "a", "signal": 15, "reason": "cancelled"}, "a  signal 15: cancelled"),
        ("sign_in_refused", {"by": "desk", "why": "no"}, "desk: no"),
        (
            "sign_in_refused",
            {"by": "server", "uri": "u", "address": "192.0.2.1", "why": "no key", "times": 3},
            "192.0.2.1: no key  (3 times)",
        ),
        ("sign_in_refused", {"uri": 5}, "uri=5"),
    ],
)
def test_what_an_administrator_looks_for_is_told_in_words(
    event: str, fields: dict[str, Any], said: str
) -> None:
    (line,) = show.show(lines_of((event, fields)), Filter())

    assert line.endswith(said)


def test_what_a_caller_wrote_cannot_colour_the_screen() -> None:
    assert "\x1b" not in shown()
    assert "\\x1b[31m" in shown()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (
            {},
            ["start", "run", "refused", "end", "ambiguous", "file", "file_end", *TO_THE_NETWORK, *APPROVALS],
        ),
        ({"job": "a"}, ["run", "end", *TO_THE_NETWORK]),
        ({"who": "ann"}, ["run", "end", *TO_THE_NETWORK]),
        ({"who": "pen 1.0"}, ["run", "end", *TO_THE_NETWORK]),
        ({"who": "bob"}, ["refused", "file", "file_end"]),
        ({"job": "f"}, ["file", "file_end"]),
        ({"denied": True}, ["refused", "connect_refused", "approval_refused"]),
        ({"who": "eve"}, APPROVALS),
        ({"who": "ann", "denied": True}, ["connect_refused"]),
        ({"event": "file"}, ["file"]),
        ({"since": "2999-01-01T00:00:00.000000Z"}, []),
        ({"until": "1999-01-01T00:00:00.000000Z"}, []),
        ({"since": "1999-01-01T00:00:00.000000Z", "job": "c"}, ["ambiguous"]),
    ],
)
def test_filters_let_through_what_they_say(filters: dict[str, Any], expected: list[str]) -> None:
    assert [line.split()[2] for line in shown(**filters).splitlines()] == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"job": {}, "argv": 5}, {"why": {"principal": [1]}}, {"why": 5, "open": 5}, {"enforced": 5},
        {"reason": "exited", "wall_seconds": "x"}, {"host": 1, "port": {}, "addresses": 5},
    ],
)  # fmt: skip
def test_a_record_with_members_that_nobody_writes_is_shown_all_the_same(fields: dict[str, Any]) -> None:
    odd = [(event, fields) for event, _ in EVENTS]
    assert len(list(show.show(lines_of(*odd), Filter(who="ann")))) == 0
    assert len(list(show.show(lines_of(*odd), Filter()))) == len(EVENTS)


def test_a_line_that_was_touched_is_said_to_be() -> None:
    touched = lines_of(*EVENTS)
    touched[1] = touched[1].replace(b"git", b"cat")
    assert "line 2 has a hash that is not its own" in "\n".join(show.show(touched, Filter()))


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


@pytest.mark.parametrize("words", [["verify"], ["show", "--since", "1d"], ["tail"]])
def test_the_audit_command_reads_a_file(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(lines_of(*EVENTS)))
    assert command.main([*words, str(path)]) == 0
    assert capsys.readouterr().out


def test_a_folder_is_shown_from_its_oldest_file_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = grown(tmp_path / "ledger")
    assert command.main(["show", str(folder)]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == events(folder)


def test_the_tail_is_the_last_records_and_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = grown(tmp_path / "ledger")
    assert command.main(["tail", "-n", "3", str(folder)]) == 0
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["run", "end", "checkpoint"]


def test_a_tail_goes_on_in_the_next_file(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    argv = [str(Path(sys.executable).with_name("wand-hostagent")), "audit", "tail", "-f", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "ledger" in process.stdout.readline()
        ledger.append([Entry("run", {"job": "before"})])
        ledger.turn()
        ledger.append([Entry("run", {"job": "after"})])
        come = [process.stdout.readline() for _ in range(4)]
        process.terminate()
    assert [line.split()[2] for line in come] == ["run", "checkpoint", "segment", "run"]
    ledger.close()
