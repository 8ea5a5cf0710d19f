"""Run a plan: each stage below `stage.py`, some beside one another, as far as processors go round."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from plan import Need, Plan, Stage
from telling import Teller

_ONE = Path(__file__).with_name("stage.py")
_APT = "apt-get -qq -o DPkg::Lock::Timeout=300"
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(plan: Plan, *, logs: Path, cores: float = 0) -> int:
    """Run it and tell of it; 0 where nothing failed. However it ends, nothing is left running."""
    logs.mkdir(parents=True, exist_ok=True)
    teller = Teller(plan.order(), logs)
    runner = _Runner(teller, cores or len(os.sched_getaffinity(0)))
    for number in _ENDINGS:
        signal.signal(number, _interrupted)
    try:
        runner.run(plan)
    finally:
        runner.end()
    print("", *teller.failures, teller.tally, sep="\n", flush=True)
    return int(teller.tally.failed > 0)


def _interrupted(*_: object) -> NoReturn:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # once is enough
    sys.exit(130)


def _installation(missing: Iterable[Need]) -> Stage:
    """Install all that is missing; where that fails, what can be installed of it."""
    groups = list(dict.fromkeys(each.packages for each in missing))
    install = f"{_APT} install -y --no-install-recommends"
    at_once = f"{install} {shlex.join(name for group in groups for name in group)}"
    one_by_one = "; ".join(f"{install} {shlex.join(group)}" for group in groups)
    script = f"{_APT} update; {at_once} || {{ {one_by_one}; }}"
    return Stage(name="apt", seconds=900, command=f"sh -c {shlex.quote(script)}", cores=0)


def fits(stage: Stage, running: Iterable[Stage], cores: float) -> bool:
    """Whether it can run beside those; what asks for more than there is runs beside what takes nothing."""
    taken = sum(each.cores for each in running)
    return taken + stage.cores <= cores or taken == 0


@dataclass(frozen=True, slots=True)
class _Running:
    stage: Stage
    began: float
    process: "subprocess.Popen[bytes]"


@dataclass(slots=True)
class _Runner:
    """What runs, on a machine with so many processors."""

    teller: Teller
    cores: float
    _running: dict[int, _Running] = field(default_factory=dict)  # by the number of its process
    _incoming: frozenset[Need] = frozenset()  # what is being installed

    def run(self, plan: Plan) -> None:
        if all(self._alone(stage) for stage in plan.first):
            self._install(plan)
            self._beside(plan.beside)
            for stage in plan.alone:
                self._alone(stage)

    def end(self) -> None:
        """End what still runs, with all that it has started."""
        for each in self._running.values():
            each.process.terminate()  # which looks first whether it is still there
        for each in self._running.values():
            each.process.wait()

    def _alone(self, stage: Stage) -> bool:
        """Run it when nothing else does; whether it ended well, or cannot run here."""
        if why := stage.why_not():
            self.teller.skipped(stage, why)
            return True
        self._start(stage)
        return self._await_one() == 0

    def _install(self, plan: Plan) -> None:
        missing = frozenset(plan.missing())
        if missing and plan.installs:
            self._incoming = missing
            self._start(_installation(missing))

    def _beside(self, stages: Iterable[Stage]) -> None:
        """Run them as far as they fit, what may take longest first."""
        waiting = sorted(stages, key=lambda stage: -stage.seconds)
        while waiting or self._running:
            for stage in tuple(waiting):
                if self._is_ready(stage, waiting):
                    waiting.remove(stage)
                    self._start_or_skip(stage)
            if self._running:
                self._await_one()

    def _is_ready(self, stage: Stage, waiting: Iterable[Stage]) -> bool:
        running = [each.stage for each in self._running.values()]
        there = self._incoming.isdisjoint((*stage.needs, *stage.wants))
        still = {each.name for each in (*waiting, *running)}
        return there and still.isdisjoint(stage.after) and fits(stage, running, self.cores)

    def _start_or_skip(self, stage: Stage) -> None:
        if why := stage.why_not():
            self.teller.skipped(stage, why)
        else:
            self._start(stage)

    def _start(self, stage: Stage) -> None:
        argv = [
            sys.executable,
            str(_ONE),
            str(stage.seconds),
            str(stage.niceness),
            *shlex.split(stage.command),
        ]
        with self.teller.log(stage).open("wb") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )  # Ctrl-C is for us; we tell it what to do
        self._running[process.pid] = _Running(stage, time.monotonic(), process)

    def _await_one(self) -> int:
        """Wait until one of them ends, and tell of it; its status."""
        pid, status = os.wait()
        ended = self._running.pop(pid)
        ended.process.returncode = os.waitstatus_to_exitcode(status)
        if ended.stage.name == "apt":
            self._incoming = frozenset()
        else:
            self.teller.ended(ended.stage, ended.process.returncode, time.monotonic() - ended.began)
        return ended.process.returncode
