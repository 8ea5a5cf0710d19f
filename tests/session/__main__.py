"""A job in a terminal from its start to its result, the server killed in the middle: `./dev session`."""

import argparse
import asyncio
import sys
from pathlib import Path

from session.course import Session
from support.places import short_folder
from support.running import embedded


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev session", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1 / 3, help="how long the job takes")
    asked = parser.parse_args()
    with short_folder() as folder:
        (folder / "work").mkdir()
        with embedded(folder / "work", folder / "state") as wand:
            session = Session(wand, seconds=asked.minutes * 60, say=_say)
            asyncio.run(session.whole())
            Path("session.cast").write_text(session.cast)
    _say(f"the recording ({len(session.cast.splitlines())} lines): asciinema play session.cast")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
