"""Services that are programs on the host: an operation becomes a command, which the host agent judges.

The server starts nothing. A command goes through the same port as one of `execute_command`, as whoever
calls: policy, box and ledger hold for it, and what they refuse comes back as they said it.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from wand_proto.errors import (
    Ambiguous,
    Broken,
    Conflict,
    Exhausted,
    NotFound,
    TimedOut,
    WandError,
)
from wand_server import ports, scopes
from wand_server.integrations.kit import workspace
from wand_server.integrations.kit.base import BaseIntegration, Settings
from wand_server.integrations.kit.workspace import Workspace

_MOST_BYTES = 4 * 1024 * 1024  # of what a program may print to be read
_MOST_TOLD = 1000  # characters of its complaint
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # in an address
_SUCCESS = frozenset({0})
_FIELDS = {"limits.wall_seconds": "timeout_seconds", "directory": "directory"}  # what a caller knows by name

Meanings = Sequence[tuple[str, type[WandError]]]
"""What a complaint that matches an expression means; the first that does."""


def _operand(text: str) -> str:
    if text.startswith("-"):
        raise ValueError("must not begin with a dash: it would be an option")
    return _word(text)


def _word(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("must be some text without NUL")
    return text


Word = Annotated[str, AfterValidator(_word)]  # for behind `--`, `--option=` or another program's name
Operand = Annotated[str, AfterValidator(_operand)]  # a word that no program takes for an option
Directory = Annotated[str, Field(description="absolute, or relative to the workspace")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a program printed, whole."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")

    def fields(self) -> list[str]:
        """What it printed with a NUL after each."""
        return self.text.removesuffix("\0").split("\0") if self.stdout else []

    def lines(self) -> list[str]:
        return [line for line in self.text.split("\n") if line]

    def json(self) -> Any:
        """What it printed, as JSON.

        Raises:
            Broken: it is none.
        """
        return _parsed(self.text)

    def json_lines(self) -> Iterator[dict[str, Any]]:
        """Each line that is an object; others are the program's remarks.

        Raises:
            Broken: one begins as an object, and is none.
        """
        for line in self.lines():
            if line.startswith("{"):
                yield _parsed(line)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as why:
        raise Broken(f"the program printed no JSON: {text[:200]!r}") from why


class CommandIntegration(BaseIntegration):
    """A service that is one program on the host."""

    class Config(Settings):
        """How long it may take. Who it is there, and what it reaches, a profile says."""

        timeout_seconds: float = Field(
            default=300, gt=0, le=86400, description="the most that one command may take"
        )

    program: ClassVar[str]
    meanings: ClassVar[Meanings] = ()
    tells_errors_whole = True

    def program_name(self) -> str:
        """Which program, where settings choose."""
        return self.program

    async def health_check(self) -> None:
        """That the program is on the host; what it may do there, policy says of each caller anew."""
        here = workspace.current()
        (found,) = await here.host.find_commands(here.call, (self.program_name(),))
        if not found.path:
            hint = (
                f"install it there, or put its folder into `path` of the profile that is to run {found.name}"
            )
            raise NotFound(f"there is no program {found.name} on the host", hint=hint)

    async def run(
        self, *words: str, directory: str = "", stdin: str = "", good: Collection[int] | None = _SUCCESS
    ) -> Ran:
        """Run the program with those words to its end, `good` being exit codes that are answers; None: all.

        Raises:
            WandError: policy refuses it, it was stopped, or it says no.
        """
        here = _checked(workspace.current())
        limit = getattr(self.config, "timeout_seconds", None)
        argv = (self.program_name(), *words)
        command = ports.Command(argv=argv, directory=directory, stdin=stdin.encode(), wall_seconds=limit)
        try:
            outcome = await here.host.run(here.call, command)
        except WandError as error:
            error.field = _FIELDS.get(error.field, "")
            raise
        _check_end(argv[0], outcome)
        ran = Ran(
            exit_code=outcome.exit_code or 0,
            stdout=await _whole(here, outcome),
            stderr=_shown(outcome.stderr.decode("utf-8", "replace")),
        )
        if good is not None and ran.exit_code not in good:
            raise self.failure(ran)
        return ran

    def failure(self, ran: Ran) -> WandError:
        """What it means that the program ended so."""
        said = ran.stderr.strip() or _shown(ran.text).strip() or "it says nothing"
        kind = next((kind for sign, kind in self.meanings if re.search(sign, said)), Conflict)
        return kind(f"{self.program_name()} ended with {ran.exit_code}: {_end_of(said)}")


def _checked(current: Workspace) -> Workspace:
    """That one, where whoever calls may run a command that does so much."""
    granted, needed = current.call.principal.scopes, scopes.EXECUTE if current.may_change else scopes.READ
    if not scopes.opens(granted, needed, "execute_command"):
        raise scopes.InsufficientScope("a command on the host", needed, granted)
    return current


def options(**given: object) -> Iterator[str]:
    """Options, their values in the same word: `all=True` is --all, `skip=3` --skip=3, None is none."""
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            yield option
        elif isinstance(value, list | tuple):
            yield from (f"{option}={each}" for each in value)
        elif value is not None and value is not False:
            yield f"{option}={value}"


def _check_end(program: str, outcome: ports.CommandOutcome) -> None:
    """Let pass what came to its end by itself."""
    match outcome.reason:
        case "exited":
            return
        case "timed_out":
            hint = "what it had done by then stays; timeout_seconds of the service may be larger"
            raise TimedOut(f"{program} took longer than it may, and was ended", hint=hint)
        case "lost":
            raise Ambiguous(
                f"{program} was ended with the launcher", hint="look what it did before you ask again"
            )
        case "cancelled":
            raise TimedOut(f"{program} was ended, for the call was given up")
        case "signaled":
            raise Conflict(f"{program} was ended by signal {outcome.signal}")
        case limit:
            raise Exhausted(f"{program} was ended: {limit.replace('_', ' ')}", hint="ask for less at once")


async def _whole(here: Workspace, outcome: ports.CommandOutcome) -> bytes:
    """All that it printed, the middle fetched where the outcome leaves it out.

    Raises:
        Exhausted: it is more than is read, or nobody has it any more.
    """
    if outcome.stdout_omitted is None:
        return outcome.stdout
    begin, end = outcome.stdout_omitted
    if outcome.stdout_bytes > _MOST_BYTES or outcome.stdout_lost_bytes:
        said = f"printed {outcome.stdout_bytes} bytes, which is more than is read"
        raise Exhausted(said, hint=f"ask for less; all of it is in wand://jobs/{outcome.job}/stdout")
    middle = bytearray()
    while begin + len(middle) < end:
        at = begin + len(middle)
        part = await here.host.read_output(here.call, outcome.job, "stdout", (at, end - at))
        if not part.data or part.offset != at:
            raise Exhausted("a part of what it printed is lost", hint="ask again, for less")
        middle += part.data
    return outcome.stdout[:begin] + bytes(middle[: end - begin]) + outcome.stdout[begin:]


def _shown(text: str) -> str:
    return _CREDENTIALS.sub("[secret]", text)


def _end_of(text: str) -> str:
    """Its last words, where it has many: there programs say why."""
    return text if len(text) <= _MOST_TOLD else f"… {text[-_MOST_TOLD:]}"
