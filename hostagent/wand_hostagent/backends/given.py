"""What a job is given on a backend that has no profile: words, variables, a folder, limits."""

import posixpath
from collections.abc import Mapping
from fnmatch import fnmatchcase

from wand_hostagent.model import Job, Limits
from wand_hostagent.policy.decide import lower
from wand_hostagent.policy.model import Permit
from wand_proto.errors import Denied


def words(job: Job) -> tuple[str, ...]:
    """The words to execute; shell text goes to the sh that is there, a terminal is given its size by it."""
    run = ("/bin/sh", "-c", job.argv[0]) if job.shell else job.argv
    if job.terminal is None:
        return run
    columns, rows = job.terminal
    sized = f'stty rows {rows} cols {columns} 2>/dev/null; exec "$0" "$@"'
    return ("/bin/sh", "-c", sized, *run)


def variables(permit: Permit, job: Job, sets: Mapping[str, str], allowed: tuple[str, ...]) -> dict[str, str]:
    """What the place sets, what the caller sets where that is allowed, and what policy sets, in this order.

    Raises:
        Denied: the caller sets what is not allowed there; the message names it.
    """
    for name in job.environment:
        if not any(fnmatchcase(name, glob) for glob in allowed):
            may = ", ".join(allowed) or "nothing"
            raise Denied(f"{name} may not be set there", hint=f"allowed: {may}", field="environment")
    return {**sets, **job.environment, **permit.environment}


def directory(job: Job, workspace: str) -> str:
    """Where it starts."""
    return posixpath.normpath(posixpath.join(workspace, job.directory))


def limits(permit: Permit, most: Limits) -> Limits:
    """The lower of what is permitted and of what the place has."""
    return lower(permit.limits, most)
