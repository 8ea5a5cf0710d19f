"""list_jobs: what runs, and how ended what ran."""

from datetime import UTC, datetime

from wand_server.model import Call
from wand_server.ports import Host, ListedJob
from wand_server.tools import ends, render
from wand_server.tools.base import Answer, Part, Tool

_MOST = 50  # in one answer; the oldest of those that have ended are left out
_WORDS = 120  # characters of a command


class JobPart(Part):
    """One job."""

    job: str
    command: str
    state: str
    started: str
    wall_seconds: float
    stdout_bytes: int
    stderr_bytes: int
    backend: str
    terminal: str = ""

    def line(self) -> str:
        """The job as a line of text."""
        where = "" if self.backend == "native" else f" on {self.backend}"
        shown = f", terminal {self.terminal}" if self.terminal else ""
        printed = render.size(self.stdout_bytes + self.stderr_bytes)
        lasted = render.seconds(self.wall_seconds)
        told = f"{self.state} {'since' if self.state == 'runs' else 'after'} {lasted}{where}{shown}"
        return f"{self.job}  {told}, {printed} printed: {self.command}"


class JobsAnswer(Answer):
    """The caller's jobs, running ones first."""

    is_sparse = True

    jobs: list[JobPart]
    left_out: int = 0

    def text(self) -> str:
        if not self.jobs:
            return "No job runs, and none has ended lately."
        lines = [job.line() for job in self.jobs]
        return "\n".join([*lines, *([f"{self.left_out} older ones are left out"] if self.left_out else [])])


class ListJobs(Tool):
    """Your jobs, running and ended lately."""

    name = "list_jobs"
    title = "List jobs"
    toolset = "commands"
    answer = JobsAnswer
    read_only = True
    idempotent = True

    async def call(self, host: Host, call: Call) -> JobsAnswer:
        listed = await host.list_jobs(call)
        return JobsAnswer(jobs=[_part(one) for one in listed[:_MOST]], left_out=max(0, len(listed) - _MOST))


def _part(listed: ListedJob) -> JobPart:
    command = " ".join(" ".join(listed.argv).split())
    size = listed.terminal
    return JobPart(
        job=listed.job,
        command=command if len(command) <= _WORDS else f"{command[: _WORDS - 1]}…",
        state="runs" if listed.end is None else ends.said(listed.end),
        started=datetime.fromtimestamp(listed.started_unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        wall_seconds=round(listed.wall_seconds, 3),
        stdout_bytes=listed.stdout_bytes,
        stderr_bytes=listed.stderr_bytes,
        backend=listed.backend,
        terminal=f"{size[0]}x{size[1]}" if size else "",
    )
