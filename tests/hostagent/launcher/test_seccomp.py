"""The filter of system calls, walked here as the kernel walks it; and what it stops in earnest."""

import errno
import os
import struct
import subprocess
from collections.abc import Iterator

import pytest

from support.launcher_client import Client, launched
from wand_hostagent.launcher import seccomp

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = list(ARCHITECTURES)


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> tuple[int, int]:
    """What the program says of a call, and how many instructions that took."""
    seen = struct.pack("=IIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    place, loaded, steps = 0, 0, 0
    while True:
        steps += 1
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, place * 8)
        place += 1
        if code == 0x06:
            return value, steps
        if code == 0x20:
            loaded = struct.unpack_from("=I", seen, value)[0]
        elif code == 0x54:
            loaded &= value
        elif code == 0x05:
            place += value
        else:
            true = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += if_true if true else if_false


def number(name: str, machine: str) -> int:
    found = seccomp.NUMBERS[name][MACHINES.index(machine)]
    assert found is not None
    return found


def _refusal(name: str) -> int:
    return ENOSYS if name in {"clone3", "io_setup"} else EPERM


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("place", ["workshop", "elsewhere"])
def test_each_call_of_the_table_is_denied_and_each_other_allowed(machine: str, place: str) -> None:
    workshop = place == "workshop"
    program, column = seccomp.build(machine, workshop=workshop), MACHINES.index(machine)
    denied = {
        numbers[column]: name
        for name, numbers in seccomp.NUMBERS.items()
        if not (workshop and name in seccomp._FOR_WORKSHOPS)
    }
    for call in range(seccomp.LAST + 1):
        said, _ = answer(program, ARCHITECTURES[machine], call)
        name = denied.get(call, "")
        if name in seccomp._ASKED:
            continue
        assert said == (ALLOW if not name else _refusal(name)), (call, name)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("clone", (17,), ALLOW),
        ("clone", (0x10000000 | 17,), EPERM),  # CLONE_NEWUSER
        ("clone", (0x40000000 | 17,), EPERM),  # CLONE_NEWNET
        ("clone", (0x00020000 | 17,), EPERM),  # CLONE_NEWNS
        ("clone", (0x003D0F00,), ALLOW),  # a thread of glibc
        ("socket", (1, 1), ALLOW),
        ("socket", (2, 2), ALLOW),
        ("socket", (10, 1), ALLOW),
        ("socket", (16, 3, 0), ALLOW),  # NETLINK_ROUTE: the addresses of one's own network
        ("socket", (16, 3, 9), 0x50000 | errno.EAFNOSUPPORT),  # NETLINK_AUDIT
        ("socket", (17, 3), 0x50000 | errno.EAFNOSUPPORT),  # AF_PACKET
        ("socket", (40, 1), 0x50000 | errno.EAFNOSUPPORT),  # AF_VSOCK
        ("socket", (38, 5), 0x50000 | errno.EAFNOSUPPORT),  # AF_ALG
        ("socket", (2, 3, 1), ALLOW),  # ping, for whoever may
        ("socket", (10, 2 | 0x80800, 17), ALLOW),  # SOCK_NONBLOCK | SOCK_CLOEXEC
        ("socket", (2, 1, 262), 0x50000 | errno.EPROTONOSUPPORT),  # MPTCP
        ("socket", (10, 2, 136), 0x50000 | errno.EPROTONOSUPPORT),  # UDP-Lite
        ("socket", (2, 5, 132), 0x50000 | errno.EPROTONOSUPPORT),  # SCTP
        ("socket", (2, 5, 0), 0x50000 | errno.EPROTONOSUPPORT),  # whatever else has records
        ("socket", (2 + 2**32, 1, 0), ALLOW),  # the kernel looks at 32 bits
        ("socket", (17 + 2**32, 3, 0), 0x50000 | errno.EAFNOSUPPORT),
        ("socketpair", (1, 1), ALLOW),
        ("socketpair", (30, 1), 0x50000 | errno.EAFNOSUPPORT),  # AF_TIPC
        ("ioctl", (0, 0x5412), EPERM),  # TIOCSTI
        ("ioctl", (0, 0x100005412), EPERM),  # the kernel looks at 32 bits
        ("ioctl", (0, 0x541C), EPERM),  # TIOCLINUX
        ("ioctl", (0, 0x5413), ALLOW),  # TIOCGWINSZ
        ("ioctl", (0, 0x50009401), EPERM),  # BTRFS_IOC_SNAP_CREATE
        ("ioctl", (0, 0x50009417), EPERM),  # BTRFS_IOC_SNAP_CREATE_V2
        ("ioctl", (0, 0x4020BC10), EPERM),  # BCH_IOCTL_SUBVOLUME_CREATE
        ("ioctl", (0, 0x5000940E), ALLOW),  # BTRFS_IOC_SUBVOL_CREATE: an empty one
        ("fcntl", (3, 0x400), EPERM),  # F_SETLEASE
        ("fcntl", (3, 0x100000400), EPERM),
        ("fcntl", (3, 0x401), ALLOW),  # F_GETLEASE
        ("setrlimit", (4, 1), 0x50000),  # RLIMIT_CORE: nothing is done, and no error said
        ("setrlimit", (7, 1), ALLOW),
        ("prlimit64", (0, 4, 1, 0), 0x50000),
        ("prlimit64", (0, 4, 2**32, 0), 0x50000),
        ("prlimit64", (0, 4 + 2**32, 1, 0), 0x50000),
        ("prlimit64", (0, 4, 1, 1), EPERM),  # what it was would have to be told
        ("prlimit64", (0, 4, 1, 2**32), EPERM),
        ("prlimit64", (0, 4, 0, 1), ALLOW),
        ("prlimit64", (0, 7, 1, 1), ALLOW),
        ("personality", (0xFFFFFFFF,), ALLOW),
        ("personality", (0x40000,), ALLOW),
        ("personality", (0x0400000,), EPERM),  # READ_IMPLIES_EXEC
    ],
)
def test_some_calls_are_judged_by_their_arguments(
    machine: str, name: str, arguments: tuple[int, ...], said: int
) -> None:
    program = seccomp.build(machine, workshop=True)
    assert answer(program, ARCHITECTURES[machine], number(name, machine), *arguments)[0] == said


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_processor_kill_and_unknown_ones_are_not_there(machine: str) -> None:
    program = seccomp.build(machine, workshop=True)
    assert answer(program, 0x40000003, 1)[0] == KILL  # i386
    for call in (seccomp.LAST + 1, 0x40000000 | 1, 0xFFFFFFFF):  # newer; x32
        assert answer(program, ARCHITECTURES[machine], call)[0] == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_takes_more_than_seventeen_instructions(machine: str) -> None:
    program = seccomp.build(machine, workshop=False)
    calls = range(seccomp.LAST + 2)
    assert max(answer(program, ARCHITECTURES[machine], call)[1] for call in calls) <= 17


