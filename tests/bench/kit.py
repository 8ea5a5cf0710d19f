"""The integrations: what the kit adds to a request, and what services that are set up cost unused.

The service on loopback is a process of its own, so that only the caller's processor time is counted. The ways
take turns of a few calls, and each is compared with bare aiohttp turn by turn: what else the machine does in
that moment, it does to both.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from support.host import FakeHost, call
from support.services import FakeCatalog, FakeLedger, Notes
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Around, Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.tools.operations import CallOperation, entries

NOTES = {"notes": [{"id": number, "text": "a note of some length"} for number in range(20)]}
GOAL_RATIO, GOAL_START_SECONDS, GOAL_MIB, GOAL_FIND_MS = 1.5, 0.3, 30.0, 5.0
WANTED = 60  # instances; so many services or one of them several times
_MIB = 1024 * 1024

_START = """\
import json, os, sys, time
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.instances import Instances
cpu = time.process_time()  # what is loaded for none is loaded for all
instances = Instances(Catalog(), None, lambda: "a1")
tables = json.loads(sys.argv[1])
instances.check(tables)
instances.configure(tables)
known = {one.module for one in Catalog().known.values()}
services = sorted(known & set(sys.modules))
pages = int(open("/proc/self/statm").read().split()[1])
spent = {"cpu": time.process_time() - cpu, "bytes": pages * os.sysconf("SC_PAGE_SIZE")}
print(json.dumps({**spent, "services": services}))
"""


def serve() -> None:
    """A service of notes, until it is ended; its address is the first line that it prints."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(NOTES)

    async def main() -> None:
        application = web.Application()
        application.router.add_get("/notes", answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


async def us_each(way: Callable[[], Awaitable[Any]], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        await way()
    return (time.process_time() - began) / calls * 1e6


async def requests(url: str, rounds: int, calls: int) -> dict[str, list[float]]:
    """µs of processor time a call, turn by turn: bare aiohttp, the kit alone, and what stands above it."""
    notes = Notes(Notes.Config(base_url=url, token=SecretStr("a-token-of-a-bench")))
    instances = Instances(
        FakeCatalog(), FakeLedger(), lambda: "a1", Sources({"T": "a-token"}), Around(host=FakeHost())
    )
    instances.configure({"notes": {"base_url": url, "token": "env:T"}})
    one, host = call(), FakeHost()
    tool = next(each for each in entries(instances) if each.description.name == CallOperation.name)
    asked = {"operation": "notes.list_notes", "arguments": {}}
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer a-token"}) as session:

        async def bare() -> Any:
            async with session.get(f"{url}/notes") as response:
                return await response.json()

        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            "bare aiohttp": bare,
            "the kit": lambda: notes.execute("list_notes", {}),
            "an instance, on record": lambda: instances.run(one, "notes.list_notes", {}, may_change=False),
            "call_operation": lambda: tool.call(dict(asked), host, one),
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            await us_each(way, calls)  # what is made once is made
        for _ in range(rounds):
            for name, way in ways.items():
                found[name].append(await us_each(way, calls))
    await notes.cleanup()
    await instances.close()
    return found


def tables() -> dict[str, dict[str, Any]]:
    """Settings of every service, and of one of them again and again until there are enough."""
    known = Catalog().known
    usual = {
        service: {
            name: f"env:{name}" if each.secret else "x"
            for name, each in one.settings.items()
            if each.required
        }
        for service, one in known.items()
    }
    more = {f"slack:s{number}": usual["slack"] for number in range(WANTED - len(usual))}
    return {**usual, **more}


def started(configured: dict[str, Any]) -> dict[str, Any]:
    """What a new process has spent when those are configured."""
    words = [sys.executable, "-c", _START, json.dumps(configured)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


async def found_ms(configured: dict[str, Any], times: int) -> float:
    """ms of processor time for a search in all operations, the first not counted: it lays the index out."""
    instances = Instances(Catalog(), FakeLedger(), lambda: "a1")
    instances.configure(configured)
    await instances.find("send a message", "", 8)
    began = time.process_time()
    for _ in range(times):
        await instances.find("tell the team in the channel that the deployment is done", "", 8)
    return (time.process_time() - began) / times * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench kit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return 0
    rounds, calls, starts = (20, 20, 3) if asked.quick else (100, 40, 9)
    with subprocess.Popen(
        [sys.executable, "-m", "bench.kit", "--serve"], stdout=subprocess.PIPE, text=True
    ) as service:
        assert service.stdout is not None
        each = asyncio.run(requests(service.stdout.readline().strip(), rounds, calls))
        service.terminate()
    print(f"µs of processor time for a GET of 20 notes, medians of {rounds} turns of {calls} calls:\n")
    for name, us in each.items():
        print(f"  {statistics.median(us):7.0f} µs   {ratio(us, each['bare aiohttp']):5.2f} x   {name}")
    return max(_said_ratio(ratio(each["the kit"], each["bare aiohttp"])), _said_start(starts))


def ratio(us: list[float], to: list[float]) -> float:
    """How many times as much it takes, in the median of the turns."""
    return statistics.median(one / other for one, other in zip(us, to, strict=True))


def _said_ratio(times: float) -> int:
    print(f"\n  the kit: {times:.2f} x   (goal: at most {GOAL_RATIO})")
    return int(times > GOAL_RATIO)


def _said_start(rounds: int) -> int:
    configured = tables()
    pairs = [(started({}), started(configured)) for _ in range(rounds)]
    seconds, more = (
        statistics.median(everything[what] - none[what] for none, everything in pairs)
        for what in ("cpu", "bytes")
    )
    mib, loaded = more / _MIB, pairs[0][1]["services"]
    ms = asyncio.run(found_ms(configured, 50))
    print(f"\n{len(configured)} instances of {len(Catalog().known)} services, beside none:\n")
    print(f"  {seconds:7.3f} s     more to start     (goal: at most {GOAL_START_SECONDS})")
    print(f"  {mib:7.1f} MiB   more memory       (goal: at most {GOAL_MIB:.0f})")
    print(f"  {len(loaded):7}       modules of services loaded   (goal: none)")
    print(f"  {ms:7.2f} ms    for find_operations   (goal: at most {GOAL_FIND_MS:.0f})")
    return int(seconds > GOAL_START_SECONDS or mib > GOAL_MIB or bool(loaded) or ms > GOAL_FIND_MS)


if __name__ == "__main__":
    sys.exit(main())
