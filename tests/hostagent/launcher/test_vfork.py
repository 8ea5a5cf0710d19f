"""The machine code of a start: its bytes, the tables that it does, and the first process of a job."""

import contextlib
import errno
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import needs_root
from wand_hostagent.launcher import syscalls, vfork
from wand_hostagent.launcher.step import Memory, Step, step

SECONDS = 60
SOURCES = sorted(vfork.PROGRAM.parent.glob("*.S"))
needs_code = pytest.mark.skipif(vfork.find() is None, reason="there is no machine code for this processor")
MACHINE = vfork.find()


@pytest.fixture
def machine() -> vfork.Machine:
    assert MACHINE is not None
    return MACHINE


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_bytes_are_those_of_the_source(source: Path, tmp_path: Path) -> None:
    if not shutil.which("as") or os.uname().machine not in source.name:
        pytest.skip("no assembler for this source here")
    made = tmp_path / "made"
    subprocess.run(["as", "-o", tmp_path / "object", source], check=True)
    linked = ["ld", "--oformat", "binary", "-e", "0", "-Ttext", "0x400000"]
    subprocess.run([*linked, "-o", made, tmp_path / "object"], check=True)
    assert made.read_bytes() == source.with_suffix(".bin").read_bytes()


# -- tables ----------------------------------------------------------------------------------------------


def execute(memory: Memory, *argv: bytes) -> Step:
    texts = memory.text(argv[0]), memory.words(argv), memory.words([b"A=1"])
    return step("execve", *texts)


def numbers(pid: int | str = "self") -> set[str]:
    return {place.name for place in Path(f"/proc/{pid}/fd").iterdir()}


def waited(pid: int, pidfd: int) -> int:
    ready, _, _ = select.select([pidfd], [], [], SECONDS)
    os.close(pidfd)
    assert ready
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@needs_code
def test_a_table_is_done_from_top_to_bottom(machine: vfork.Machine) -> None:
    memory = Memory()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    steps = [step("dup3", writer, 1, 0), step("umask", 0o027), execute(memory, b"/bin/sh", b"-c", b"umask")]
    assert waited(*machine.start(vfork.ready(steps, memory))) == 0
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        assert told.read().strip() in {b"0027", b"027"}


@needs_code
def test_a_step_that_fails_is_named_with_its_error_and_nothing_is_left(machine: vfork.Machine) -> None:
    memory = Memory()
    steps = [step("umask", 0), step("fchdir", 99999), execute(memory, b"/bin/true")]
    before = numbers()
    with pytest.raises(vfork.Stopped) as stopped:
        machine.start(vfork.ready(steps, memory))
    assert (stopped.value.place, stopped.value.number) == (1, 9)
    assert numbers() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@needs_code
def test_a_program_that_is_not_there_fails_in_its_own_step(machine: vfork.Machine) -> None:
    memory = Memory()
    with pytest.raises(vfork.Stopped) as stopped:
        machine.start(vfork.ready([step("setsid"), execute(memory, b"/nonesuch")], memory))
    assert (stopped.value.place, stopped.value.number) == (1, 2)


@needs_code
def test_our_own_signal_mask_is_as_it_was(machine: vfork.Machine) -> None:
    memory = Memory()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert waited(*machine.start(vfork.ready([execute(memory, b"/bin/true")], memory))) == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_child_that_nobody_waits_for_does_its_table_too(machine: vfork.Machine) -> None:
    memory = Memory()
    tables = [vfork.ready([step("setsid"), execute(memory, b"/bin/true")], memory) for _ in range(20)]
    children = [machine.begin(table) for table in tables]
    assert [waited(*child) for child in children] == [0] * 20


def test_a_child_that_nobody_waits_for_dies_of_its_own_failure_alone(machine: vfork.Machine) -> None:
    memory = Memory()
    fails = vfork.ready([execute(memory, b"/nonesuch")], memory)
    works = vfork.ready([execute(memory, b"/bin/true")], memory)
    for _ in range(20):
        lost = machine.begin(fails)
        assert waited(*machine.start(works)) == 0
        assert waited(*lost) == 127


