"""The system calls that no job has: a filter program, made once, searched as a tree.

The kernel walks a filter once for every call that there is when it is installed, so a list would cost more
than the start of a process. Calls newer than this table answer ENOSYS, as if the kernel were older; calls
of another processor's kind (32-bit programs on a 64-bit kernel) kill the process.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from wand_hostagent.launcher import syscalls

# name: its number on x86-64 and on arm64, None where it has none
NUMBERS: Mapping[str, tuple[int | None, int | None]] = {
    "_sysctl": (156, None), "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171),
    "bpf": (321, 280), "chroot": (161, 51), "clock_adjtime": (305, 266), "clock_settime": (227, 112),
    "clone": (56, 220), "clone3": (435, 435), "create_module": (174, None), "delete_module": (176, 106),
    "execveat": (322, 281), "fanotify_init": (300, 262), "fcntl": (72, 25), "finit_module": (313, 273),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "get_kernel_syms": (177, None),
    "init_module": (175, 105), "io_setup": (206, 0),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425), "ioctl": (16, 29), "ioperm": (173, None), "iopl": (172, None),
    "kcmp": (312, 272), "kexec_file_load": (320, 294), "kexec_load": (246, 104), "keyctl": (250, 219),
    "listmount": (458, 458), "lookup_dcookie": (212, 18), "mbind": (237, 235), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "migrate_pages": (256, 238), "modify_ldt": (154, None), "mount": (165, 40),
    "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "name_to_handle_at": (303, 264), "nfsservctl": (180, 42), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "perf_event_open": (298, 241),
    "personality": (135, 92), "pidfd_getfd": (438, 438), "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "query_module": (178, None), "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142),
    "request_key": (249, 218), "set_mempolicy": (238, 237), "set_mempolicy_home_node": (450, 450),
    "setrlimit": (160, 164),
    "setdomainname": (171, 162), "sethostname": (170, 161), "setns": (308, 268), "settimeofday": (164, 170),
    "socket": (41, 198), "socketpair": (53, 199), "statmount": (457, 457), "swapoff": (168, 225),
    "swapon": (167, 224), "sysfs": (139, None), "syslog": (103, 116), "umount2": (166, 39),
    "unshare": (272, 97), "uselib": (134, None), "userfaultfd": (323, 282), "ustat": (136, None),
    "vhangup": (153, 58),
}  # fmt: skip
LAST = 469  # the highest number that this table knows of

# Denied only where nothing may be run that the job has made: elsewhere compilers, debuggers and test suites
# use them, on processes of the same job alone (its pid namespace and Landlock see to that).
_FOR_WORKSHOPS = ("execveat", "memfd_create", "process_vm_readv", "process_vm_writev", "ptrace")
# Said not to be there: libc then takes clone(2), and programs do without asynchronous I/O, of which the whole
# machine has only so much (fs.aio-max-nr): one job could take it all.
_AS_IF_ABSENT = ("clone3", "io_setup")
# Denied by their arguments.
_ASKED = ("clone", "fcntl", "ioctl", "personality", "prlimit64", "setrlimit", "socket", "socketpair")

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _JUMP, _RETURN, _AND = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06, 0x54
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16  # where they stand in struct seccomp_data
_NEW_SPACES = 0x7E020000  # CLONE_NEW*
_TERMINAL_TRICKS = (0x5412, 0x541C, 0x5423)  # TIOCSTI, TIOCLINUX, TIOCSETD
# A snapshot shows what is hidden in a folder, for covers are no part of it: BTRFS_IOC_SNAP_CREATE, the same
# in its second version, BCH_IOCTL_SUBVOLUME_CREATE.
_SNAPSHOTS = (0x50009401, 0x50009417, 0x4020BC10)
_LEASE = 0x400  # F_SETLEASE: whoever opens the file outside would wait, for less than a lock on it
_CORE = 4  # RLIMIT_CORE
_PERSONALITIES = (0, 0x40000, 0xFFFFFFFF)  # plain, ADDR_NO_RANDOMIZE, only asking
_UNIX, _INTERNET, _INTERNET_6, _NETLINK = 1, 2, 10, 16  # AF_*
_PROTOCOLS = (
    0,
    1,
    6,
    17,
    58,
)  # any that fits, ICMP, TCP, UDP, ICMPv6: each other kind is a module of its own
_KINDS = (1, 2, 3)  # SOCK_STREAM, SOCK_DGRAM, SOCK_RAW
_PROT_EXEC = 4
_EXECUTABLE = ((9, 10), (222, 226))  # mmap, mprotect, on x86-64 and on arm64

_Instruction = tuple[int, int, int, int]


def _deny(number: int) -> int:
    return 0x00050000 | number


def _argument(index: int) -> int:
    return _FIRST + 8 * index


def _return(value: int) -> _Instruction:
    return (_RETURN, 0, 0, value)


def _one_of(values: Sequence[int], hit: int, miss: int) -> list[_Instruction]:
    """Compare what is loaded with each; two instructions at the end."""
    tests = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*tests, _return(miss), _return(hit)]


def _by_arguments() -> dict[str, list[_Instruction]]:
    denied = _deny(errno.EPERM)
    return {
        "clone": [
            (_LOAD, 0, 0, _argument(0)), (_ANY_BIT, 0, 1, _NEW_SPACES), _return(denied), _return(_ALLOW),
        ],
        "fcntl": [(_LOAD, 0, 0, _argument(1)), *_one_of((_LEASE,), denied, _ALLOW)],
        "ioctl": [(_LOAD, 0, 0, _argument(1)), *_one_of((*_TERMINAL_TRICKS, *_SNAPSHOTS), denied, _ALLOW)],
        "personality": [(_LOAD, 0, 0, _argument(0)), *_one_of(_PERSONALITIES, _ALLOW, denied)],
        "prlimit64": _limits(),
        "setrlimit": [(_LOAD, 0, 0, _argument(0)), *_one_of((_CORE,), _deny(0), _ALLOW)],
        "socket": _sockets(),
        "socketpair": [
            (_LOAD, 0, 0, _argument(0)), *_one_of((_UNIX,), _ALLOW, _deny(errno.EAFNOSUPPORT)),
        ],
    }  # fmt: skip


def _limits() -> list[_Instruction]:
    """A core's size stays what it is, see limits.py; a program that sets it hears that it is so."""
    new, old = _argument(2), _argument(3)
    return [
        (_LOAD, 0, 0, _argument(1)), (_EQUAL, 0, 4, _CORE),
        (_LOAD, 0, 0, new), (_EQUAL, 0, 3, 0), (_LOAD, 0, 0, new + 4), (_EQUAL, 0, 1, 0),
        _return(_ALLOW),
        (_LOAD, 0, 0, old), (_EQUAL, 0, 3, 0), (_LOAD, 0, 0, old + 4), (_EQUAL, 0, 1, 0),
        _return(_deny(0)), _return(_deny(errno.EPERM)),
    ]  # fmt: skip


