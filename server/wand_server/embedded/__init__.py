"""Wand for one person and one folder: launcher, host agent and server as children.

The standard library and this folder's own modules, no more; it parses nothing that a stranger sent.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from wand_server.embedded import children, parts, place, talk
from wand_server.embedded.children import Family, Stopped
from wand_server.embedded.parts import Also, Network, Public
from wand_server.embedded.place import Held, Place, Unfit

_FAILURE = 1


def main(words: Sequence[str]) -> int:
    """Run `wand-server embedded`, until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="wand-server embedded", description=_summary())
    _add_common(parser)
    parser.add_argument(
        "--port", type=int, metavar="N", help="for HTTP; 0 takes any (default: 8001, or the next free one)"
    )
    parser.add_argument(
        "--public",
        default="",
        metavar="URL",
        help="where a proxy with TLS lets others reach this, https://wand.example: people sign in there",
    )
    parser.add_argument(
        "--no-documents",
        action="store_true",
        help="with --public, where the internet is out of reach: programs register themselves",
    )
    asked = parser.parse_args(words)
    return _told_plainly(lambda: _serve(asked))


def stdio(words: Sequence[str]) -> int:
    """Run `wand-server stdio --embedded`: quiet, until the client closes stdin."""
    parser = argparse.ArgumentParser(prog="wand-server stdio", description=_summary())
    parser.add_argument("--embedded", action="store_true", required=True, help="start a Wand for this client")
    _add_common(parser)
    asked = parser.parse_args(words)
    return _told_plainly(lambda: _pipe(asked), _tell_client)


def _summary() -> str:
    return str(__doc__).partition("\n")[0]


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="the workspace (default: here)"
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="where keys, ledger and logs are kept")
    parser.add_argument(
        "--network",
        choices=("none", "loopback", "proxy", "host"),
        help="what commands reach: nothing, themselves, the destinations, or all that this machine does"
        " (default: host, and proxy where there are destinations)",
    )
    parser.add_argument(
        "--destination",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="what commands reach through the proxy, such as name.example:443; can be said again",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="more settings of the server, such as [integrations.slack] or [transports]",
    )
    parser.add_argument("--verbose", action="store_true", help="logs to stderr, not to files")


def _told_plainly(run: Callable[[], int], tell: Callable[[str], int] = lambda _: _FAILURE) -> int:
    try:
        return run()
    except (Unfit, OSError) as why:
        sys.stderr.write(f"wand: {why}\n")
        sys.stderr.flush()
        return tell(str(why))
    except Stopped:
        return 0


def _tell_client(why: str) -> int:
    """Answer what the client asks with that, for it shows answers and hides stderr."""
    return int(importlib.import_module("wand_server.unreachable").answer_why(why))


def _serve(asked: argparse.Namespace) -> int:
    with (
        place.prepared(asked.folder, asked.state) as here,
        parts.hold_port(asked.port) as held,
        _family(asked, here) as family,
    ):
        port = int(held.getsockname()[1])
        if asked.port is None and port != parts.FIRST_PORT:
            sys.stderr.write(f"wand: port {parts.FIRST_PORT} is taken, so it is {port} this time\n")
        more = parts.more_settings(asked.settings)
        public = Public(asked.public, not asked.no_documents)
        _start(family, here, port, _network(asked), Also(public, more))
        guarantees = talk.ask_guarantees(port, here.key())
        sys.stdout.write(talk.welcome(here, port, guarantees, asked.public))
        sys.stdout.flush()
        return family.watch()


def _pipe(asked: argparse.Namespace) -> int:
    """Serve stdin and stdout alone; where the same folder is served already, be a pipe to that."""
    try:
        with place.prepared(asked.folder, asked.state) as here, _family(asked, here) as family:
            _start(family, here, 0, _network(asked), Also(more=parts.more_settings(asked.settings)))
            family.start_front(parts.pipe(str(here.stdio_socket)))
            children.let_go()
            return family.watch()
    except Held as held:
        if held.workspace != str(asked.folder.expanduser().resolve()):
            raise
        place.wait_for_socket(held.socket)
        return children.run_front(parts.pipe(held.socket))


def _network(asked: argparse.Namespace) -> Network:
    kind = asked.network or ("proxy" if asked.destination else "host")
    if asked.destination and kind != "proxy":
        raise Unfit(f"--destination counts with --network proxy, not with {kind}")
    return Network(kind, tuple(asked.destination))


def _family(asked: argparse.Namespace, here: Place) -> Family:
    return Family(here.logs, verbose=asked.verbose)


def _start(family: Family, here: Place, port: int, network: Network, also: Also) -> None:
    parts.write_files(here, port, network, also)
    family.start(parts.launcher(here), parts.hostagent(here), parts.server(here))
