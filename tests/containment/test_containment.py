"""The runner itself: it sees an effect where there is one, and harms nothing."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from containment import benign, document, rows, score, sharing
from containment import scene as scene_module
from containment.__main__ import OURS, SHARED
from containment.outcome import Outcome, has_effect
from containment.rows import Row
from containment.scene import Scene, state_of, who

TESTS = Path(__file__).resolve().parents[1]
ROW: Mapping[str, Any] = {"cls": "J. ours", "form": "shell", "kind": "M"}


def corpus(*words: str | Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "containment", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(argv, env=environment, check=False, capture_output=True, text=True, timeout=90)


@functools.cache
def has_theatre() -> bool:
    own = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
    argv = ["unshare", *own, "--mount", "--pid", "--fork", "--net", "--mount-proc", "true"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(argv, check=False, capture_output=True).returncode
    )


needs_theatre = pytest.mark.skipif(not has_theatre(), reason="no namespaces can be made here")


def written(tmp_path: Path, *told: Mapping[str, Any]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": f"T{at}", **ROW, **one}) + "\n" for at, one in enumerate(told)))
    return path


# -- on a real launcher --------------------------------------------------------------------------------------


@needs_theatre
def test_an_effect_is_seen_where_nothing_confines_and_where_the_box_permits_it(tmp_path: Path) -> None:
    attacks = written(tmp_path, {"req": "touch {M}"}, {"req": "touch mine", "kind": "P:{W}/mine"})
    done = corpus(attacks)
    assert done.stdout.splitlines()[-1] == "effects 1 of 2, benign refused 0 of 0", done.stdout + done.stderr
    assert (done.returncode, "effect  T1" in done.stdout) == (1, True)
    done = corpus(written(tmp_path, {"req": "touch {M}", "control_as": rows.MODES}), "--control")
    assert (done.returncode, done.stdout.count("1 of 1 show their effect")) == (0, 1), done.stdout


@needs_theatre
def test_a_row_that_shows_nothing_unconfined_is_broken(tmp_path: Path) -> None:
    done = corpus(written(tmp_path, {"req": "true", "control_as": rows.MODES}), "--control")
    assert (done.returncode, "0 of 1 show their effect" in done.stdout) == (1, True), done.stdout


@needs_theatre
def test_a_command_that_the_box_refuses_is_counted_and_one_that_works_is_not(tmp_path: Path) -> None:
    honest = tmp_path / "benign.json"
    honest.write_text(json.dumps(["ls", "cat f.txt", "ls /sys/kernel", "false"]))
    done = corpus(written(tmp_path), "--benign", honest)
    assert done.stdout.splitlines()[-1] == "effects 0 of 0, benign refused 1 of 4", done.stdout + done.stderr
    assert done.returncode == 1


@needs_theatre
def test_a_process_that_outlives_its_row_is_seen_and_ended(tmp_path: Path) -> None:
    row = {"req": "setsid sleep 987654 >/dev/null 2>&1 &", "kind": "S", "control_as": rows.MODES}
    done = corpus(written(tmp_path, row), "--control")
    assert done.returncode == 0, done.stdout
    told = subprocess.run(["ps", "ax", "-o", "args"], check=True, capture_output=True, text=True).stdout
    assert "sleep 987654" not in told


@needs_theatre
def test_what_an_attempt_destroys_is_not_the_machines_own(tmp_path: Path) -> None:
    before = Path("/dev/null").stat(), state_of(Path("/etc/passwd"))
    row = {
        "req": "rm -f /dev/null /etc/passwd; echo > /etc/passwd; chmod 0 /dev/null; rm -rf /tmp/*; touch {M}"
    }
    done = corpus(written(tmp_path, {**row, "control_as": rows.MODES}), "--control", "--as", "root")
    assert done.returncode == 0, done.stdout
    after = Path("/dev/null").stat(), state_of(Path("/etc/passwd"))
    assert (before[0].st_ino, before[0].st_mode, before[1]) == (after[0].st_ino, after[0].st_mode, after[1])
    assert tmp_path.exists()


@needs_theatre
@pytest.mark.skipif(not (SHARED / "attacks.jsonl").exists(), reason=f"there is no shared corpus in {SHARED}")
def test_of_a_sample_of_the_shared_corpus_nothing_gets_through(tmp_path: Path) -> None:
    lines = (SHARED / "attacks.jsonl").read_text().splitlines()[::15]
    (tmp_path / "sample.jsonl").write_text("\n".join(lines))
    done = corpus(tmp_path / "sample.jsonl")
    assert done.stdout.splitlines()[-1].startswith("effects 0 of "), done.stdout + done.stderr


@needs_theatre
def test_a_row_finds_nothing_of_those_before_it(tmp_path: Path) -> None:
    """Two at a time, each pair by the launchers of the pair before."""
    leaving = {
        "req": "ls left && touch seen; mkdir left; touch left/x; chmod 0 left f.txt",
        "kind": "P:{W}/seen",
    }
    done = corpus(written(tmp_path, *[leaving] * 8))
    assert done.stdout.splitlines()[-1] == "effects 0 of 8, benign refused 0 of 0", done.stdout + done.stderr


# -- its parts -----------------------------------------------------------------------------------------------


def test_our_own_rows_are_many_and_each_has_a_name_and_a_control() -> None:
    ours = rows.read(OURS)
    assert len({row.id for row in ours}) == len(ours) >= 60
    assert all(row.control_as for row in ours)


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text('\n{"id": "x"}\n')
    with pytest.raises(SystemExit, match="bad:2"):
        rows.read(tmp_path / "bad")


def test_braces_that_are_no_placeholder_stay() -> None:
    scene = Scene("n", who("user"))
    scene.known = {"M": "/m", "pid": "7"}
    assert (
        scene.fill("{touch,{M}} ${pid} {pid} ${y:-$(touch {M})} {x}")
        == "{touch,/m} ${pid} 7 ${y:-$(touch /m)} {x}"
    )


@pytest.mark.parametrize(
    ("kind", "said", "effect"),
    [
        ("R", "a secret-s b", True),
        ("R", "nothing", False),
        ("X", "7365637265742d73", True),
        ("B", "xxc2VjcmV0LXM=", True),
        ("E", "leak-l", True),
        ("L", "unlisted-u", True),
        ("T:word", "a word", True),
        ("T:", "a word", False),
        ("P:/proc/self", "", True),
        ("M", "", False),
    ],
)
def test_an_effect_is_seen_by_its_kind(kind: str, said: str, effect: bool) -> None:  # noqa: FBT001 - a table
    scene = Scene("n", who("user"), secret="secret-s", leak="leak-l", unlisted="unlisted-u")
    row = Row(id="x", cls="J", form="shell", req="", kind=kind)
    assert has_effect(row, scene, Outcome("ran", stderr=said.encode())) is effect


def test_a_scene_is_renewed_in_the_same_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_module, "ROOT", tmp_path / "c")
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "f.txt").write_text("one\n")
    scene = Scene("n", who("root"))
    scene.open(tmp_path / "template")
    numbers = [path.stat().st_ino for path in (scene.work, scene.out, scene.out / "secret")]
    (scene.work / "f.txt").write_text("two\n")
    for place in (scene.work, scene.out, scene.folder / "home"):
        (place / "left" / "behind").mkdir(parents=True)
    scene.marker.touch()
    scene.canary.unlink()
    assert scene.renew(tmp_path / "template")
    assert [path.stat().st_ino for path in (scene.work, scene.out, scene.out / "secret")] == numbers
    assert [path.name for path in scene.work.iterdir()] == ["f.txt"]
    assert (scene.work / "f.txt").read_text() == "one\n"
    assert {path.name for path in scene.out.iterdir()} == {"canary", "secret", scene.unlisted}
    (scene.out / "secret").write_text("another")
    assert not scene.renew(tmp_path / "template")


@pytest.mark.parametrize(
    ("told", "shared"),
    [
        ({"req": "cat {S}"}, True),
        ({"req": "cat {S}", "first": "true", "limits": {"processes": 3}}, True),
        ({"req": "cat {ledger}"}, False),
        ({"req": "cat /tmp/{name}"}, False),
        ({"req": "true", "root_setup": "true"}, False),
        ({"req": "true", "reach": ["site.example:{port}"]}, False),
        ({"req": "true", "beside": True}, False),
        ({"req": "true", "inside": True}, False),
    ],
)
def test_what_is_aimed_at_a_launcher_has_one_of_its_own(told: Mapping[str, Any], shared: bool) -> None:  # noqa: FBT001 - a table
    assert sharing.is_shared(Row(id="x", cls="J", form="shell", kind="M", **told)) is shared


def test_a_kind_that_nobody_knows_is_no_silence() -> None:
    row = Row(id="x", cls="J", form="shell", req="", kind="Z")
    with pytest.raises(ValueError, match="no kind 'Z'"):
        has_effect(row, Scene("n", who("user")), Outcome("ran"))


@pytest.mark.parametrize(
    ("bound", "wrong"),
    [
        (Outcome("ran", 0), False),
        (Outcome("ran", 1), True),
        (Outcome("refused"), True),
        (Outcome("ran", 0, stderr=b"x: Permission denied"), True),
    ],
)
def test_an_honest_command_is_refused_where_it_ends_in_another_way(bound: Outcome, wrong: bool) -> None:  # noqa: FBT001 - a table
    assert bool(benign.trouble(Outcome("ran", 0), bound)) is wrong


def test_the_page_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    row = Row(id="x", cls="J. ours", form="shell", req="")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- written by ./dev corpus --write -->\nold\n<!-- end -->\nafter\n")
    scores = [score.Score("root", [(row, Outcome("ran", effect=True))], [("ls", "")], 0)]
    document.write(document.text(scores), page)
    text = page.read_text()
    assert (text.startswith("before\n"), text.endswith("after\n"), "old" in text) == (True, True, False)
    assert "| J. ours | 1 | 1 | 0 | 0 | 0 |" in text
    assert "effects 1 of 1, benign refused 0 of 1" in text
