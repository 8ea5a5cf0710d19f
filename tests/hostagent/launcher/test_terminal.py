"""A job's terminal through a real launcher: it is there, it is the job's own, and it obeys the keyboard."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.launcher_client import Client, Failed, Launcher, launched, needs_root, terminal_in

FACTS = """
import os, stat, sys
about = os.stat("/dev/pts/0")
print(*map(os.isatty, (0, 1, 2)), os.ttyname(0), os.ctermid(), os.get_terminal_size())
print(about.st_uid == os.getuid(), oct(about.st_mode & 0o777))
print(os.tcgetpgrp(0) == os.getpgrp() == os.getsid(0))
with open("/dev/tty", "w") as tty:
    print("by its name", file=tty)
"""
FOUND = [
    "True True True /dev/pts/0 /dev/tty os.terminal_size(columns=132, lines=43)",
    "True 0o600",
    "True",
    "by its name",
]
CATCHES = "trap 'echo caught' INT; sh -c 'echo up; exec sleep 60'; echo on"
WATCHES = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
print("up")
signal.sigwait({signal.SIGWINCH})
print(os.get_terminal_size())
"""


@pytest.fixture(params=["", "--fork"], scope="module")
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    """Both ways of starting a job, which a command cannot tell apart."""
    with launched("", "--development", *filter(None, [request.param])) as one:
        yield one


@pytest.fixture
def client(launcher: Launcher) -> Iterator[Client]:
    with launcher.client() as one:
        yield one


def test_a_program_finds_all_that_a_terminal_has(client: Client) -> None:
    running = client.run_in_terminal("/usr/bin/python3", "-c", FACTS, size=(132, 43))
    assert running.read().decode().splitlines() == FOUND
    assert client.exited(running.job)["reason"] == "exited"


@needs_root
@pytest.mark.parametrize("flags", [["--development"], ["--development", "--fork"]], ids=["", "by fork"])
def test_a_terminal_belongs_to_the_user_that_the_job_runs_as(flags: list[str]) -> None:
    with launched('run_as = "nobody"', *flags) as launcher, launcher.client() as client:
        running = client.run_in_terminal("/usr/bin/python3", "-c", FACTS, size=(132, 43))
        assert running.read().decode().splitlines() == FOUND


def test_a_window_of_another_size_is_told_to_the_program(client: Client) -> None:
    running = client.run_in_terminal("python3", "-c", WATCHES)
    running.read_until(b"up")
    running.resize(100, 30)
    assert b"columns=100, lines=30" in running.read()


def test_ctrl_c_ends_a_command_and_not_the_shell_that_catches_it(client: Client) -> None:
    ended = client.run_in_terminal("sh", "-c", "echo up; exec sleep 60")
    ended.read_until(b"up")
    ended.type(b"\x03")
    assert client.exited(ended.job)["signal"] == signal.SIGINT

    caught = client.run_in_terminal("sh", "-c", CATCHES)
    caught.read_until(b"up")
    caught.type(b"\x03")
    assert b"^Ccaught\r\non" in caught.read()


def test_what_is_typed_is_read_and_a_password_is_not_shown(client: Client) -> None:
    asking = "import getpass; word = getpass.getpass('word: '); print('read', word)"
    running = client.run_in_terminal("python3", "-c", asking)
    shown = running.read_until(b"word: ")
    running.type(b"hush\n")
    assert (shown + running.read()).split() == [b"word:", b"read", b"hush"]


def test_a_job_is_killed_at_its_deadline_though_nobody_reads_its_terminal(client: Client) -> None:
    running = client.run_in_terminal("yes", limits={"wall_seconds": 0.5})
    assert client.exited(running.job)["reason"] == "timed_out"


def test_a_later_host_agent_finds_the_terminal_where_it_was(launcher: Launcher) -> None:
    with launcher.client() as first:
        running = first.run_in_terminal("sh", "-c", "read -r line; echo $line")
    with launcher.client() as later:
        answer, (kept,) = later.ask_for_descriptors("adopt", job=running.job)
        with socket.socket(fileno=kept) as where:
            running.stdout = terminal_in(where)
        running.type(b"still here\n")
        assert b"still here\r\nstill here" in running.read()
        os.close(running.stdout)
    assert answer["terminal"] == [80, 24]


def test_a_job_has_of_its_terminal_what_the_program_uses_and_no_more(client: Client) -> None:
    script = "import os; print(os.listdir('/proc/self/fd'), os.listdir('/dev/pts'))"  # 3 is the list itself
    running = client.run_in_terminal("python3", "-c", script)
    assert running.read() == b"['0', '1', '2', '3'] ['0', 'ptmx']\r\n"


def test_a_terminal_looks_like_one_in_the_environment_and_no_pager_waits(client: Client) -> None:
    running = client.run_in_terminal("sh", "-c", "echo $TERM $PAGER $GIT_PAGER")
    assert running.read().split() == [b"xterm-256color", b"cat", b"cat"]


def test_a_terminal_is_in_the_record_of_the_job(launcher: Launcher, client: Client) -> None:
    running = client.run_in_terminal("true", size=(81, 25))
    client.exited(running.job)
    records = {one["fields"]["job"]: one["fields"] for one in launcher.records("run")}
    assert records[running.job]["terminal"] == [81, 25]


@pytest.mark.parametrize("size", [(0, 24), (80, 2**16), (80, True), (80, "24")])
def test_a_terminal_of_an_impossible_size_is_refused_by_name(client: Client, size: tuple[int, int]) -> None:
    with pytest.raises(Failed) as refused:
        client.run_in_terminal("true", size=size)
    assert (refused.value.kind, refused.value.field) == ("Invalid", "terminal")


@pytest.mark.parametrize("count", [2, 3])
def test_a_terminal_leaves_by_a_socket_alone(client: Client, count: int) -> None:
    asked = {"job": "j", "profile": "p", "argv": ["true"], "directory": "", "environment": {}, "limits": {}}
    asked |= {"why": {}, "terminal": {"columns": 80, "rows": 24}}
    with Path(os.devnull).open() as null, pytest.raises(Failed) as refused:
        client.ask("run", [null.fileno()] * count, **asked)
    assert (refused.value.kind, refused.value.field) == ("Invalid", "descriptors")


def test_a_job_cannot_have_every_terminal_of_this_machine(client: Client) -> None:
    script = (
        "import os\ntry:\n while True: os.open('/dev/ptmx', os.O_RDWR)\nexcept OSError as error: print(error)"
    )
    greedy = client.run_in_terminal("python3", "-c", script, limits={"open_files": 512})
    assert b"No space left" in greedy.read()
