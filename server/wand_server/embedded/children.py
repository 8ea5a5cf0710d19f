"""The children of the supervisor: started side by side, started again when they die, ended in order."""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from wand_server.embedded.parts import Child
from wand_server.embedded.place import Unfit

_READY_SECONDS = 30.0
_STOP_SECONDS = 8.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_MOST_DEATHS, _DEATHS_SECONDS = 5, 60.0
_TAIL_LINES = 20
_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_LIBC = ctypes.CDLL(None)


class Stopped(Exception):
    """Somebody asked us to stop."""


class _FrontEnded(Exception):
    """There is nobody left to serve."""


@dataclass(frozen=True, slots=True)
class _Loading:
    """A child that says when it is ready; told to begin, it does; where we are gone before that, it ends."""

    name: str
    ready: IO[bytes]
    begin: IO[bytes]


class Family:
    """All children; they live no longer than the block that this is entered for."""

    def __init__(self, logs: Path, *, verbose: bool) -> None:
        self._logs = logs
        self._verbose = verbose
        self._running: dict[str, tuple[Child, subprocess.Popen[bytes]]] = {}
        self._front: subprocess.Popen[bytes] | None = None
        self._deaths: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_MOST_DEATHS))

    def __enter__(self) -> Self:
        self._heard, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = {number: signal.signal(number, _ignore) for number in (*_STOPPING, signal.SIGCHLD)}
        self._bell_before = signal.set_wakeup_fd(self._bell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop()
        finally:
            signal.set_wakeup_fd(self._bell_before)
            for number, handler in self._before.items():
                signal.signal(number, handler)
            os.close(self._heard)
            os.close(self._bell)

    def start(self, *children: Child) -> None:
        """Start the children and wait until each is ready; they load side by side, and begin in this order.

        Raises:
            Unfit: one ended, or was not ready in time; the end of its log is in the message.
            Stopped: somebody asked us to stop meanwhile.
        """
        with contextlib.ExitStack() as opened:
            begun = [self._load(child, opened, waits=bool(place)) for place, child in enumerate(children)]
            for each in begun:
                with contextlib.suppress(BrokenPipeError):  # it waits for nobody, or has ended
                    each.begin.write(b"\n")
                self._wait_until_ready(each.name, each.ready.fileno())

    def _load(self, child: Child, opened: contextlib.ExitStack, *, waits: bool) -> _Loading:
        """Start one, which waits for its turn where it is not the first."""
        ready, told = _pipe(opened)
        after, begin = _pipe(opened)
        with told, after, self._log_of(child.name) as log:
            given = {"--ready-fd": told.fileno()} | ({"--after-fd": after.fileno()} if waits else {})
            process = _spawn(child, given, log)
        self._running[child.name] = (child, process)
        return _Loading(child.name, ready, begin)

    def start_front(self, argv: Sequence[str]) -> None:
        """Start the program that talks to the client on our stdin and stdout; its end is the end of all."""
        self._front = subprocess.Popen(argv)

    def watch(self) -> int:
        """Start again whatever dies, until somebody asks us to stop or the front ends; our exit status."""
        try:
            while True:
                self._look_at_front()
                if (dead := self._first_dead()) is not None:
                    self._start_again(*dead)  # it may swallow the bell of another that died: look again
                elif self._heard_within(None) & _STOPPING:
                    return 0
        except _FrontEnded:
            return self._front.returncode if self._front is not None else 0

    def _look_at_front(self) -> None:
        if self._front is not None and self._front.poll() is not None:
            raise _FrontEnded

    def _first_dead(self) -> tuple[Child, int] | None:
        """A child that has ended, and its status."""
        for child, process in self._running.values():
            if process.poll() is not None:
                return child, process.returncode
        return None

    def _start_again(self, child: Child, status: int) -> None:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        deaths, now = self._deaths[child.name], time.monotonic()
        if len(deaths) == _MOST_DEATHS and now - deaths[0] < _DEATHS_SECONDS:
            raise Unfit(f"the {child.name} ended with {how}, once too often{self._tail(child.name)}")
        deaths.append(now)
        sys.stderr.write(f"wand: the {child.name} ended with {how}; starting it again\n")
        self.start(child)

    def _wait_until_ready(self, name: str, read: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self._look_at_front()  # it may end with the server that is being started again
            ready, _, _ = select.select([read, self._heard], [], [], left)
            if self._heard in ready and self._heard_within(0) & _STOPPING:
                raise Stopped
            if read in ready:
                if os.read(read, 64):
                    return
                raise Unfit(f"the {name} did not start{self._tail(name)}")
        raise Unfit(f"the {name} was not ready after {_READY_SECONDS:g} seconds{self._tail(name)}")

    def _heard_within(self, seconds: float | None) -> set[int]:
        """The signals that have come, after a wait of at most so long."""
        select.select([self._heard], [], [], seconds)
        try:
            return set(os.read(self._heard, 4096))
        except BlockingIOError:
            return set()

    def _stop(self) -> None:
        """End the front, then the rest from the last to the first; who asks twice has them killed."""
        if self._front is not None:
            self._end(self._front, 1.0)
        elif self._running:
            sys.stderr.write("wand: stopping; Ctrl-C once more kills what is left\n")
        for _, process in reversed(self._running.values()):
            self._end(process, _STOP_SECONDS)

    def _end(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        process.terminate()
        deadline = time.monotonic() + seconds
        while process.poll() is None and (left := deadline - time.monotonic()) > 0:
            if self._heard_within(min(left, 0.1)) & _STOPPING:
                break
        process.kill()
        process.wait()

    def _log_of(self, name: str) -> IO[bytes]:
        if self._verbose:
            return os.fdopen(os.dup(2), "wb")
        path = self._logs / f"{name}.log"
        if name not in self._running and path.exists():
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def _tail(self, name: str) -> str:
        if self._verbose:
            return ""
        path = self._logs / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "".join(f"\n  {line}" for line in [f"{path} ends with:", *lines])


def run_front(argv: Sequence[str]) -> int:
    """Run the program that talks to the client, and nothing beside it; its exit status."""
    return subprocess.run(argv, check=False).returncode


def let_go() -> None:
    """Leave stdin and stdout to the front: when it ends its client sees that, however long all else takes."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for ours in (0, 1):
        os.dup2(nowhere, ours)
    os.close(nowhere)


def _ignore(_: int, __: FrameType | None) -> None:
    """Nothing: the bell has rung, and that is all we want."""


def _pipe(opened: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Both ends of a pipe, closed at the latest when `opened` is."""
    read, write = os.pipe2(os.O_CLOEXEC)
    return opened.enter_context(os.fdopen(read, "rb", 0)), opened.enter_context(os.fdopen(write, "wb", 0))


def _spawn(child: Child, given: Mapping[str, int], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start it, with these options that each name a descriptor of ours."""
    parent = os.getpid()

    def die_with_us() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(child.death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(
        [*child.argv, *(word for name, number in given.items() for word in (name, str(number)))],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd=child.folder,
        env=child.environment,
        pass_fds=tuple(given.values()),
        start_new_session=True,  # Ctrl-C is for us: we end them in order
        preexec_fn=die_with_us,  # noqa: PLW1509 - we have one thread, and the kernel must end them with us
    )
