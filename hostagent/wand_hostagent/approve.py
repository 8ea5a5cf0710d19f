"""The `approve` subcommand: what waits for a person, and what the person says to it."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from wand_hostagent.control import ask
from wand_hostagent.model import visible
from wand_hostagent.settings import let_name, load


def main(words: Sequence[str]) -> int:
    """Run `approve list|show|yes|no`; the exit status."""
    asked = _parser().parse_args(words)
    path = load(asked.settings).control_socket
    answer = ask(path, {"do": asked.act, "id": getattr(asked, "id", "")})
    lines = [line for one in answer["approvals"] for line in _LINES[asked.act](one)]
    sys.stdout.write("\n".join(lines or ["nothing waits"]) + "\n")
    return 0


def _short(one: Mapping[str, Any]) -> list[str]:
    left = max(0, round(one["expires_unix_seconds"] - time.time()))
    stands = f"{visible(one['id'])}  {visible(one['state'])}, {left} s left"
    return [f"{stands}  {visible(one['principal'])}: {visible(one['message'])}"]


def _long(one: Mapping[str, Any]) -> list[str]:
    """All of it; each word on a line of its own, so that none hides behind another."""
    lines = _short(one)
    for told, value in one["shows"].items():
        name = visible(told)
        if isinstance(value, list):
            lines += [f"  {name}[{place}]: {visible(word)}" for place, word in enumerate(value)]
        elif isinstance(value, dict):
            lines += [f"  {name}.{visible(key)}: {visible(text)}" for key, text in value.items()]
        else:
            lines.append(f"  {name}: {visible(str(value))}")
    return [*lines, f"  client: {visible(one['client'])}", f"  digest: {visible(one['digest'])}"]


def _said(one: Mapping[str, Any]) -> list[str]:
    return [f"{visible(one['id'])}  {visible(one['state'])}"]


_LINES = {"list": _short, "show": _long, "yes": _said, "no": _said}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent approve", description="See what waits for a person, and say yes or no to it."
    )
    let_name(parser)
    acts = parser.add_subparsers(dest="act", required=True)
    listing = acts.add_parser("list", help="a line for each act that waits")
    show = acts.add_parser("show", help="all of what would be done")
    yes = acts.add_parser("yes", help="let it happen, once")
    no = acts.add_parser("no", help="do not let it happen")
    for act in (listing, show, yes, no):
        let_name(act, again=True)
    for act in (show, yes, no):
        act.add_argument("id", metavar="ID", help="as `list` says it")
    return parser