def _sockets() -> list[_Instruction]:
    """Unix sockets; TCP, UDP and ICMP over IP; and the question for one's own addresses."""
    unix = [_return(_ALLOW)]
    protocols = [(_EQUAL, len(_PROTOCOLS) - at, 0, one) for at, one in enumerate(_PROTOCOLS)]
    internet = [(_LOAD, 0, 0, _argument(2)), *protocols, _return(_deny(errno.EPROTONOSUPPORT)),
                (_LOAD, 0, 0, _argument(1)), (_AND, 0, 0, 0xF),
                *_one_of(_KINDS, _ALLOW, _deny(errno.EPROTONOSUPPORT))]  # fmt: skip
    route = [(_LOAD, 0, 0, _argument(2)), *_one_of((0,), _ALLOW, _deny(errno.EAFNOSUPPORT))]
    first = (_UNIX, 4), (_INTERNET, 3 + len(unix)), (_INTERNET_6, 2 + len(unix))
    return [
        (_LOAD, 0, 0, _argument(0)), *((_EQUAL, over, 0, family) for family, over in first),
        (_EQUAL, 1 + len(unix) + len(internet), 0, _NETLINK), _return(_deny(errno.EAFNOSUPPORT)),
        *unix, *internet, *route,
    ]  # fmt: skip


