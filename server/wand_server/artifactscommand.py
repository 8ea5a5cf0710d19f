"""`wand-server artifacts`: what is kept for callers, for whoever looks after the server."""

import argparse
import asyncio
import json
import os
import pwd
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wand_proto.errors import Denied, Invalid, NotFound
from wand_server import keeping, settings
from wand_server.memory.artifacts import ArtifactFolder
from wand_server.memory.grants import Grant
from wand_server.ports import EVERYONE
from wand_server.settings import Settings


def main(words: Sequence[str]) -> int:
    """Run `wand-server artifacts list|share|remove`."""
    try:
        asked = _parser().parse_args(words)
    except SystemExit as ended:
        return int(ended.code or 0)
    folder = _folder(settings.load(asked.settings, os.environ))
    match asked.verb:
        case "list":
            for grant in folder.grants():
                sys.stdout.write(f"{_line(grant)}\n")
        case "share":
            owner = _owner(folder, asked.digest)
            asyncio.run(folder.share(owner, asked.digest, _reader(asked.reader)))
            sys.stdout.write(f"{asked.reader} may read it as long as it is kept\n")
        case _:
            asyncio.run(folder.remove(_owner(folder, asked.digest), asked.digest))
            sys.stdout.write("removed\n")
    return 0


def _folder(read: Settings) -> ArtifactFolder:
    """The folder, for the user whose it is: what another writes there the server could not read.

    Raises:
        Denied: we are another.
    """
    path = read.artifacts_folder
    if path.exists() and (owner := path.stat().st_uid) != os.geteuid():
        name = pwd.getpwuid(owner).pw_name
        raise Denied(f"{path} is {name}'s", hint=f"sudo -u {name} wand-server artifacts …")
    return keeping.artifact_folder(read)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wand-server artifacts")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help="default: %(default)s"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", parents=[where], help="a line for each: digest, size, end, whose, name")
    share = verbs.add_parser("share", parents=[where], help="let others read one")
    share.add_argument("digest")
    share.add_argument("reader", help='whose, as list shows it, or "everyone"')
    verbs.add_parser("remove", parents=[where], help="keep one no more").add_argument("digest")
    return parser


def _line(grant: Grant) -> str:
    one = grant.artifact
    ends = datetime.fromtimestamp(one.expires, UTC).isoformat(timespec="minutes")[:16]
    lent = f" lent by {_shown(one.shared_by)}" if one.shared_by else ""
    name = "".join(char for char in one.name if char.isprintable())
    return f"{one.digest} {one.total_bytes:>12,} {ends} {_shown(grant.owner)}{lent} {name}"


def _shown(owner: str) -> str:
    """An owner as means:name, and for whom: what `_reader` reads."""
    if owner == EVERYONE:
        return owner
    means, name, behalf = json.loads(owner)
    shown = f"{means}:{name}" + (f" for {behalf}" if behalf else "")
    return "".join(char for char in shown if char.isprintable())


def _reader(text: str) -> str:
    if text == EVERYONE:
        return text
    means, colon, name = text.partition(":")
    if not colon or not name:
        raise Invalid('must be like api_key:ann, or "everyone"', field="reader")
    return json.dumps([means, name, ""], ensure_ascii=False, separators=(",", ":"))


def _owner(folder: ArtifactFolder, digest: str) -> str:
    """The one whose it is; where several have the same content, the first to.

    Raises:
        NotFound: nobody has it.
    """
    own = [one for one in folder.grants() if one.artifact.digest == digest and not one.artifact.shared_by]
    if not own:
        raise NotFound("nobody has a file of that digest", field="digest")
    return min(own, key=lambda one: one.artifact.made).owner
