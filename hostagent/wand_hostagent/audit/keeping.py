"""`audit key` gives out the first key, once; `audit prune` removes old files that have been checked."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from wand_hostagent.audit.show import moment
from wand_hostagent.audit.verify import (
    MOST_BEFORE,
    Chain,
    Known,
    check_files,
    files_of,
    read_anchors,
    read_key,
)
from wand_hostagent.replacing import replace

_PRUNED = "pruned.json"


def give_key(argv: Sequence[str]) -> int:
    """Print what verifies the ledger on another machine, and remove it from this one."""
    parser = argparse.ArgumentParser(
        prog="wand-hostagent audit key",
        description="Print the first key of a ledger and remove it: keep it elsewhere.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of the ledger")
    told = parser.parse_args(argv)
    path = told.folder / "first.key"
    try:
        read_key(path)
        sys.stdout.write(path.read_text())
        sys.stdout.flush()
        path.unlink()
    except FileNotFoundError:
        sys.stderr.write(f"wand-hostagent audit key: {path} is not there: it has been given out before\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"wand-hostagent audit key: {path}: {error}\n")
        return 1
    return 0


def prune(argv: Sequence[str]) -> int:
    """Remove the oldest files of a ledger, as far as all of it is whole."""
    told = _prune_parser().parse_args(argv)
    try:
        _finish(told.folder)
        kept = [path for path in files_of([told.folder]) if path.name != "ledger.jsonl"]
        old = list(
            takewhile(lambda path: _time(path) < told.before, kept)
        )  # from the first on, without a gap
        if not old:
            sys.stdout.write("nothing is that old\n")
            return 0
        chain, where = _checked(told)
        if chain.damage:
            sys.stderr.write(
                f"wand-hostagent audit prune: nothing is removed, {where} is damaged: {chain.damage}\n"
            )
            return 1
        last, _ = check_files(old, Known(after=_after(told.folder)))
        _remove(told.folder, old, last)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"wand-hostagent audit prune: {error}\n")
        return 1
    sys.stdout.write(f"removed {len(old)} files, {last.seq - last.begins} records\n")
    return 0


def _prune_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent audit prune",
        description="Remove old files of a ledger, if it is whole from end to end.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of the ledger")
    when = "files that were last written to before: 90d, 2031-01-31"
    parser.add_argument("--before", type=moment, required=True, metavar="WHEN", help=when)
    parser.add_argument("--key", type=Path, metavar="FILE", help="the first key, to check the seals too")
    parser.add_argument("--anchors", type=Path, metavar="FILE", help="a log in which heads were anchored")
    return parser


def _checked(told: argparse.Namespace) -> tuple[Chain, str]:
    key, signer = read_key(told.key) if told.key else (b"", "")
    anchors = read_anchors(told.anchors) if told.anchors else {}
    last, after = _pruned(told.folder)  # that file is ours, unlike the numbers in a ledger
    most = max(MOST_BEFORE, last + 1)
    known = Known(key=key, signer=signer, anchors=anchors, after=after, most_before=most)
    return check_files(files_of([told.folder]), known)


def _after(folder: Path) -> str:
    return _pruned(folder)[1]


def _pruned(folder: Path) -> tuple[int, str]:
    """The number and the hash of the last record that was removed; -1 where none was."""
    path = folder / _PRUNED
    if not path.exists():
        return -1, ""
    try:
        said = json.loads(path.read_text())
        return int(said["seq"]), str(said["hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read") from error


def _time(path: Path) -> str:
    """When a file was last written to, in the form of a record."""
    seconds = path.stat().st_mtime
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06}Z"


def _remove(folder: Path, files: Sequence[Path], last: Chain) -> None:
    """First have the disk know where what is left begins, then remove."""
    told = {"seq": last.seq - 1, "hash": last.head, "removed": last.times[1]}
    replace(folder / _PRUNED, json.dumps(told).encode(), 0o600)
    for path in files:
        path.unlink()


def _finish(folder: Path) -> None:
    """Remove what an earlier try had checked and died over, once more checked."""
    last, digest = _pruned(folder)
    every = sorted(folder.glob("ledger-[0-9]*.jsonl"))
    left = [kept for kept in every if int(kept.stem.partition("-")[2]) <= last]
    if not left:
        return
    chain, where = check_files(left, Known(after="any"))
    if chain.damage or chain.head != digest:
        raise ValueError(f"{_PRUNED} does not say where {where or left[-1].name} ends; nothing is removed")
    for kept in left:
        kept.unlink()