def test_a_table_that_is_moved_says_the_same() -> None:
    orders = vfork.Orders([step("umask", -1)])
    packed = orders.with_program(b"/bin/x", (b"/bin/x", b"one", b""), (b"A=1",))

    def number(address: int) -> int:
        offset = address - vfork.ORDERS_AT
        return int.from_bytes(packed[offset : offset + 8], "little")

    def text(address: int) -> bytes:
        offset = address - vfork.ORDERS_AT
        return packed[offset : packed.index(b"\0", offset)]

    second = vfork.ORDERS_AT + 56
    program, argv, environment = (number(second + 8 * place) for place in (1, 2, 3))
    assert number(vfork.ORDERS_AT + 8) == 2**64 - 1
    assert text(program) == b"/bin/x"
    assert [text(number(argv + 8 * place)) for place in (0, 1, 2)] == [b"/bin/x", b"one", b""]
    assert (number(argv + 24), text(number(environment)), number(environment + 8)) == (0, b"A=1", 0)


# -- the init --------------------------------------------------------------------------------------------


class Held:
    """An init of ours, in a pid namespace, and our end of its socket."""

    def __init__(self, machine: vfork.Machine, flags: int = syscalls.CLONE_NEWPID) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(SECONDS)
        memory = Memory()
        steps = [
            step("dup3", theirs.fileno(), vfork.CONTROL, 0),
            step("close_range", vfork.FIRST, 2**32 - 1, 4),
            vfork.become_init(machine.program, memory),
        ]
        self.pid, self.pidfd = machine.start(vfork.ready(steps, memory), flags)
        theirs.close()

    def settle(self, *steps: Step) -> None:
        """Let it do this before it waits for a command."""
        self.socket.send(vfork.Orders(steps).alone())

    def run(self, *argv: bytes) -> bytes:
        """Start a command whose output we get; what the init says first."""
        self.order(*argv)
        return self.says()[0]

    def order(self, *argv: bytes, before_go: int | None = None) -> None:
        """Give it its orders."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        stdin, self.input = os.pipe2(os.O_CLOEXEC)
        common = Memory()
        given = [step("dup3", vfork.FIRST + place, place, 0) for place in (0, 1)]
        steps = [*given, step("setsid"), unblocked(common)]
        orders = vfork.Orders(steps, common, before_go=before_go)
        packed = orders.with_program(argv[0], argv, (b"A=1",))
        socket.send_fds(self.socket, [packed], [stdin, writer])
        os.close(stdin)
        os.close(writer)
        self.output = os.fdopen(reader, "rb", buffering=0)

    def says(self) -> tuple[bytes, int, int, int, int]:
        return vfork.MESSAGE.unpack(self.socket.recv(vfork.MESSAGE.size))

    def end(self) -> int:
        self.socket.close()
        if hasattr(self, "output"):
            self.output.close()
            os.close(self.input)
        return waited(self.pid, self.pidfd)


def unblocked(memory: Memory) -> Step:
    return step("rt_sigprocmask", signal.SIG_SETMASK, memory.numbers(0), 0, 8)


@pytest.fixture
def held(machine: vfork.Machine) -> Iterator[Held]:
    one = Held(machine)
    with contextlib.closing(one.socket):
        yield one


@needs_code
@needs_root
def test_an_init_says_that_a_command_runs_and_how_it_ended(held: Held) -> None:
    held.settle(step("umask", 0o027))
    assert held.run(b"/bin/sh", b"-c", b"echo $A; umask; read x; exit 7") == b"S"
    os.write(held.input, b"\n")
    assert held.output.read().split() in ([b"1", b"0027"], [b"1", b"027"])
    letter, status, _, microseconds, kibibytes = held.says()
    assert (letter, os.waitstatus_to_exitcode(status)) == (b"E", 7)
    assert 0 < microseconds < 10**7
    assert 100 < kibibytes < 10**5
    assert held.end() == 0


@needs_code
@needs_root
def test_an_init_tells_of_a_short_command_once(held: Held) -> None:
    held.settle()
    first = held.run(b"/bin/true")
    assert first == b"E" or held.says()[0] == b"E"  # where it took longer than an init has patience
    assert held.end() == 0


@needs_code
@needs_root
def test_an_init_that_cannot_confine_itself_says_why_and_leaves(held: Held) -> None:
    held.settle(step("umask", 0), step("fchdir", 99999))
    assert held.says()[:3] == (b"B", 1, 9)
    assert held.end() == 0


@needs_code
@needs_root
def test_an_init_names_the_step_that_failed(held: Held) -> None:
    held.settle()
    assert held.run(b"/nonesuch") == b"F"
    assert held.end() == 0


MORE_THAN_IT_TAKES = 70  # descriptors
WAITS = 2  # steps that a command does before it waits
READS = ["0", "0x3"]  # its system call then, and the descriptor


def wait_for_its_wait(held: Held) -> None:
    """Until the process of the command waits for the word."""
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{held.pid}/task/{held.pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/syscall").read_text().split()[:2] == READS:
                return
        os.sched_yield()
    raise TimeoutError("it does not wait")


@needs_code
@needs_root
def test_a_command_does_not_begin_before_it_is_let_go(held: Held) -> None:
    held.settle()
    held.order(b"/bin/echo", b"begun", before_go=WAITS)
    wait_for_its_wait(held)
    assert not select.select([held.output.fileno(), held.socket.fileno()], [], [], 0)[0]
    held.socket.send(vfork.GO)
    assert held.output.read() == b"begun\n"
    assert held.end() == 0


@needs_code
@needs_root
@pytest.mark.parametrize("word", [b"", b"\0", b"\x0f", b"\x7f", b"\xff"], ids=repr)
def test_no_other_word_lets_a_command_begin(held: Held, word: bytes) -> None:
    held.settle()
    held.order(b"/bin/echo", b"begun", before_go=WAITS)
    held.socket.send(word)
    assert held.says()[:3] == (b"F", WAITS, errno.ECANCELED)
    assert held.output.read() == b""
    assert held.end() == 0


@needs_code
@needs_root
def test_a_command_does_not_begin_when_nobody_can_let_it_go_any_more(held: Held) -> None:
    held.settle()
    held.order(b"/bin/echo", b"begun", before_go=WAITS)
    wait_for_its_wait(held)
    held.socket.close()
    assert held.output.read() == b""
    assert held.end() == 0


@needs_code
@needs_root
def test_a_command_whose_descriptors_did_not_all_arrive_does_not_begin(held: Held) -> None:
    held.settle()
    orders = vfork.Orders([step("umask", 0)]).with_program(b"/bin/true", (b"/bin/true",), ())
    socket.send_fds(held.socket, [orders], [held.pidfd] * MORE_THAN_IT_TAKES)
    assert held.says()[:3] == (b"F", 0, errno.ECANCELED)
    assert held.end() == 0


@needs_code
@needs_root
def test_the_process_of_a_command_is_there_before_its_orders(held: Held) -> None:
    held.settle()
    give_up = time.monotonic() + SECONDS
    children = Path(f"/proc/{held.pid}/task/{held.pid}/children")
    while not (found := children.read_text().split()) and time.monotonic() < give_up:
        os.sched_yield()
    assert len(found) == 1
    assert held.run(b"/bin/sh", b"-c", b"read x") == b"S"
    assert children.read_text().split() == found
    os.write(held.input, b"\n")
    assert held.says()[0] == b"E"
    assert held.end() == 0


@needs_code
@needs_root
def test_an_init_that_loses_the_launcher_leaves(held: Held) -> None:
    assert held.end() == 0


@needs_code
@needs_root
def test_an_init_cannot_be_looked_into(held: Held) -> None:
    held.settle()
    assert held.run(b"/bin/sleep", b"60") == b"S"
    status = Path(f"/proc/{held.pid}/status").read_text()
    assert "Name:\twand-init" in status
    assert Path(f"/proc/{held.pid}/environ").stat().st_uid == 0
    assert numbers(held.pid) == {"0", "1", "2", "3", "4"}
    os.kill(held.pid, signal.SIGKILL)
    assert held.end() == -9


@needs_code
def test_an_init_that_is_not_pid_1_leaves_at_once(machine: vfork.Machine) -> None:
    one = Held(machine, flags=0)
    with contextlib.closing(one.socket):
        assert waited(one.pid, one.pidfd) == 0
