"""`wand-server artifacts`: what is kept for callers, for whoever looks after the server."""

import argparse
import asyncio
import contextlib
import json
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from wand_proto.errors import Denied, Invalid, NotFound
from wand_server import keeping, onrecord, settings
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
    read = settings.load(asked.settings, os.environ)
    folder, path = keeping.artifact_folder(read), read.artifacts_folder
    if asked.verb == "list":
        with _as_owner_of(path):
            sys.stdout.writelines(f"{_line(grant)}\n" for grant in folder.grants())
        return 0
    with _as_owner_of(path):
        owner = _owner(folder, asked.digest)
    if asked.verb == "share":
        _share(read, folder, owner, asked)
    else:
        noted = _noted(read, f"artifact {asked.digest} of {_shown(owner)}: removed")
        with _as_owner_of(path):
            asyncio.run(folder.remove(owner, asked.digest))
        sys.stdout.write("removed\n")
        sys.stderr.write(noted)
    return 0


def _share(read: Settings, folder: ArtifactFolder, owner: str, asked: argparse.Namespace) -> None:
    reader = _reader(asked.reader)
    noted = _noted(read, f"artifact {asked.digest} of {_shown(owner)}: {_shown(reader)} may read it")
    with _as_owner_of(read.artifacts_folder):
        asyncio.run(folder.share(owner, asked.digest, reader))
    sys.stdout.write(f"{asked.reader} may read it as long as it is kept\n")
    sys.stderr.write(noted)


def _noted(read: Settings, change: str) -> str:
    """Have it on record before it is done; a line that says whether it is.

    Raises:
        WandError: the host agent is there and cannot write it.
    """
    return onrecord.told(asyncio.run(onrecord.record(read, change)))


@contextlib.contextmanager
def _as_owner_of(path: Path) -> Iterator[None]:
    """Be the user whose folder it is, if we are root: what another writes there the server could not read.

    Raises:
        Denied: we are neither.
    """
    about = path.stat() if path.exists() else None
    if about is None or about.st_uid == os.geteuid():
        yield
        return
    if os.geteuid() != 0:
        name = pwd.getpwuid(about.st_uid).pw_name
        raise Denied(f"{path} is {name}'s", hint=f"sudo -u {name} wand-server artifacts …")
    group = os.getegid()
    os.setegid(about.st_gid)
    os.seteuid(about.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wand-server artifacts")
    does = f"default: {settings.DEFAULT_PATH}"
    parser.add_argument("--settings", type=Path, default=settings.DEFAULT_PATH, metavar="FILE", help=does)
    where = argparse.ArgumentParser(add_help=False)  # behind the verb it counts too, and only if it is there
    where.add_argument("--settings", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=does)
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
