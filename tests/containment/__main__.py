"""Run a corpus of attacks through the real launcher and count what got through."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from containment import confined, document, rows, score, theatre
from containment.playing import Play
from containment.rows import Row
from containment.scene import who

HERE = Path(__file__).resolve().parent
OURS = HERE / "attacks.jsonl"
SHARED = Path(os.environ.get("WAND_CORPUS", HERE.parents[2] / "shared" / "corpus"))


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev corpus", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "attacks", nargs="*", type=Path, help="files of rows; default: ours and the shared ones"
    )
    parser.add_argument("--benign", type=Path, help="a file of commands that must keep working")
    parser.add_argument("--as", dest="modes", action="append", choices=(*rows.MODES, "all"))
    parser.add_argument("--only", default="", help="the ids of rows, with commas between")
    parser.add_argument("--control", action="store_true", help="run unconfined: every effect must show")
    parser.add_argument("--fresh", action="store_true", help="start a launcher for each row")
    parser.add_argument("--show", action="store_true", help="print what each row wrote")
    parser.add_argument("--seconds", type=float, default=180.0, help="the most for one user's attempts")
    parser.add_argument("--write", action="store_true", help="write docs/reference/containment.md")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--page-fd", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def chosen(told: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """The rows and the benign commands."""
    files, benign = told.attacks, [told.benign] if told.benign else []
    if not files:
        files, benign = [OURS], benign or [HERE / "benign.json"]
        if (SHARED / "attacks.jsonl").exists():
            files.append(SHARED / "attacks.jsonl")
            benign.append(SHARED / "benign.json")
        else:
            print(f"corpus: no shared corpus in {SHARED} (WAND_CORPUS names another place); ours alone")
    found = [row for path in files for row in rows.read(path)]
    wanted = set(told.only.split(",")) - {""}
    if wanted:
        return [row for row in found if row.id in wanted], []
    return found, [command for path in benign for command in rows.read_benign(path)]


def modes(told: argparse.Namespace) -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ("user",)
    asked = told.modes or (["all"] if told.write else ["dedicated"])
    return rows.MODES if "all" in asked else tuple(asked)


def attack(told: argparse.Namespace, found: list[Row], benign: list[str]) -> int:
    """Every row, confined; 0 where nothing got through and nothing honest was refused."""
    scores = []
    for mode in modes(told):
        play = Play(who(mode), fresh=told.fresh, seconds=told.seconds)
        played = play.rows(found)
        show(told, played)
        in_words = sum(row.form not in rows.COMMANDS for row in found)
        scores.append(score.Score(mode, played, play.benign(benign), in_words))
        print(*score.printed(scores[-1]), sep="\n", flush=True)
    if told.page_fd is not None:
        os.write(told.page_fd, document.text(scores).encode())
    print(score.last_line(scores))
    return 0 if all(one.is_clean for one in scores) else 1


def control(told: argparse.Namespace, found: list[Row]) -> int:
    """Every row, unconfined; 0 where all that must show an effect do."""
    broken = 0
    for mode in modes(told):
        played = Play(who(mode), controlled=True, seconds=told.seconds).rows(found)
        show(told, played)
        print(*score.controls(mode, played), sep="\n", flush=True)
        broken += len(score.broken_controls(mode, played))
    return 1 if broken else 0


def show(told: argparse.Namespace, played: score.Played) -> None:
    if told.show:
        for row, one in played:
            print(f"-- {row.id} {one.how} {one.exit_code} effect={one.effect} {one.note}")
            print(one.output.decode(errors="replace").strip()[-2000:])


def enter(told: argparse.Namespace, words: list[str]) -> int:
    """The same program inside the theatre, where no file of ours can be written: the page comes by a pipe."""
    confined.compile_program()
    reader, writer = os.pipe()
    more = ["--page-fd", str(writer)] if told.write else []
    argv = theatre.command([*more, *words])
    process = subprocess.Popen(argv, env=theatre.environment(), pass_fds=[writer])
    os.close(writer)
    with open(reader) as page:  # noqa: PTH123 - a descriptor, not a path
        text = page.read()
    if text:
        document.write(text)
    return process.wait()


def main(words: list[str]) -> int:
    told = options(words)
    if not told.inside:
        return enter(told, words)
    found, benign = chosen(told)
    theatre.prepare()
    return control(told, found) if told.control else attack(told, found, benign)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
