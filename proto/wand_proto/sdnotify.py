"""Tell systemd how we are, by sd_notify(3); where systemd is not, nothing happens."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_log = logging.getLogger("wand.sdnotify")


def notify(*lines: str) -> None:
    """Send the lines to who supervises us; without a supervisor, or where it does not listen, do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(1)
            sock.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
            sock.send("\n".join(lines).encode())
    except OSError as error:
        _log.warning("supervisor not told", extra={"why": str(error)})


def ready(status: str) -> None:
    notify("READY=1", f"STATUS={status}")


def reloading() -> None:
    notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> None:
    notify("STOPPING=1", "STATUS=stopping")


def watchdog_seconds() -> float:
    """How often the supervisor wants a sign of life: half of what it waits; 0 where it wants none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2e6 if microseconds.isascii() and microseconds.isdigit() else 0.0


async def stay_alive() -> None:
    """Give signs of life from the event loop, so that one that hangs is noticed; never returns by itself."""
    pause = watchdog_seconds()
    if pause <= 0:
        await asyncio.get_running_loop().create_future()
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(pause)


@asynccontextmanager
async def alive() -> AsyncIterator[None]:
    """Signs of life while this is entered; that we are stopping is told at its end."""
    signs = asyncio.create_task(stay_alive(), name="watchdog")
    try:
        yield
    finally:
        stopping()
        signs.cancel()
        await asyncio.gather(signs, return_exceptions=True)
