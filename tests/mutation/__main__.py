"""Break the code, a little each time, and see whether a test notices: `./dev mutants [PACKAGE…]`.

README.md beside this file says what is broken, by which tests it is tried, and what lived.
"""

import argparse
import json
import os
import random
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mutation.mutants import Mutant, is_python, mutants
from mutation.picking import Picker
from mutation.places import PACKAGES, ROOT, STATE, modules, name
from mutation.watching import seen, sources, watch
from mutation.workers import Worker, in_rooms

AIM = 0.85
_MOST_SECONDS = 60.0  # of tests for one mutant, as long as they took when they were watched
_PATIENCE_SECONDS, _PATIENCE = 25, 4  # and as long as they may take then, before that counts as noticed
_SURE = {"tests/proto/test_errors.py::test_an_error_comes_back_as_the_same_class[Invalid]": 1.0}
_LIVED = frozenset({"alive", "unseen"})


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("package", nargs="*", help=f"of {', '.join(PACKAGES)}; all of them, if none is named")
    parser.add_argument("--sample", type=int, default=200, help="how many mutants of each package (200)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="to try the same again")
    parser.add_argument("--rooms", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--again", action="store_true", help="try anew those that lived")
    parser.add_argument(
        "--known", action="store_true", help="go by what was watched before, and watch nothing"
    )
    parser.add_argument(
        "--seconds", type=float, default=_MOST_SECONDS, help="of tests for one mutant (default: 60)"
    )
    parser.add_argument("--only", default="", help="only mutants of modules whose path has this in it")
    told = parser.parse_args(words)
    if unknown := [package for package in told.package if package not in PACKAGES]:
        parser.error(f"there is no package {unknown[0]!r}; there are {', '.join(PACKAGES)}")
    return told


def sample(package: str, told: argparse.Namespace) -> list[Mutant]:
    """So many mutants of a package, chosen by the seed from all of them."""
    paths = [path for path in modules(package) if told.only in name(path)]
    everything = [each for path in paths for each in mutants(name(path), path.read_text())]
    random.Random(told.seed).shuffle(everything)
    texts = {name(path): path.read_bytes() for path in paths}
    good = (each for each in everything if is_python(each.apply(texts[each.path])))
    return [each for each, _ in zip(good, range(told.sample), strict=False)]


def results(package: str) -> dict[str, dict[str, Any]]:
    """What was found out before, by the name of the mutant."""
    file = STATE / f"{package}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {each["name"]: each for each in map(json.loads, lines)}


def attempt(package: str, chosen: Sequence[Mutant], picker: Picker, told: argparse.Namespace) -> None:
    """Try what was not tried yet; each result is a line of PACKAGE.jsonl."""
    known = results(package)
    todo = [
        each for each in chosen
        if each.name not in known or (told.again and known[each.name]["how"] in _LIVED)
    ]  # fmt: skip
    texts = {each.path: (ROOT / each.path).read_bytes() for each in todo}
    lock = threading.Lock()

    def one(worker: Worker, mutant: Mutant) -> None:
        found = _tried(worker, mutant, texts[mutant.path], picker.pick(mutant, told.seconds))
        with lock, (STATE / f"{package}.jsonl").open("a") as file:
            file.write(json.dumps(found) + "\n")
            print(f"{package}: {_shown(found)}", flush=True)

    in_rooms([f"{package}-{number}" for number in range(told.rooms)], todo, one, _check)


def _check(worker: Worker) -> None:
    """A room in which nothing is broken has to see a test pass, or every mutant would count as noticed."""
    path = modules("wand_proto")[0]
    (test,) = _SURE
    said = worker.ask("attempt", path=name(path), text=path.read_text(), tests=_SURE, seconds=120)
    if not said or (said["how"], said["ran"]) != ("alive", 1):
        raise SystemExit(f"no test runs in a room (it needs root, unshare and ip): {test} said {said}")


def _tried(worker: Worker, mutant: Mutant, text: bytes, tests: Mapping[str, float]) -> dict[str, Any]:
    """How it went: `failed` or `time` where a test noticed, `unseen` where none runs the statement."""
    said: Any = {"how": "unseen"}
    if tests:
        seconds = _PATIENCE_SECONDS + _PATIENCE * sum(tests.values())
        broken = mutant.apply(text).decode()
        said = worker.ask("attempt", path=mutant.path, text=broken, tests=tests, seconds=seconds)
        said = said or {"how": "time"}
        if said["how"] == "alive" and not said["ran"]:
            raise RuntimeError(f"no test ran for {mutant.path}:{mutant.line}, of {', '.join(tests)}"[:400])
    return {
        "name": mutant.name, "path": mutant.path, "line": mutant.line, "function": mutant.function,
        "kind": mutant.kind, "old": mutant.old, "new": mutant.new, "tests": len(tests), **said,
    }  # fmt: skip


def _shown(found: Mapping[str, Any]) -> str:
    place = f"{found['path']}:{found['line']}"
    return f"{found['how']:6} {place} [{found['kind']}] {found['old'][:60]!r} → {found['new'][:60]!r}"


def report(package: str, chosen: Sequence[Mutant], seed: int) -> bool:
    """Print what lived, and the share of those that were noticed; whether that is enough."""
    known = results(package)
    tried = [known[each.name] for each in chosen if each.name in known]
    alive = [each for each in tried if each["how"] in _LIVED]
    for each in sorted(alive, key=lambda each: (each["path"], each["line"])):
        print(_shown(each))
    noticed = len(tried) - len(alive)
    share = noticed / max(len(tried), 1)
    how = ", ".join(f"{count} {word}" for word, count in Counter(each["how"] for each in tried).most_common())
    print(f"{package}: {noticed} of {len(tried)} noticed, {share:.1%}, seed {seed} ({how})")
    return share >= AIM


def main(words: Sequence[str]) -> int:
    told = options(words)
    if not told.known:
        watch(told.rooms)
    picker = Picker(seen(), sources())
    good = True
    for package in told.package or PACKAGES:
        chosen = sample(package, told)
        attempt(package, chosen, picker, told)
        good = report(package, chosen, told.seed) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
