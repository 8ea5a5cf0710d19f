"""`wand-hostagent backends`: where jobs can run, how each fares, and where they run by default."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from wand_hostagent.control import ask
from wand_hostagent.model import visible
from wand_hostagent.settings import let_name, load


def main(words: Sequence[str]) -> int:
    """Run `wand-hostagent backends list|default`; the exit status."""
    asked = _parser().parse_args(words)
    path = load(asked.settings).control_socket
    if asked.act == "default":
        told = ask(path, {"do": "default", "id": asked.name})["default"]
        lines = [f"jobs that start from now on run on {visible(told)}, where nobody says where"]
    else:
        lines = [_line(one) for one in ask(path, {"do": "backends"})["backends"]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _line(one: Mapping[str, Any]) -> str:
    labels = ",".join(f"{name}={value}" for name, value in one["labels"].items())
    marks = " ".join(filter(None, ("up" if one["up"] else "DOWN", "default" * one["is_default"], labels)))
    return visible(f"{one['name']}  {marks}  {one['detail']}".rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent backends", description="See where jobs can run, and change the default; as root."
    )
    let_name(parser)
    acts = parser.add_subparsers(dest="act", required=True)
    listing = acts.add_parser("list", help="a line for each backend, and whether it answers")
    default = acts.add_parser(
        "default", help="where jobs run from now on that nobody says a backend for, until the next start"
    )
    default.add_argument("name", metavar="NAME", help="a backend, or labels as os=debian")
    for act in (listing, default):
        let_name(act, again=True)
    return parser
