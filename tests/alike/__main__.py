"""What every backend does alike, on real parts, as a table: `./dev alike [BACKEND…]`."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache

from support import dockerd, sshd
from support.alike import KINDS, Parts, wrongs_when_cut
from support.dockerd import Dockerd
from support.places import short_folder
from support.sshd import Sshd
from wand_hostagent.backends.behaviours import BEHAVIOURS
from wand_hostagent.backends.conformance import wrongs

Wrongs = dict[str, list[str]]
CUT = "has an end that nobody knows, its link cut"
MARKS = {True: "yes", False: "NO"}


def real(stack: ExitStack) -> Parts:
    """Real parts, each started when it is first needed, and ended with the stack."""

    @cache
    def a_dockerd() -> Dockerd:
        if why := dockerd.why_not():
            raise LookupError(why)
        return stack.enter_context(dockerd.dockerd(stack.enter_context(short_folder())))

    @cache
    def an_sshd() -> Sshd:
        if sshd.SSHD is None:
            raise LookupError("there is no sshd: apt-get install openssh-server")
        return stack.enter_context(sshd.sshds(stack.enter_context(short_folder())))[0]

    return Parts(dockerd=a_dockerd, sshd=an_sshd)


async def tried(parts: Parts, kind: str) -> Wrongs | None:
    """What is wrong with each behaviour on that backend; None where there is none here."""
    try:
        async with parts.opening(kind) as opened:
            found = {one.name: await wrongs(opened.backend, one, opened.permit) for one in BEHAVIOURS}
            return {**found, CUT: await wrongs_when_cut(opened)}
    except LookupError as why:
        print(f"no {kind}: {why}")
        return None


def table(found: dict[str, Wrongs]) -> str:
    """A row for each behaviour, a column for each backend."""
    names = [*(one.name for one in BEHAVIOURS), CUT]
    rows = [[name, *(MARKS[not wrong[name]] for wrong in found.values())] for name in names]
    sums = [f"{sum(not wrong for wrong in each.values())} of {len(each)}" for each in found.values()]
    every = [["", *found], *rows, ["", *sums]]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    )


def main(words: Sequence[str]) -> int:
    """Print the table, and below it what is wrong."""
    if strange := set(words) - KINDS.keys():
        sys.exit(f"no backend {', '.join(sorted(strange))}; there are: {', '.join(KINDS)}")
    found: dict[str, Wrongs] = {}
    with ExitStack() as stack:
        parts = real(stack)
        for kind in words or KINDS:
            if (wrong := asyncio.run(tried(parts, kind))) is not None:
                found[kind] = wrong
    print(table(found))
    every = [(kind, name, wrong) for kind, each in found.items() for name, wrong in each.items() if wrong]
    for kind, name, said in every:
        print(f"{kind} {name}: {'; '.join(said)}")
    return 1 if every else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
