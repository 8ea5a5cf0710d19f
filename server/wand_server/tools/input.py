"""send_input: type to a running job, and see what it answers."""

import asyncio
import time
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wand_server.model import Call
from wand_server.ports import Fed, Host, Input, OutputPart, StreamName
from wand_server.tools import ends, render, views
from wand_server.tools.base import Answer, Tool

Key = Literal["ctrl-c", "ctrl-d", "ctrl-z", "enter", "tab", "escape", "up", "down", "left", "right"]

_TEXT_CEILING = 64 * 1024
_SHOWN_BYTES = 24 * 1024  # of each stream in one answer
_TAIL_BYTES = 4 * 1024  # of what was there before, where nothing new is asked for
_LATE = "It had ended before, so nothing was sent."
_LOOK_SECONDS = 0.1  # between two looks at what the job has written
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
        by = f"exit code {self.exit_code}" if self.signal is None else f"ended by {self.signal}"
        return f"job {self.job} has ended: {by}" + ("" if self.reason == "exited" else f" ({self.reason})")


class SendInput(Tool):
    """Type to a running job, or just wait for it, and return what it prints next and whether it has ended.

    For jobs that execute_command started in the background. First `text` is sent as it is, a line with its
    line end, then `key`: ctrl-c interrupts, ctrl-d ends the input. It returns when the job has answered and
    is silent, has ended, or after `wait_seconds`.
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
    columns: int = Field(default=0, ge=0, le=1000, description="a new size of its terminal")
    rows: int = Field(default=0, ge=0, le=1000)
    offset: int | None = Field(default=None, ge=0, description="show stdout from there")
    wait_seconds: Annotated[float, Field(ge=0, le=60)] = 2

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.text.encode(errors="surrogatepass")) > _TEXT_CEILING:
            raise ValueError("text can be at most 64 KiB at once")
        if bool(self.columns) != bool(self.rows):
            raise ValueError("give columns and rows together")
        return self

    async def call(self, host: Host, call: Call) -> InputAnswer:
        given = Input(
            size=(self.columns, self.rows) if self.columns else None,
            data=self.text.encode() + (_KEYS.get(self.key, b"") if self.key else b""),
            interrupt=self.key == "ctrl-c",
            end=self.key == "ctrl-d",
        )
        fed = await host.feed(call, self.job, given)
        is_late = not fed.running and given != Input()
        tail_bytes = 0 if fed.running and given != Input() else _TAIL_BYTES
        parts = await self._printed_since(host, call, fed, tail_bytes)
        return await self._answer(host, call, parts, [_LATE] if is_late else [])

    async def _printed_since(
        self, host: Host, call: Call, fed: Fed, tail_bytes: int
    ) -> tuple[OutputPart, OutputPart]:
        """What it has written, `tail_bytes` of what was there before with it, once it is silent again."""
        start = max(0, fed.stdout_bytes - tail_bytes) if self.offset is None else self.offset
        give_up, seen = time.monotonic() + self.wait_seconds, -1
        while True:
            stdout = await self._part(host, call, "stdout", start)
            stderr = await self._part(host, call, "stderr", max(0, fed.stderr_bytes - tail_bytes))
            total = stdout.total_bytes + stderr.total_bytes
            is_silent = total == seen and total > fed.stdout_bytes + fed.stderr_bytes
            if not stdout.running or is_silent or time.monotonic() >= give_up:
                return stdout, stderr
            seen = total
            await asyncio.sleep(_LOOK_SECONDS)

    async def _part(self, host: Host, call: Call, stream: StreamName, offset: int) -> OutputPart:
        return await host.read_output(call, self.job, stream, (offset, _SHOWN_BYTES))

    async def _answer(
        self, host: Host, call: Call, parts: tuple[OutputPart, OutputPart], notes: list[str]
    ) -> InputAnswer:
        stdout, stderr = parts
        end = None if stdout.running else await host.end_of(call, self.job)
        out, err = self._shown("stdout", stdout), self._shown("stderr", stderr)
        return InputAnswer(
            job=self.job,
            running=stdout.running,
            exit_code=end.exit_code if end else None,
            signal=ends.signal_name(end.signal) if end else None,
            reason=end.reason if end else None,
            stdout=out.text,
            stderr=err.text,
            next_offset=stdout.offset + len(stdout.data),
            notes=[*notes, *out.notes, *err.notes],
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
