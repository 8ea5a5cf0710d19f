"""`wand-server keys`: add, list, rotate and remove API keys."""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wand_proto.errors import Invalid, WandError
from wand_server import onrecord, scopes, settings
from wand_server.auth import keyfile, lastused
from wand_server.auth.keyfile import Change, Key, Wanted
from wand_server.settings import Settings

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_STATE = Path("/var/lib/wand-server")  # where the packaged server keeps what it remembers
_SHOWN_ONCE = "This key of {name} is shown once and kept by nobody.\n"


def main(argv: Sequence[str]) -> int:
    """Run `wand-server keys`."""
    parser = _parser()
    try:
        asked = parser.parse_args(argv)
        if asked.file and asked.settings:
            parser.error("give either --settings or --file")
    except SystemExit as ended:
        return int(ended.code or 0)
    try:
        asked.of = None if asked.file else settings.load(asked.settings or settings.DEFAULT_PATH, os.environ)
        asked.file = asked.file or asked.of.http.keys_file
        asked.run(asked)
    except (WandError, OSError) as why:
        sys.stderr.write(f"wand-server keys: {why}\n")
        return 1
    return 0


def seconds(text: str) -> float:
    """A duration as 90d, 12h, 30m or 2w.

    Raises:
        Invalid: it is none.
    """
    found = _DURATION.fullmatch(text)
    if not found:
        raise Invalid(f"{text!r:.40} is no duration", hint="a number and s, m, h, d or w: 90d, 12h")
    return float(int(found[1]) * _UNITS[found[2]])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wand-server keys")
    _where(parser, None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="make a key and print it, once")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--scopes", metavar="LIST", help="with commas; default: all but wand:admin")
    add.add_argument("--groups", default="", metavar="LIST", help="with commas; a policy may speak of them")
    add.add_argument("--on-behalf-of", default="", metavar="PERSON", help="for whom the key's owner acts")
    add.add_argument("--expires", metavar="TIME", help="after how long it ends: 90d, 12h; default: never")
    _command(add, _add)
    _command(commands.add_parser("list", help="whose keys there are, until when, and when last used"), _list)
    rotate = commands.add_parser("rotate", help="make another key of a name, and let the old ones end")
    rotate.add_argument("name", metavar="NAME")
    rotate.add_argument("--keep", default="1d", metavar="TIME", help="how long the old keys still count (1d)")
    rotate.add_argument("--expires", metavar="TIME", help="of the new key; default: as long as the old one")
    _command(rotate, _rotate)
    remove = commands.add_parser("remove", help="let the keys of a name in no more")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--id", default="", metavar="ID", help="only the one of that id")
    _command(remove, _remove)
    return parser


def _command(command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]) -> None:
    _where(command, argparse.SUPPRESS)
    command.set_defaults(run=run)


def _where(parser: argparse.ArgumentParser, default: str | None) -> None:
    """What may stand before the command and behind it."""
    does = f"whose http.keys_file is the file of keys; default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, default=default, metavar="FILE", help=does)
    parser.add_argument(
        "--file", type=Path, default=default, metavar="FILE", help="the file of keys itself, instead"
    )


def _add(asked: argparse.Namespace) -> None:
    wanted = Wanted(
        scopes=Wanted().scopes if asked.scopes is None else tuple(sorted(scopes.read(_words(asked.scopes)))),
        groups=tuple(_words(asked.groups)),
        on_behalf_of=asked.on_behalf_of,
        lives_seconds=_optional(asked.expires),
    )
    notes = _Notes(asked.of)
    _show(asked.name, keyfile.add(asked.file, asked.name, wanted, notes.take))
    notes.tell()


def _rotate(asked: argparse.Namespace) -> None:
    keep, lives, notes = seconds(asked.keep), _optional(asked.expires), _Notes(asked.of)
    plaintext = keyfile.rotate(
        asked.file, asked.name, keep_seconds=keep, lives_seconds=lives, record=notes.take
    )
    _show(asked.name, plaintext)
    sys.stderr.write(f"The old keys of {asked.name} count for {asked.keep} more.\n")
    notes.tell()


def _remove(asked: argparse.Namespace) -> None:
    notes = _Notes(asked.of)
    count = keyfile.remove(asked.file, asked.name, asked.id, notes.take)
    what = f"The key of {asked.name} is" if count == 1 else f"The {count} keys of {asked.name} are"
    sys.stderr.write(f"{what} removed; a running server knows it within a second.\n")
    notes.tell()


class _Notes:
    """Has a change on record at the host agent of those settings, and says afterwards whether it is."""

    def __init__(self, read: Settings | None) -> None:
        self._read = read
        self._why = "--file names no server, and so no host agent; --settings does"

    def take(self, change: Change) -> None:
        """Have it on record, before it is made.

        Raises:
            WandError: the host agent cannot write it into the ledger.
        """
        if self._read is not None:
            noted = onrecord.record(self._read, change.told, (change.before, change.after))
            self._why = asyncio.run(noted)

    def tell(self) -> None:
        """Say whether the change is on record."""
        sys.stderr.write(onrecord.told(self._why))


def _list(asked: argparse.Namespace) -> None:
    used = lastused.read(_used_file(asked.file))
    sys.stdout.writelines(_line(key, used.get(key.credential)) for key in keyfile.read(asked.file))


def _line(key: Key, hour: int | None) -> str:
    until = key.expires.isoformat() if key.expires else "never"
    columns = (
        key.name, key.created.isoformat(), key.credential, f"expires={until}",
        f"scopes={' '.join(sorted(key.granted))}", f"groups={','.join(key.groups)}",
        f"for={key.on_behalf_of}", f"used={lastused.told(hour)}",
    )  # fmt: skip
    return "\t".join(columns) + "\n"


def _used_file(keys_file: Path) -> Path:
    beside = lastused.place(keys_file, os.environ)
    return beside if beside.exists() else _STATE / beside.name


def _show(name: str, plaintext: str) -> None:
    sys.stdout.write(plaintext + "\n")
    sys.stderr.write(_SHOWN_ONCE.format(name=name))


def _optional(duration: str | None) -> float | None:
    return None if duration is None else seconds(duration)


def _words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",") if word.strip()]
