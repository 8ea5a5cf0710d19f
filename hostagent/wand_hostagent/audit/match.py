"""`audit match`: in which records the true words were these, where secrets among them were struck out.

The words come on standard input: on a command line, everybody on the machine could read them.
"""

import argparse
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wand_hostagent.audit.telling import line
from wand_hostagent.audit.verify import files_of, read_key
from wand_hostagent.launcher.record import Damaged, Record, canonical, next_key, read


def main(argv: Sequence[str]) -> int:
    """Print the records whose words were these; 1 where there is none."""
    told = _parser().parse_args(argv)
    try:
        key, _ = read_key(told.key)
        found = list(matching(_records(told.files), key, _words(sys.stdin.read())))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"wand-hostagent audit match: {error}\n")
        return 2
    for one in found:
        sys.stdout.write(line(one) + "\n")
    if not found:
        sys.stderr.write("wand-hostagent audit match: no record has a proof of these words\n")
    return 0 if found else 1


def matching(records: Iterable[Record], key: bytes, words: Sequence[str]) -> Iterator[Record]:
    """The records that prove these words; `key` is the first one of the ledger."""
    proven, seq, following = b"argv " + canonical(list(words)), 0, None
    for record in records:
        if following is not None and record.seq != following:
            raise ValueError(
                f"record {record.seq} stands where {following} belongs; `audit verify` tells more"
            )
        following = record.seq + 1
        while seq < record.seq:
            key, seq = next_key(key), seq + 1
        told = record.fields.get("argv_hmac")
        made = hmac.new(key, proven, hashlib.sha256).hexdigest()
        if isinstance(told, str) and hmac.compare_digest(told, made):
            yield record


def _words(told: str) -> list[str]:
    words = json.loads(told) if told.lstrip().startswith("[") else told.splitlines()
    if not words or not all(isinstance(word, str) for word in words):
        raise ValueError("standard input must have the words: one a line, or as a list in JSON")
    return words


def _records(files: Sequence[Path]) -> Iterator[Record]:
    for path in files_of(files):
        with path.open("rb") as lines:
            for number, raw in enumerate(lines, start=1):
                try:
                    yield read(raw.rstrip(b"\n"))
                except Damaged as damage:
                    raise ValueError(f"{path}: line {number} {damage}; `audit verify` tells more") from damage


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent audit match",
        description="Find the records of a command by its true words, where secrets in them were struck out."
        " The words come on standard input: one a line, the program first, or as a list in JSON.",
    )
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the ledger's folder, or its files"
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the first key of the ledger")
    return parser
