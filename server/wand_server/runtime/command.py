"""`wand-server config`: asks a running server at its administrator's socket."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wand_proto import desk
from wand_proto.errors import Invalid
from wand_server import settings

_ANSWER_SECONDS = 35.0


def main(words: Sequence[str]) -> int:
    """Run `wand-server config`; 1 where the server refuses.

    Raises:
        WandError: nobody answers, or what the server said is wrong.
    """
    asked = _parser().parse_args(words)
    path = asked.socket or settings.load(asked.settings, os.environ).control_socket
    answer = ask(path, _question(asked))
    lines = _shown(answer) if asked.do == "show" else _changed(answer)
    sys.stdout.write(json.dumps(answer, indent=2) + "\n" if asked.json else "".join(lines))
    return 0


def ask(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    """What the server answers at its control socket.

    Raises:
        Unavailable: nobody listens there, or we may not connect.
        WandError: what the server said is wrong.
    """
    hint = "is the server running, and are you root or its user?"
    return desk.ask(path, question, seconds=_ANSWER_SECONDS, hint=hint)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-server config", description="The configuration of a server that runs."
    )
    _options(parser)
    parser.set_defaults(settings=settings.DEFAULT_PATH)
    behind = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _options(behind)
    commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
    what = partial(commands.add_parser, parents=[behind])
    what("show", help="what holds, and who says so")
    what("reload", help="read the file and the keys again, all of it or nothing")
    does = "NAME=VALUE until the server stops; a list with commas"
    what("set", help=does).add_argument("pairs", nargs="+", metavar="NAME=VALUE")
    what("unset", help="let the file speak again").add_argument("names", nargs="+", metavar="NAME")
    return parser


def _options(parser: argparse.ArgumentParser) -> None:
    """What may stand before the command and behind it; behind it, only what is given counts."""
    does = f"default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, metavar="FILE", help=does)
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="its control socket; default: as FILE says"
    )
    parser.add_argument("--json", action="store_const", const=True, help="print the answer as JSON")


def _question(asked: argparse.Namespace) -> dict[str, Any]:
    match asked.do:
        case "set":
            return {"do": "set", "settings": dict(map(_pair, asked.pairs))}
        case "unset":
            return {"do": "unset", "names": asked.names}
    return {"do": asked.do}


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise Invalid(f"{word!r:.80} must be NAME=VALUE", hint="for example log.level=debug")
    return name, value


def _shown(answer: dict[str, Any]) -> list[str]:
    lines = [
        f"{name} = {json.dumps(one['value'])}  # {one['from']}{'' if one['live'] else '; needs a restart'}\n"
        for name, one in answer["settings"].items()
    ]
    return [*lines, f"keys: {', '.join(answer['keys']) or 'none'}\n", f"digest: {answer['digest']}\n"]


def _changed(answer: dict[str, Any]) -> list[str]:
    lines = [f"{line}\n" for line in answer["changed"]] or ["nothing has changed\n"]
    if waiting := answer["needs_restart"]:
        lines.append(f"needs a restart: {', '.join(waiting)}\n")
    return [*lines, f"digest: {answer['digest']}\n"]
