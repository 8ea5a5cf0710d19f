"""How a job ended, as a table of values."""

import signal

import pytest

from wand_hostagent.launcher import ends
from wand_hostagent.launcher.ends import Known, Usage

LIMITS = {"cpu_seconds": 2.0, "file_size_bytes": 4096, "memory_bytes": 2**20}


def ending(
    status: int, *, given: str = "", limits: dict[str, float] | None = None, **used: object
) -> ends.Ending:
    known = Known(
        job="j", given=given, status=status, wall_seconds=1.0, limits=LIMITS if limits is None else limits
    )
    return ends.ending(known, Usage(**{"cpu_seconds": 0.5, "peak_memory_bytes": 1, **used}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "reason", "also"),
    [
        (ending(0), "exited", ()),
        (ending(3 << 8), "exited", ()),
        (ending(signal.SIGSEGV), "signaled", ()),
        (ending(signal.SIGKILL), "signaled", ()),
        (ending(signal.SIGKILL, out_of_memory=True), "out_of_memory", ()),
        (ending(signal.SIGKILL, cpu_seconds=2.5), "cpu_limit", ()),
        (ending(signal.SIGXCPU), "cpu_limit", ()),
        (ending(signal.SIGXCPU, limits={}), "signaled", ()),
        (ending(signal.SIGXFSZ), "file_size_limit", ()),
        (ending((128 + signal.SIGXFSZ) << 8), "exited", ("file_size_limit",)),
        (ending((128 + signal.SIGXFSZ) << 8, limits={}), "exited", ()),
        (ending(1 << 8, process_limit=True), "exited", ("process_limit",)),
        (ending(signal.SIGKILL, given="timed_out"), "timed_out", ()),
        (ending(signal.SIGKILL, given="disk_limit"), "disk_limit", ()),
        (ending(signal.SIGKILL, given="timed_out", out_of_memory=True), "timed_out", ("out_of_memory",)),
    ],
)
def test_an_end_has_the_reason_that_came_first(told: ends.Ending, reason: str, also: tuple[str, ...]) -> None:
    assert (told.reason, told.also) == (reason, also)
