"""The launcher's command line."""

import argparse
import pwd
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the launcher was told when it was started."""

    socket: str
    profiles: str
    ledger: str
    state: str
    peer_uid: int | None
    ready_fd: int | None
    development: bool
    allow_unconfined: bool
    fork: bool
    cgroup: str
    egress: str
    explain: str


def read(argv: Sequence[str]) -> Options:
    """The command line; a wrong one ends the program with a word on what is right."""
    parser = argparse.ArgumentParser(
        prog="wand-launcher",
        description="Start commands for the host agent: recorded, and confined.",
        allow_abbrev=False,
    )
    parser.add_argument("--socket", default="", help="where to listen; not needed with socket activation")
    parser.add_argument("--profiles", required=True, help="the folder of the profiles, NAME.toml")
    parser.add_argument("--ledger", required=True, help="the folder of the ledger")
    parser.add_argument(
        "--state", default="", help="where to keep which user is whose, if profiles ask for that"
    )
    parser.add_argument(
        "--peer-uid", type=_uid, metavar="USER", help="a user that may connect beside root and our own"
    )
    parser.add_argument("--ready-fd", type=int, help="write a byte to this descriptor when we listen")
    parser.add_argument("--development", action="store_true", help="commands may run as our own user")
    parser.add_argument(
        "--allow-unconfined",
        action="store_true",
        help="start even where a job's processes cannot be held together",
    )
    parser.add_argument(
        "--fork", action="store_true", help="start each job by a copy of the launcher: slower, and the same"
    )
    parser.add_argument(
        "--cgroup", default="", metavar="PATH", help="a folder of cgroup v2 to divide among jobs"
    )
    parser.add_argument(
        "--egress", default="", metavar="SOCKET", help="where the proxy listens; in development we start one"
    )
    parser.add_argument(
        "--explain", default="", metavar="PROFILE", help="print what is done for a job of it, and stop"
    )
    return Options(**vars(parser.parse_args(argv)))


def _uid(text: str) -> int:
    """A user's number; units of systemd know the name alone."""
    try:
        return int(text) if text.isascii() and text.isdigit() else pwd.getpwnam(text).pw_uid
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no user {text!r}") from error
