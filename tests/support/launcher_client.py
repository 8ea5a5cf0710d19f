"""A real launcher as a child process, and a small client of its socket that waits with a bound."""

import array
import errno
import fcntl
import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

import wand_hostagent
from support.lines import whole_lines
from support.places import short_folder
from wand_hostagent.launcher import protocol

PROGRAM = Path(wand_hostagent.__file__).parent / "launcher"
SECONDS = 60.0
NO_LIMITS: Mapping[str, float] = {}
_ids = itertools.count()


def can_be_others() -> bool:
    """Whether this is root, and not one who is alone in a user namespace."""
    return os.geteuid() == 0 and int(Path("/proc/self/uid_map").read_text().split()[2]) > 65535


needs_root = pytest.mark.skipif(not can_be_others(), reason="only root can become another user")


class Failed(Exception):
    """The launcher answered `failed`; the parts of its answer are attributes."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(f"{answer['kind']}: {answer['field']}: {answer['message']} ({answer['hint']})")
        self.kind, self.field = answer["kind"], answer["field"]
        self.message, self.hint = answer["message"], answer["hint"]


@dataclass
class Launcher:
    """A launcher that runs, with its folders; `profile` is the text of its only profile."""

    folder: Path
    process: subprocess.Popen[bytes]
    argv: Sequence[str | Path]

    @property
    def socket(self) -> Path:
        return self.folder / "launcher.sock"

    @property
    def workspace(self) -> Path:
        return self.folder / "work"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger" / "ledger.jsonl"

    @property
    def log(self) -> str:
        return (self.folder / "launcher.log").read_text()

    def records(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the ledger as they are now."""
        lines = [json.loads(line) for line in whole_lines(self.ledger)]
        return [line for line in lines if event in {"", line["event"]}]

    def client(self) -> "Client":
        return Client(self.socket)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End the launcher and say with which status it went."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def restart(self) -> None:
        self.process = _start(self.argv, self.folder)


@dataclass
class Running:
    """A job that was started, and the ends of its pipes."""

    job: str
    started: Mapping[str, Any]
    stdout: int
    stderr: int

    def read(self) -> bytes:
        """All that the job writes to stdout, to its end."""
        parts = []
        while part := _read(self.stdout):
            parts.append(part)
        return b"".join(parts)

    def read_errors(self) -> bytes:
        return _read(self.stderr)

    def line(self) -> bytes:
        """The next line of stdout; slow, and exact."""
        line = b""
        while not line.endswith(b"\n") and (part := _read(self.stdout, 1)):
            line += part
        return line

    def close(self) -> None:
        os.close(self.stdout)
        os.close(self.stderr)


