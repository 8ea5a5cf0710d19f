"""A program whose event loop hangs: its first thread is held by ptrace(2), and its other threads go on."""

import ctypes
import os
import time

from guest.machine import Wrong

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_SEIZE, _INTERRUPT, _WALL = 0x4206, 0x4207, 0x40000000


def hold_until_ended(pid: int, seconds: float) -> float:
    """Hold the first thread of a process until somebody ends that; how long it took.

    Raises:
        Wrong: nobody did.
    """
    _ptrace(_SEIZE, pid)
    _ptrace(_INTERRUPT, pid)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        found, status = os.waitpid(pid, os.WNOHANG | _WALL)
        if found and not os.WIFSTOPPED(status):
            return time.monotonic() - began
        time.sleep(0.02)
    raise Wrong(f"process {pid} was held for {seconds:.0f} s, and nobody noticed")


def _ptrace(request: int, pid: int) -> None:
    if _LIBC.ptrace(request, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {pid})")
