"""execute_command: one command on the host, to its end."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from wand_proto.errors import WandError
from wand_server.model import Call
from wand_server.ports import Command, CommandOutcome, Host, Reason, StartedJob
from wand_server.tools import ends, render, views
from wand_server.tools.base import Answer, Tool
from wand_server.tools.live import Live

_STDIN_CEILING = 1024 * 1024
_FIELDS = {"shell": "command", "limits.wall_seconds": "timeout_seconds"}  # the host's names of ours


class CommandAnswer(Answer):
    """How a command ended and what it printed."""

    exit_code: int | None  # None where a signal ended it
    signal: str | None
    reason: Reason | Literal["running"]
    stdout: str
    stderr: str
    stdout_bytes: int  # written in all, also what `stdout` leaves out
    stderr_bytes: int
    wall_seconds: float
    cpu_seconds: float  # of all its processes
    peak_memory_bytes: int
    job: str
    directory: str
    notes: list[str]

    def is_failure(self) -> bool:
        """A command that ran and says no by its exit code has answered; one that was stopped has failed."""
        return self.reason not in {"exited", "signaled", "running"}

    def text(self) -> str:
        if self.reason == "running":
            return "\n".join((f"job {self.job} runs in {self.directory}", *self.notes, *self._printed()))
        parts = [self._how_it_ended(), *self.notes, *self._printed()]
        if not self.stdout and not self.stderr:
            parts.append("It printed nothing.")
        return "\n".join(parts)

    def _printed(self) -> list[str]:
        parts = []
        for name, printed in (("stdout", self.stdout), ("stderr", self.stderr)):
            if printed:
                parts.append(f"--- {name}\n{printed.rstrip()}")
        return parts

    def _how_it_ended(self) -> str:
        known = self.exit_code is not None or self.signal is not None
        by = f"exit code {self.exit_code}" if self.signal is None else f"ended by {self.signal}"
        where = f"after {render.seconds(self.wall_seconds)} in {self.directory} (job {self.job})"
        if self.reason == "exited":
            return f"{by} {where}"
        return f"{self.reason}: {by} {where}" if known else f"{self.reason} {where}"


class ExecuteCommand(Tool):
    """Run one command on the host and return its exit code, stdout and stderr.

    Give either `command` (text for bash: pipes, &&) or `argv` (one program and its arguments, no shell).
    Nobody answers questions: use options such as --yes. A `cd` does not last to the next call. At
    `timeout_seconds` it is ended with all that it started. One that takes longer than 40 s runs on as a job,
    one in the `background` from the start: send_input waits for it, types to it and stops it. Of long output
    the beginning and the end come back; read_file reads `wand://jobs/<job>/stdout`. For files use the file
    tools.
    """

    name = "execute_command"
    title = "Run a command"
    toolset = "commands"
    answer = CommandAnswer
    destructive = True
    open_world = True
    may_last = True
    view = views.JOB

    command: str = Field(default="", description="shell text; or give argv")
    argv: tuple[str, ...] = Field(default=(), description='e.g. ["git", "log", "-3"]; or give command')
    directory: str = Field(default="", description="empty: the workspace")
    environment: dict[str, str] = Field(default={}, description="added variables")
    stdin: str | None = Field(
        default=None, description='its standard input; in the background, even "" keeps it open'
    )
    terminal: bool = Field(default=False, description="all it shows is stdout")
    columns: int = Field(default=0, ge=0, le=1000, description="of the terminal; 0: 80 by 24")
    rows: int = Field(default=0, ge=0, le=1000)
    background: bool = False
    backend: str = Field(
        default="", max_length=256, description="where; a name (docker, ssh:web1) or labels (os=debian)"
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=86400)] | None = Field(
        default=None, description="default: the server's, commonly 300"
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if bool(self.command.strip()) == bool(self.argv):
            raise ValueError("give exactly one of command (shell text) and argv (a list of words)")
        if self.argv and not self.argv[0]:
            raise ValueError("the first word of argv must be a program")
        words = (self.command, *self.argv, self.directory, *self.environment, *self.environment.values())
        if any("\0" in word for word in words):
            raise ValueError("a NUL character cannot be part of a command, a path or a variable")
        if (self.columns or self.rows) and not self.terminal:
            raise ValueError("columns and rows are those of a terminal: set terminal too")
        if len((self.stdin or "").encode(errors="surrogatepass")) > _STDIN_CEILING:
            raise ValueError("stdin can be at most 1 MiB; write a file with write_file and redirect it")
        return self

    _silence_seconds: ClassVar[float] = 5.0

    async def call(self, host: Host, call: Call) -> CommandAnswer:
        try:
            return await self._run(host, call)
        except WandError as error:
            error.field = _FIELDS.get(error.field, error.field).replace("argv.words", "argv", 1)
            raise

    async def _run(self, host: Host, call: Call) -> CommandAnswer:
        command = Command(
            argv=self.argv,
            shell=self.command,
            directory=self.directory,
            environment=self.environment,
            stdin=(self.stdin or "").encode(),
            stdin_open=self.background and (self.terminal or self.stdin is not None),
            terminal=(self.columns, self.rows) if self.terminal else None,
            wall_seconds=self.timeout_seconds,
            backend=self.backend,
        )
        if self.background:
            return running(await host.start(call, command), takes_input=command.stdin_open)
        if call.progress is None:
            return answer_from(await host.run(call, command))
        async with Live(call.progress) as live:
            return answer_from(await host.run(call, command, live.on_output))


def running(started: StartedJob, *, takes_input: bool = False) -> CommandAnswer:
    """A command that runs on, as a client sees it."""
    return CommandAnswer(
        exit_code=None,
        signal=None,
        reason="running",
        stdout="",
        stderr="",
        stdout_bytes=0,
        stderr_bytes=0,
        wall_seconds=0,
        cpu_seconds=0,
        peak_memory_bytes=0,
        job=started.job,
        directory=started.directory,
        notes=[
            _how_to_go_on(started.job, takes_input=takes_input),
            "It is ended when its timeout_seconds are over.",
        ],
    )


def _runs_on(outcome: CommandOutcome) -> list[str]:
    return [
        f"It has run for {render.seconds(outcome.wall_seconds)} and goes on. {_how_to_go_on(outcome.job)}",
        "What it printed so far is below. It is ended when its timeout_seconds are over.",
    ]


def _how_to_go_on(job: str, *, takes_input: bool = False) -> str:
    does = "waits for it, types to it and stops it" if takes_input else "waits for it and stops it"
    return f"send_input {does}; what it prints is in {render.job_path(job, 'stdout')}."


def answer_from(outcome: CommandOutcome) -> CommandAnswer:
    """The outcome as a client sees it."""
    stdout, stderr = render.NOTHING, render.NOTHING
    if outcome.stdout_bytes:
        stdout = render.show_stream(
            render.Stream(
                name="stdout",
                job=outcome.job,
                data=outcome.stdout,
                total_bytes=outcome.stdout_bytes,
                omitted=outcome.stdout_omitted,
                lost_bytes=outcome.stdout_lost_bytes,
            )
        )
    if outcome.stderr_bytes:
        stderr = render.show_stream(
            render.Stream(
                name="stderr",
                job=outcome.job,
                data=outcome.stderr,
                total_bytes=outcome.stderr_bytes,
                omitted=outcome.stderr_omitted,
                lost_bytes=outcome.stderr_lost_bytes,
            )
        )
    return CommandAnswer(
        exit_code=outcome.exit_code,
        signal=ends.signal_name(outcome.signal),
        reason=outcome.reason,
        stdout=stdout.text,
        stderr=stderr.text,
        stdout_bytes=outcome.stdout_bytes,
        stderr_bytes=outcome.stderr_bytes,
        wall_seconds=round(outcome.wall_seconds, 3),
        cpu_seconds=round(outcome.cpu_seconds, 3),
        peak_memory_bytes=outcome.peak_memory_bytes,
        job=outcome.job,
        directory=outcome.directory,
        notes=[
            *(_runs_on(outcome) if outcome.reason == "running" else ends.notes(outcome)),
            *stdout.notes,
            *stderr.notes,
        ],
    )