@dataclass
class Typed(Running):
    """A job that was started in a terminal, of which `stdout` is our end."""

    stdout: int
    stderr: int = -1

    def read(self) -> bytes:
        shown = b""
        try:
            while True:
                shown += _read(self.stdout)
        except OSError as error:
            if error.errno != errno.EIO:  # else nobody has it open any more
                raise
        return shown

    def read_until(self, wanted: bytes) -> bytes:
        """What the terminal shows up to there."""
        shown = b""
        while wanted not in shown:
            shown += _read(self.stdout)
        return shown

    def type(self, text: bytes) -> None:
        os.write(self.stdout, text)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.stdout, termios.TIOCSWINSZ, struct.pack("=HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        os.close(self.stdout)


@dataclass
class Client:
    """One connection; whatever was not waited for yet is kept."""

    path: Path
    exits: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[int, tuple[dict[str, Any], list[int]]] = field(default_factory=dict)
    jobs: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(SECONDS)
        try:
            self.socket.connect(str(self.path))
        except OSError:
            self.socket.close()
            raise
        self.numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()
        while self.jobs:
            self.jobs.pop().close()

    # -- asking ------------------------------------------------------------------------------------------

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        self.send_bytes(json.dumps(message).encode("utf-8", "surrogatepass"), descriptors)

    def send_bytes(self, packed: bytes, descriptors: Sequence[int] = ()) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        self.socket.sendmsg([packed], rights if descriptors else [])

    def ask(self, do: str, descriptors: Sequence[int] = (), **fields: Any) -> dict[str, Any]:
        """Ask and wait for the answer; raises Failed where it says so."""
        return self.ask_for_descriptors(do, descriptors, **fields)[0]

    def ask_for_descriptors(
        self, do: str, descriptors: Sequence[int] = (), **fields: Any
    ) -> tuple[dict[str, Any], list[int]]:
        number = next(self.numbers)
        self.send({"do": do, "re": number, **fields}, descriptors)
        return self.answer(number)

    def answer(self, number: int) -> tuple[dict[str, Any], list[int]]:
        """The answer to the request of that number."""
        while number not in self.answers:
            self.receive()
        message, descriptors = self.answers.pop(number)
        if message["say"] == "failed":
            raise Failed(message)
        return message, descriptors

    def exited(self, job: str) -> dict[str, Any]:
        """How the job ended, waiting for it."""
        while job not in self.exits:
            self.receive()
        return self.exits[job]

    def receive(self) -> None:
        raw, descriptors, _, _ = socket.recv_fds(self.socket, protocol.MESSAGE_BYTES, 8)
        if not raw:
            raise ConnectionResetError("the launcher hung up")
        message = json.loads(raw)
        if message["say"] == "exited":
            self.exits[message["job"]] = message
        else:
            self.answers[message["re"]] = (message, descriptors)
            if "exited" in message:
                self.exits[message["job"]] = message["exited"]

    def run(self, *argv: str, stdin: bytes = b"", keep: bool = True, **fields: Any) -> Running:
        """Start a command, its standard input given whole."""
        job = fields.pop("job", "") or new_job()
        reader, writer = os.pipe()
        os.write(writer, stdin)
        os.close(writer)
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        asked = {
            "profile": "p", "directory": "", "environment": {}, "limits": NO_LIMITS, "why": {}, **fields,
        }  # fmt: skip
        given = [reader, out_end, err_end, *([out, err] if keep else [])]
        running = Running(job, {}, out, err)
        self.jobs.append(running)
        try:
            running.started = self.ask("run", given, job=job, argv=list(argv), **asked)
        finally:
            for descriptor in given[:3]:
                os.close(descriptor)
        return running

    def run_in_terminal(self, *argv: str, size: tuple[int, int] = (80, 24), **fields: Any) -> "Typed":
        """Start a command in a terminal of that many columns and rows."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = {
            "job": new_job(), "profile": "p", "directory": "", "environment": {}, "limits": NO_LIMITS,
            "why": {}, "terminal": {"columns": size[0], "rows": size[1]}, **fields,
        }  # fmt: skip
        with ours, theirs:
            started = self.ask("run", [theirs.fileno(), ours.fileno()], argv=list(argv), **asked)
            typed = Typed(asked["job"], started, terminal_in(ours))
        self.jobs.append(typed)
        return typed

    def result(self, *argv: str, **fields: Any) -> tuple[bytes, dict[str, Any]]:
        """Run a command to its end: what it wrote, and how it ended."""
        running = self.run(*argv, **fields)
        return running.read(), self.exited(running.job)


def terminal_in(sock: socket.socket) -> int:
    """The terminal's master that lies in this socket, where it stays for whoever looks next."""
    sock.settimeout(SECONDS)
    _, [(_, _, packed)], _, _ = sock.recvmsg(16, socket.CMSG_SPACE(4), socket.MSG_PEEK)
    return int.from_bytes(packed, sys.byteorder)


def new_job() -> str:
    return f"job-{os.getpid()}-{next(_ids)}"


def _read(descriptor: int, most: int = 65536) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], SECONDS)
    if not ready:
        raise TimeoutError("the job writes nothing and does not end")
    return os.read(descriptor, most)


# -- a launcher ------------------------------------------------------------------------------------------


@contextmanager
def launched(
    profile: str = "",
    *flags: str,
    before: Sequence[str] = (),
    place: str = "/tmp",
    program: Path = PROGRAM,
) -> Iterator[Launcher]:
    """A launcher with one profile, `p`, and a workspace.

    `before` stands in front of its command line, "{folder}" in it replaced by the launcher's own folder;
    `program` is another launcher than ours, a broken one perhaps.
    """
    with short_folder(place) as folder:
        folder.chmod(0o755)
        for name in ("work", "profiles", "ledger", "state"):
            (folder / name).mkdir()
        text = f'name = "p"\nworkspace = "{folder}/work"\n{profile}\n'
        write_profile(folder / "profiles" / "p.toml", text)
        first = [word.format(folder=folder) for word in before]
        argv = [*first, *command(folder, program), *(flags or ("--development",))]
        launcher = Launcher(folder, _start(argv, folder), argv)
        try:
            yield launcher
        finally:
            with suppress(ProcessLookupError):
                launcher.process.terminate()
            launcher.process.wait(SECONDS)


def write_profile(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def command(folder: Path, program: Path = PROGRAM) -> list[str | Path]:
    """The command line of a launcher that has its folders below `folder`."""
    isolated: list[str | Path] = [sys.executable, "-I", "-S", "-E", program]
    return [
        *isolated, "--socket", folder / "launcher.sock",
        "--profiles", folder / "profiles", "--ledger", folder / "ledger", "--state", folder / "state",
    ]  # fmt: skip


def _start(argv: Sequence[str | Path], folder: Path) -> subprocess.Popen[bytes]:
    """Start a launcher and wait until it listens; raises RuntimeError with its log where it does not."""
    reader, writer = os.pipe()
    with (folder / "launcher.log").open("ab") as log:
        process = subprocess.Popen(
            [*argv, "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
        )
    os.close(writer)
    try:
        if _read(reader) != b"\n":
            process.wait(SECONDS)
            raise RuntimeError((folder / "launcher.log").read_text())
    finally:
        os.close(reader)
    return process


# -- processes -------------------------------------------------------------------------------------------


def marked(marker: str) -> list[int]:
    """The processes that have `marker` in their command line, dead ones not counted."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            with suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def none_left(marker: str, seconds: float = SECONDS) -> bool:
    """Whether every process with that marker is gone within the time."""
    give_up = time.monotonic() + seconds
    while marked(marker):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.002)
    return True
