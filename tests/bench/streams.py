"""A gigabyte of output on its way to an MCP client: how fast, and how much memory each process takes."""

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import _contenders, _servers
from bench._load import Target, call, connect
from bench._servers import Server

NOTE = """\
`head -c SIZE /dev/zero`, asked for by execute_command over HTTP: the job's pipe, the host agent, the stream
of calls over mutual TLS, the server, which keeps both ends of it, and the client. Growth is the most that lay
in memory during the run, over what lay there before (VmHWM, proc(5)). Nothing is held to a core.\
"""
MIB = 2**20
RATE_GOAL, GROWTH_GOAL = 200.0, 32.0  # MB a second; MiB in each process
DEADLINE_SECONDS = 120
PROCESSES = {
    "server": ("server", " serve "),
    "host agent": ("hostagent", " serve "),
    "launcher": ("launcher", "-I"),
}


def peaks(pids: Mapping[str, int]) -> dict[str, float]:
    """The most that each has had in memory since `forget_peaks`, in MiB."""
    found = {}
    for name, pid in pids.items():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found[name] = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return found


def forget_peaks(pids: Mapping[str, int]) -> None:
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): the peak begins again at what there is now


async def one(server: Server, size: int) -> None:
    """One call whose job writes so many bytes; the answer has to say that all of them came."""
    target = Target(
        port=server.port, era="modern", tool="execute_command", headers=server.headers,
        arguments={"argv": ["head", "-c", str(size), "/dev/zero"]}, proof=f'"stdout_bytes":{size}'.encode(),
    )  # fmt: skip
    connection = await connect(server.port)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await connection.ask(call(target, ""))
    finally:
        connection.close()
    if target.proof not in answer:
        sys.exit(f"bench: a wrong answer: {answer[-2000:]!r}")


async def measure(server: Server, pids: Mapping[str, int], size: int, at_once: int) -> Iterator[str]:
    forget_peaks(pids)
    before, began = peaks(pids), time.perf_counter()
    await asyncio.gather(*(one(server, size // at_once) for _ in range(at_once)))
    seconds = time.perf_counter() - began
    return lines(size / seconds / 1e6, {name: most - before[name] for name, most in peaks(pids).items()})


def lines(rate: float, growth: Mapping[str, float]) -> Iterator[str]:
    kept = "yes" if rate >= RATE_GOAL else "NO"
    yield f"    {'MB a second':32}{rate:9.0f}  goal >= {RATE_GOAL:g}  {kept}"
    for name, mib in growth.items():
        kept = "yes" if mib <= GROWTH_GOAL else "NO"
        yield f"    {'growth of the ' + name + ', MiB':32}{mib:9.1f}  goal <= {GROWTH_GOAL:g}  {kept}"


async def run(size: int, rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_contenders.scratch())
        server = stack.enter_context(_contenders.start_wand(folder, core=None))
        pids = {name: _servers.below(server.pid, *words) for name, words in PROCESSES.items()}
        await one(server, MIB)  # to warm up
        for at_once in (1, 16):
            for _ in range(rounds):
                found = await measure(server, pids, size, at_once)
                print(f"  {size / MIB:g} MiB, {at_once} at once", *found, sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench streams", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of it; no figures to quote")
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.quick:
        options.mib, options.rounds = 64, 1
    asyncio.run(run(options.mib * MIB, options.rounds))
    print(NOTE)


if __name__ == "__main__":
    main()
