"""What the shell of a host is given: text in which everything of a caller's is quoted."""

import shlex
from collections.abc import Mapping, Sequence

MARK = "WAND_JOB"
_LOOK = f"grep -l -- {MARK}=%s /proc/[0-9]*/environ 2>/dev/null"
_EACH = 'for f in $p; do q=${f#/proc/}; kill -%d "${q%%/environ}" 2>/dev/null && s=0; done'


def begin(job: str, nonce: str, words: Sequence[str], directory: str, environment: Mapping[str, str]) -> str:
    """Text that goes to a folder, says that it is there, and becomes the command.

    Each process below it can be known by a variable that has the job's name.
    """
    sets = "".join(f"export {name}={shlex.quote(value)}; " for name, value in environment.items())
    enter = f"cd -- {shlex.quote(directory)} || {{ echo {nonce} folder >&2; exit 1; }}; " if directory else ""
    inner = f'{sets}export {MARK}={shlex.quote(job)}; {enter}echo {nonce} begins >&2; exec "$@"'
    return f"exec /bin/sh -c {shlex.quote(inner)} wand {shlex.join(words)}"


def send(job: str, signum: int) -> str:
    """Text that sends a signal to every process of a job; exits with 1 where none has got it.

    Those that end while they are looked for do not count: a shell's `sleep` may be the last of them.
    """
    look, each = _LOOK % job, _EACH % signum
    return "/bin/sh -c " + shlex.quote(f"p=$({look}); s=1; {each}; exit $s")


def end(jobs: Sequence[str]) -> str:
    """Text that kills every process of jobs until there is none; exits with 1 where one stays for seconds."""
    looks = "; ".join(_LOOK % job for job in jobs)
    each = _EACH % 9
    again = "[ $i -gt 2 ] && { sleep 0.1 2>/dev/null || sleep 1; }"  # what is killed takes a while to go
    rounds = " ".join(map(str, range(1, 51)))
    loop = f'for i in {rounds}; do p=$({looks}); [ -n "$p" ] || exit 0; {each}; {again}; done; exit 1'
    return f"/bin/sh -c {shlex.quote(loop)}"
