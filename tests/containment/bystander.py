"""Somebody outside: holds a secret in every way that a process can, until it is killed. Stands alone.

`bystander.py FOLDER SECRET` listens on sockets of every kind, answers each with the secret, keeps it in its
memory, environment, command line, shared memory, an open file that it has locked and a terminal, and writes
bystander.json to FOLDER.
"""

import contextlib
import ctypes
import fcntl
import io
import json
import os
import select
import socket
import struct
import sys
import termios
from pathlib import Path
from typing import Any

IPC_CREAT, KEYS = 0o1000, 0x57000000
OPEN_LOCK = 37  # F_OFD_SETLK: fcntl(2)
FOLDER, SECRET = Path(sys.argv[1]), sys.argv[2].encode()


def shared_memory() -> int:
    """A System V segment with the secret in it; its key."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    key = KEYS + os.getpid()
    segment = libc.shmget(key, ctypes.c_size_t(4096), IPC_CREAT | 0o666)
    if segment < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    place = libc.shmat(segment, None, 0)
    ctypes.memmove(place, SECRET, len(SECRET))
    return key


def listening(family: int, address: "str | tuple[str, int]") -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address)
    one.listen()
    return one


def runtime_socket(name: str) -> "list[socket.socket]":
    """A socket where those of services lie, as /run/docker.sock does."""
    try:
        return [listening(socket.AF_UNIX, name)]
    except OSError:
        return []


def terminal() -> "tuple[io.FileIO, str]":
    """Our end of a terminal in which somebody has typed the secret, unseen; its number is not the first."""
    pairs = [os.openpty() for _ in range(3)]
    master, other = pairs[-1]
    quiet = termios.tcgetattr(other)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(other, termios.TCSANOW, quiet)
    os.write(master, SECRET + b"\n")
    return io.FileIO(master, "r+"), os.ttyname(other)


def main() -> None:
    kept = (FOLDER / "kept").open("w+b", buffering=0)
    kept.write(SECRET)
    fcntl.fcntl(kept, OPEN_LOCK, struct.pack("=hhxxxxqqixxxx", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    (FOLDER / "kept").unlink()
    memory = ctypes.create_string_buffer(SECRET)
    name = f"wand-{os.getpid()}"
    in_shm, in_tmp = Path("/dev/shm", name), Path("/tmp", name)
    for path in (in_shm, in_tmp):
        path.write_bytes(SECRET)
    pathname, run = f"{FOLDER}/by.sock", f"/run/{name}.sock"
    tcp = listening(socket.AF_INET, ("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    streams: list[Any] = [
        tcp, listening(socket.AF_UNIX, pathname), listening(socket.AF_UNIX, f"\0{name}"),
        *runtime_socket(run),
    ]  # fmt: skip
    person, tty = terminal()
    told = {
        "pid": os.getpid(), "port": tcp.getsockname()[1], "udp": udp.getsockname()[1], "socket": pathname,
        "run": run, "abstract": name, "shm": shared_memory(), "memory": ctypes.addressof(memory),
        "kept": kept.fileno(), "locked": os.fstat(kept.fileno()).st_ino,
        "inshm": in_shm, "intmp": in_tmp, "tty": tty,
    }  # fmt: skip
    ready = FOLDER / ".bystander.json"
    ready.write_text(json.dumps({word: str(value) for word, value in told.items()}))
    ready.rename(FOLDER / "bystander.json")
    while True:
        for one in select.select([*streams, udp, person], [], [])[0]:
            if one is udp or one is person:
                udp.recv(64) if one is udp else person.read(4096)
                (FOLDER / "marker").touch()
            else:
                connection, _ = one.accept()
                with connection, contextlib.suppress(ConnectionError):  # who hangs up first harms nobody
                    connection.sendall(SECRET)


main()
