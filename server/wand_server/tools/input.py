"""send_input: type to a running job, and see what it answers."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from wand_server.model import Call
from wand_server.ports import Host, Input, OutputPart, StreamName
from wand_server.tools import ends, render, views
from wand_server.tools.base import Answer, Tool
from wand_server.tools.looking import LOOK_SECONDS, Looking, Seen
from wand_server.tools.terminal import screen_of

Key = Literal["ctrl-c", "ctrl-d", "ctrl-z", "enter", "tab", "escape", "up", "down", "left", "right"]

Signal = Literal["TERM", "KILL", "INT", "HUP"]

_TEXT_CEILING = 64 * 1024
_TAIL_BYTES = 4 * 1024  # of what was there before, where nothing new is asked for
_MOST_SECONDS = 40  # a call has to be answered
_SIGNALS: dict[Signal, int] = {"TERM": 15, "KILL": 9, "INT": 2, "HUP": 1}
_STILL = "It was sent {signal} and still runs; KILL cannot be ignored."
_LATE = "It had ended before, so nothing was sent."
_KEYS: dict[Key, bytes] = {
    "ctrl-z": b"\x1a", "enter": b"\r", "tab": b"\t", "escape": b"\x1b",
    "up": b"\x1b[A", "down": b"\x1b[B", "right": b"\x1b[C", "left": b"\x1b[D",
}  # fmt: skip


class InputAnswer(Answer):
    """What a job printed after it was given something, and whether it has ended."""

    job: str
    running: bool
    exit_code: int | None
    signal: str | None
    reason: str | None
    stdout: str
    stderr: str
    next_offset: int  # of stdout
    notes: list[str]

    def text(self) -> str:
        parts = [self._state(), *self.notes]
        parts += [f"--- {name}\n{text}" for name, text in self._printed() if text]
        return "\n".join(parts)

    def _printed(self) -> tuple[tuple[str, str], ...]:
        return ("stdout", self.stdout.rstrip()), ("stderr", self.stderr.rstrip())

    def _state(self) -> str:
        if self.running:
            said = "" if self.stdout or self.stderr else "; it printed nothing so far"
            return f"job {self.job} runs{said}"
        if self.reason == "lost":
            return f"job {self.job} is lost: {ends.UNKNOWN}"
        by = f"exit code {self.exit_code}" if self.signal is None else f"ended by {self.signal}"
        return f"job {self.job} has ended: {by}" + ("" if self.reason == "exited" else f" ({self.reason})")


class SendInput(Tool):
    """Wait for a job, type to it, stop it; return what it prints next and whether it has ended.

    First `text` is sent as it is, a line with its line end, then `key` (ctrl-d ends the input), then `signal`
    to all its processes. After input it returns when the job has answered and is silent; else when it has
    ended; with `until` when that is printed; always after `wait_seconds`.
    """

    name = "send_input"
    title = "Send input to a job"
    toolset = "commands"
    answer = InputAnswer
    destructive = True
    open_world = True
    view = views.JOB

    job: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    text: str = ""
    key: Key | None = None
    signal: Signal | None = None
    until: str = Field(default="", max_length=1024, description="regular expression on a line")
    quiet_seconds: float = Field(default=0, ge=0, le=_MOST_SECONDS, description="or silent for so long")
    screen: bool = Field(default=False, description="show what its terminal shows")
    columns: int | None = Field(default=None, ge=1, le=1000, description="a new size of it")
    rows: int | None = Field(default=None, ge=1, le=1000)
    offset: int | None = Field(default=None, ge=0, description="show stdout from there")
    wait_seconds: Annotated[float, Field(ge=0, le=_MOST_SECONDS)] = 2

    @field_validator("until")
    @classmethod
    def _is_expression(cls, until: str) -> str:
        """Seen before anything is typed: what a refused call has sent, nobody would know of."""
        try:
            re.compile(until)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(
                f"is no regular expression: {error}; put a backslash before ( [ * + ? and their like"
            ) from error
        return until

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.text.encode(errors="surrogatepass")) > _TEXT_CEILING:
            raise ValueError("text can be at most 64 KiB at once")
        if (self.columns is None) != (self.rows is None):
            raise ValueError("give columns and rows together")
        return self

    def _given(self) -> Input:
        return Input(
            size=(self.columns, self.rows) if self.columns and self.rows else None,
            data=self.text.encode() + (_KEYS.get(self.key, b"") if self.key else b""),
            interrupt=self.key == "ctrl-c",
            end=self.key == "ctrl-d",
        )

    async def call(self, host: Host, call: Call) -> InputAnswer:
        given = self._given()
        fed = await host.feed(call, self.job, given)
        is_late = not fed.running and (given != Input() or self.signal is not None)
        if self.signal is not None and fed.running:
            await host.signal(call, self.job, _SIGNALS[self.signal])
        is_only_waiting = not fed.running or given == Input()
        looking = Looking(
            job=self.job,
            begin=self.offset,
            fed=fed,
            tail_bytes=_TAIL_BYTES if is_only_waiting else 0,
            until=self.until,
            until_from=0 if is_only_waiting and self.offset is None else None,
            quiet_seconds=self.quiet_seconds or (None if is_only_waiting or self.until else LOOK_SECONDS),
            needs_answer=not self.quiet_seconds,
            wait_seconds=self.wait_seconds,
        )
        seen = await looking.look(host, call)
        return await self._answer(host, call, seen, [_LATE] if is_late else [])

    async def _answer(self, host: Host, call: Call, seen: Seen, notes: list[str]) -> InputAnswer:
        stdout, stderr = seen.stdout, seen.stderr
        end = None if stdout.running else await host.end_of(call, self.job)
        out, err = self._shown("stdout", stdout), self._shown("stderr", stderr)
        if self.screen:
            out = render.Shown(text=(await screen_of(host, call, self.job)).text())
        if self.signal is not None and end is None:
            notes = [*notes, _STILL.format(signal=self.signal)]
        if self.until and not seen.matched:
            notes = [*notes, "`until` was not printed."]
        return InputAnswer(
            job=self.job,
            running=stdout.running,
            exit_code=end.exit_code if end else None,
            signal=ends.signal_name(end.signal) if end else None,
            reason=end.reason if end else None,
            stdout=out.text,
            stderr=err.text,
            next_offset=stdout.offset + len(stdout.data),
            notes=[*notes, *([f"found: {seen.matched}"] if seen.matched else []), *out.notes, *err.notes],
        )

    def _shown(self, name: StreamName, part: OutputPart) -> render.Shown:
        shown = render.show_stream(
            render.Stream(name=name, job=self.job, data=part.data, total_bytes=len(part.data))
        )
        end = part.offset + len(part.data)
        if end >= part.total_bytes:
            return shown
        more = f'{name} goes on: read_file path="{render.job_path(self.job, name)}" offset={end}'
        return render.Shown(text=shown.text, notes=(*shown.notes, more))
