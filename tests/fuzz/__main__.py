"""Throw a million messages at the launcher, and broken profiles at their reader: `./dev fuzz [N]`."""

import argparse
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from fuzz import files, indoors, live

_BATCH = 20_000  # messages of one seed, so that a failure is found again soon
_KINDS: Mapping[str, Callable[[int, int], int]] = {
    "indoors": indoors.batch, "live": live.batch, "files": files.batch,
}  # fmt: skip


def options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("count", nargs="?", type=int, default=1_000_000, help="how many messages (a million)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="to do the same again")
    parser.add_argument(
        "--only", choices=_KINDS, help="one kind alone, in this process: the way to a failure"
    )
    return parser.parse_args(words)


def shares(count: int, seed: int) -> list[tuple[str, int, int]]:
    """Kind, seed and size of every batch: three in a hundred messages go to a real launcher."""
    outside = min(count * 3 // 100, 40_000)
    inside = count - outside
    found = [("live", seed, outside)] if outside else []
    found += [("files", seed, max(count // 20, 100))]
    found += [
        ("indoors", seed + number, min(_BATCH, inside - number * _BATCH))
        for number in range(-(-inside // _BATCH))
    ]
    return found


def main(words: Sequence[str]) -> int:
    told = options(words)
    if told.only:
        print(f"{told.only} {told.seed} {told.count}: {_KINDS[told.only](told.seed, told.count)}")
        return 0
    began = time.monotonic()
    batches = shares(told.count, told.seed)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        wrong = [said for said in pool.map(_batch, batches) if said]
    for said in wrong[:5]:
        print(said, file=sys.stderr)
    total = sum(count for kind, _, count in batches if kind != "files")
    folders = sum(count for kind, _, count in batches if kind == "files")
    took = f"{time.monotonic() - began:.0f} s"
    print(
        f"{total} messages, {folders} folders of profiles, seed {told.seed}, {took}:"
        f" {len(wrong)} of {len(batches)} batches failed"
    )
    return 1 if wrong else 0


def _batch(batch: tuple[str, int, int]) -> str:
    """Play a batch in a process of its own; what went wrong, and how to see it again."""
    kind, seed, count = batch
    again = ["--only", kind, "--seed", str(seed), str(count)]
    done = subprocess.run([sys.executable, "-m", "fuzz", *again], check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    return f"./dev fuzz {' '.join(again)}\n{done.stderr[-3000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