def build(machine: str, *, workshop: bool) -> bytes:
    """The filter for a processor; `workshop` is where programs that the job made may run.

    Raises:
        KeyError: the processor is not known.
    """
    column = _COLUMN[machine]
    blocks: dict[int, list[_Instruction]] = {}
    by_arguments = _by_arguments()
    for name, numbers in NUMBERS.items():
        number = numbers[column]
        if number is None or (workshop and name in _FOR_WORKSHOPS):
            continue
        refusal = errno.ENOSYS if name in _AS_IF_ABSENT else errno.EPERM
        blocks[number] = by_arguments[name] if name in _ASKED else [_return(_deny(refusal))]
    return _packed(machine, _ranges(blocks, [_return(_ALLOW)]))


def only(machine: str, numbers: Iterable[int], families: Sequence[int]) -> bytes:
    """A filter that lets these calls through and no other, and sockets of these families alone.

    Memory that can be executed cannot be had, whatever is listed.

    Raises:
        KeyError: the processor is not known.
    """
    column = _COLUMN[machine]
    denied = _deny(errno.EPERM)
    blocks: dict[int, list[_Instruction]] = {number: [_return(_ALLOW)] for number in numbers}
    for memory in _EXECUTABLE[column]:
        blocks[memory] = [
            (_LOAD, 0, 0, _argument(2)), (_ANY_BIT, 0, 1, _PROT_EXEC), _return(denied), _return(_ALLOW),
        ]  # fmt: skip
    sockets = NUMBERS["socket"][column]
    assert sockets is not None
    blocks[sockets] = [(_LOAD, 0, 0, _argument(0)), *_one_of(families, _ALLOW, denied)]
    return _packed(machine, _ranges(blocks, [_return(denied)]))


def _packed(machine: str, ranges: Sequence[tuple[int, list[_Instruction]]]) -> bytes:
    start = [
        (_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, _AUDIT_ARCHITECTURE[machine]), _return(_KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]  # fmt: skip
    program = start + _tree(ranges)
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _ranges(
    blocks: Mapping[int, list[_Instruction]], others: list[_Instruction]
) -> list[tuple[int, list[_Instruction]]]:
    """Where each stretch of numbers begins, and what is done there; the first begins at 0."""
    unknown = [_return(_deny(errno.ENOSYS))]
    steps: dict[int, list[_Instruction]] = {0: others, LAST + 1: unknown}
    for number in sorted(blocks):
        steps[number] = blocks[number]
        steps.setdefault(number + 1, others)
    for number in blocks:
        steps[number] = blocks[number]
    ordered = sorted(steps.items())
    same = [second[0] for first, second in pairwise(ordered) if first[1] == second[1]]
    return [(number, block) for number, block in ordered if number not in same]


def _tree(ranges: Sequence[tuple[int, list[_Instruction]]]) -> list[_Instruction]:
    if len(ranges) == 1:
        return list(ranges[0][1])
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(low) <= 255:
        return [(_AT_LEAST, len(low), 0, ranges[middle][0]), *low, *high]
    return [(_AT_LEAST, 0, 1, ranges[middle][0]), (_JUMP, 0, 0, len(low)), *low, *high]


def is_there() -> bool:
    """Whether this kernel takes filters, and we know its processor."""
    action = ctypes.c_uint32(_KILL)
    try:
        syscalls.call("seccomp", 2, 0, ctypes.addressof(action))  # SECCOMP_GET_ACTION_AVAIL
    except (OSError, KeyError):
        return False
    return os.uname().machine in _COLUMN
