"""systemd is told, where it is there."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from wand_proto import sdnotify


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        sock.bind("notify")
        sock.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", f"/proc/{os.getpid()}/cwd/notify")
        yield sock


def test_ready_is_told_with_a_status(supervisor: socket.socket) -> None:
    sdnotify.ready("listening")

    assert supervisor.recv(4096) == b"READY=1\nSTATUS=listening"


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    sdnotify.stopping()


def test_a_supervisor_that_has_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nonexistent/notify")

    sdnotify.reloading()


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [("10000000", "", 5.0), ("10000000", "1", 0.0), ("", "", 0.0), ("soon", "", 0.0), ("-5", "", 0.0)],
)
def test_the_watchdog_is_fed_at_half_of_what_it_waits(
    monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str, seconds: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid or str(os.getpid()))

    assert sdnotify.watchdog_seconds() == seconds


async def test_a_sign_of_life_comes_from_the_loop(
    supervisor: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    async with sdnotify.alive():
        got = await asyncio.to_thread(supervisor.recv, 4096)

    assert got == b"WATCHDOG=1"
    assert supervisor.recv(4096) == b"STOPPING=1\nSTATUS=stopping"
