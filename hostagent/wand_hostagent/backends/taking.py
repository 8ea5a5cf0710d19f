"""Whether a job can be given something to read, the same for every backend."""

from wand_hostagent.model import Input
from wand_proto.errors import Conflict, Exhausted

MOST_UNREAD_BYTES = 1024 * 1024


def check(given: Input, *, is_terminal: bool, takes: bool, unread_bytes: int) -> None:
    """Let pass what could be given now, to a job that takes more or not, and has left so much unread.

    Raises:
        Conflict: its input has ended, or it has no terminal.
        Exhausted: it has left too much unread.
    """
    if given.resize is not None and not is_terminal:
        raise Conflict("the job has no terminal whose size could change", field="resize")
    if (given.data or given.end) and not takes:
        hint = 'to type to a job, start it in the background with stdin, be it "", or in a terminal'
        raise Conflict("the job's input has ended, or it reads no more", hint=hint, field="data")
    if unread_bytes + len(given.data) > MOST_UNREAD_BYTES:
        raise Exhausted(
            f"the job has not read the last {unread_bytes} bytes; {len(given.data)} more would be too many",
            hint=f"wait until it reads: {MOST_UNREAD_BYTES} bytes may wait for it",
            field="data",
        )
