"""Public addresses, in a network of the test's own: a neighbour's is reached, and our own is not."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.egress import SECONDS, proxy, status
from support.launcher_client import needs_root

PUBLIC = "11.22.33.44"
PORT = 8080
SERVE = f"exec python3 -m http.server --bind {PUBLIC} {PORT}"
# The source of what goes there is then another address, as if it were another machine's.
ELSEWHERE = f"ip route replace local {PUBLIC} dev lo table local src 127.0.0.1 && "

pytestmark = [needs_root, pytest.mark.skipif(not shutil.which("ip"), reason="there is no ip")]


@contextmanager
def network(also: str) -> Iterator[int]:
    """A network with that address, and a web site there; a process in it."""
    script = f"ip link set lo up && ip address add {PUBLIC}/32 dev lo && {also}{SERVE}"
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(["unshare", "-n", "sh", "-c", script], stdout=quiet, stderr=quiet)
    try:
        wait_for(process.pid)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def wait_for(pid: int) -> None:
    """Until somebody listens there."""
    wanted = socket.inet_aton(PUBLIC)[::-1].hex().upper() + f":{PORT:04X}"
    give_up = time.monotonic() + SECONDS
    while wanted not in Path(f"/proc/{pid}/net/tcp").read_text():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("also", "expected"), [(ELSEWHERE, 200), ("", 403)], ids=["a neighbour", "ourselves"]
)
def test_a_public_address_is_reached_unless_it_is_our_own(also: str, expected: int, tmp_path: Path) -> None:
    hosts = f"{PUBLIC} site.example\n"
    with network(also) as pid, proxy(tmp_path, hosts, before=("nsenter", "-t", str(pid), "-n")) as one:
        door = one.network([f"site.example:{PORT}"])
        answer = one.talk(door, f"GET http://site.example:{PORT}/ HTTP/1.1\r\n\r\n".encode()).all()
    assert status(answer) == expected
    assert (b"is this machine itself" in answer) == (expected == 403)