# -- for real: each line works outside, and does not in a job ---------------------------------------------

CALL = """
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    done = libc.syscall(ctypes.c_long(number), *words)
    return done if done >= 0 else -ctypes.get_errno()
"""
ATTACKS = {
    "a user namespace": "worked = call(272, 0x10000000) == 0",
    "a mount namespace in a user namespace": "worked = call(272, 0x10020000) == 0",
    "io_uring": "worked = call(425, 4, ctypes.create_string_buffer(256)) >= 0",
    "a key in a keyring": "worked = call(248, b'user', b'wand', b'x', 1, -2) >= 0",
    "a socket to hypervisors": "worked = socket.socket(40, socket.SOCK_STREAM) is not None",
    "a socket into the kernel's ciphers": "worked = socket.socket(38, socket.SOCK_SEQPACKET) is not None",
    "TCP over many ways": "worked = socket.socket(2, 1, 262) is not None",
    "memory that may all be executed": "worked = call(135, 0x0400000) >= 0",
    "a file by its handle": "worked = call(303, -100, b'/', ctypes.create_string_buffer(b'\\x80', 200),"
    " ctypes.create_string_buffer(8), 0) >= 0",
}
here = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the attacks use numbers of x86-64")


def script(attack: str) -> list[str]:
    tried = f"try:\n    {attack}\nexcept OSError:\n    worked = False\n"
    return ["/usr/bin/python3", "-I", "-S", "-c", f"{CALL}{tried}print('worked' if worked else 'no')"]


@pytest.fixture(scope="module")
def job() -> Iterator[Client]:
    with launched() as launcher, launcher.client() as client:
        yield client


@here
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="needs the system's Python")  # noqa: PTH110 - short
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_by_a_system_call_works_outside_and_not_in_a_job(job: Client, attack: str) -> None:
    outside = subprocess.run(script(attack), check=False, capture_output=True, text=True)
    if outside.stdout.strip() != "worked":
        pytest.skip("this machine stops it without us")
    assert job.result(*script(attack))[0].strip() == b"no"
