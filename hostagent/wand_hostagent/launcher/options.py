"""The launcher's command line."""

import argparse
import pwd
from collections.abc import Sequence
from dataclasses import dataclass

from wand_hostagent.launcher.ledger import MOST_BYTES, MOST_DAYS, Habits

_LEAST_BYTES = 2**20  # of a file of the ledger: its first record lists all that is open


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
    ledger_most_bytes: int = MOST_BYTES
    ledger_most_days: float = MOST_DAYS
    anchor: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()

    @property
    def habits(self) -> Habits:
        """What the ledger is to do by itself."""
        return Habits(
            most_bytes=self.ledger_most_bytes,
            most_seconds=self.ledger_most_days * 86400,
            secrets=self.secret,
        )


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
    _add_habits(parser)
    told = vars(parser.parse_args(argv))
    return Options(**{**told, "anchor": tuple(told["anchor"]), "secret": tuple(told["secret"])})


def _add_habits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ledger-most-bytes", type=_bytes, default=MOST_BYTES, metavar="N", help="then another file is begun"
    )
    parser.add_argument(
        "--ledger-most-days", type=float, default=MOST_DAYS, metavar="N", help="then another file is begun"
    )
    parser.add_argument(
        "--anchor",
        action="append",
        default=[],
        type=_anchor,
        metavar="PLACE",
        help="where heads of the ledger are told: journal, syslog, or the path of a file",
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name of secrets that are struck out of records",
    )


def _bytes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < _LEAST_BYTES:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of bytes, {_LEAST_BYTES} or more")
    return int(text)


def _anchor(text: str) -> str:
    if text not in {"journal", "syslog"} and not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} must be journal, syslog or a path that begins with /")
    return text


def _uid(text: str) -> int:
    """A user's number; units of systemd know the name alone."""
    try:
        return int(text) if text.isascii() and text.isdigit() else pwd.getpwnam(text).pw_uid
    except KeyError as error:
        raise argparse.ArgumentTypeError(f"there is no user {text!r}") from error
