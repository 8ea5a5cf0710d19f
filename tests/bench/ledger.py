"""The ledger: what it adds to a start, takes from many at once, and how fast a copy is checked."""

import argparse
import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._asking import Asking, linked
from bench.launcher import HOMES, folder, launcher, take_turns, verdict
from support.crashing import mutant
from wand_hostagent.audit import verify
from wand_hostagent.launcher.ledger import Entry, Ledger

NOTE = """\
/bin/true through two launchers that take turns: ours, and one whose ledger forgets what it is given. The
ledger lies on {disk}, every record flushed. Then a ledger of {records} records is checked with its key.\
"""
FORGETS = """
def _forget(self, entries, **_):
    return None
Ledger.append = _forget
Ledger.checkpoint = lambda self: self.head
"""
IN_FLIGHT = 32
ADDED_GOAL_MS = 0.4
LOST_GOAL = 0.1
VERIFY_GOAL = 50_000
RUN: dict[str, Any] = {
    "profile": "developer", "user": "wand-jobs", "uid": 990, "argv": ["pytest", "-q", "tests/unit"],
    "program": "/usr/bin/pytest", "directory": "/srv/work", "environment": ["CI"],
    "limits": {"wall_seconds": 300},
    "profile_sha256": "a" * 64, "steps": "b" * 64,
    "why": {"principal": "claude", "client": "claude-code 2.0", "request": "243b6fa61dca4d3b", "rule": "work",
            "policy": "c" * 64, "form": "argv", "peer": "spiffe://wand/server"},
}  # fmt: skip
END: dict[str, Any] = {
    "reason": "exited", "exit_code": 0, "signal": 0, "wall_seconds": 0.123456, "cpu_seconds": 0.081,
    "peak_memory_bytes": 48_300_032,
}  # fmt: skip


def checked(records: int, rounds: int) -> list[float]:
    """Records a second of the processor's time, over a whole ledger, signatures and all."""
    with tempfile.TemporaryDirectory() as place:
        ledger = Ledger(place)
        for number in range(records // 64):
            jobs = [f"job-{number}-{one}" for one in range(32)]
            ledger.append([entry for job in jobs for entry in pair(job)])
            if ledger.wants_checkpoint:
                ledger.checkpoint()
        ledger.checkpoint()
        ledger.close()
        key, signer = verify.read_key(Path(place) / "first.key")
        rates = []
        for _ in range(rounds):
            began = time.process_time()
            chain, where = verify.check_files(
                verify.files_of([Path(place)]), verify.Known(key=key, signer=signer)
            )
            rates.append(chain.seq / (time.process_time() - began))
            assert not chain.damage, where
        return rates


def pair(job: str) -> tuple[Entry, Entry]:
    return Entry("run", {"job": job, **RUN}), Entry("end", {"job": job, **END})


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench ledger", description=__doc__)
    parser.add_argument("--starts", type=int, default=300, help="starts of each contender (300)")
    parser.add_argument("--many", type=int, default=1500, help="starts of a throughput run (1500)")
    parser.add_argument("--records", type=int, default=40_000, help="records that are checked (40000)")
    parser.add_argument("--disk", default="/var/tmp", help="where the ledgers lie")
    return parser.parse_args()


def main() -> None:
    told = options()
    print(NOTE.format(disk=told.disk, records=told.records))
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        program = mutant(enter(folder("/tmp")), "ledger.py", FORGETS)
        homes, disks = [enter(folder(HOMES)) for _ in range(2)], [enter(folder(told.disk)) for _ in range(2)]
        running = [
            enter(launcher(homes[0], disks[0], "")),
            enter(launcher(homes[1], disks[1], "", program=program)),
        ]
        asking = Asking(homes[0])
        ours, forgetting = (enter(linked(one.socket)) for one in running)
        taken = take_turns({"ours": asking.ask(ours), "forgets": asking.ask(forgetting)}, told.starts)
        middles = {name: statistics.median(times) * 1000 for name, times in taken.items()}
        for name, middle in middles.items():
            print(f"  {name:44}{middle:9.3f} ms")
        added = middles["ours"] - middles["forgets"]
        print(verdict("added to a start, ms", added, ADDED_GOAL_MS, below=True))
        rates: dict[str, list[float]] = {"ours": [], "forgets": []}
        for _ in range(5):
            rates["ours"].append(asking.rate(ours, told.many, IN_FLIGHT))
            rates["forgets"].append(asking.rate(forgetting, told.many, IN_FLIGHT))
        most = {name: statistics.median(each) for name, each in rates.items()}
        print(
            f"  starts a second, {IN_FLIGHT} in flight: {most['ours']:.0f}, and {most['forgets']:.0f} without"
        )
        print(verdict("share of throughput lost", 1 - most["ours"] / most["forgets"], LOST_GOAL, below=True))
    print(verdict("records checked a second", max(checked(told.records, 5)), VERIFY_GOAL, below=False))


if __name__ == "__main__":
    main()
