"""`wand-hostagent jobs`: which jobs run now, as the launcher knows them."""

import argparse
import asyncio
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import visible
from wand_hostagent.reports import FoundJob
from wand_hostagent.settings import let_name, load

_ANSWER_SECONDS = 5.0
_MOST_LETTERS = 100  # of a command line


def main(words: Sequence[str]) -> int:
    """Run `wand-hostagent jobs`; the exit status."""
    parser = argparse.ArgumentParser(
        prog="wand-hostagent jobs", description="Tell which jobs run now; as root."
    )
    let_name(parser)
    parser.add_argument("--count", action="store_true", help="how many, and nothing else")
    told = parser.parse_args(words)
    found = [job for job in asyncio.run(_jobs(load(told.settings).launcher_socket)) if job.running]
    lines = [str(len(found))] if told.count else [*map(_line, found)] or ["no job is running"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


async def _jobs(socket: Path) -> tuple[FoundJob, ...]:
    async with LauncherLink.open(socket, answer_seconds=_ANSWER_SECONDS) as link:
        return await link.jobs()


def _line(job: FoundJob) -> str:
    seconds = max(0, round(time.time() - job.started_unix_seconds))
    command = visible(shlex.join(job.argv))[:_MOST_LETTERS]
    return f"{job.job}  {seconds} s  {visible(job.profile)}  {command}"
