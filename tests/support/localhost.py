"""A host that is this machine: commands run as they are asked for, for tests of what real programs print."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.host import FakeHost, outcome
from wand_proto.errors import NotFound
from wand_server import ports, scopes
from wand_server.integrations.kit import workspace
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.workspace import Workspace
from wand_server.model import Call, Principal

_KEPT = 24 * 1024  # of a stream, as the host agent keeps of it: what is more, is read from the job


@dataclass
class LocalHost(FakeHost):
    """Runs commands in `workspace`, without a shell; `ran` holds their words."""

    workspace: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)
    ran: list[tuple[str, ...]] = field(default_factory=list)
    printed: dict[str, bytes] = field(default_factory=dict)

    async def run(
        self, call: Call, command: ports.Command, on_output: ports.OnOutput | None = None
    ) -> ports.CommandOutcome:
        self._remember(command)
        self.ran.append(command.argv)
        folder = self.workspace / command.directory
        if not folder.is_dir():
            raise NotFound("there is no such folder", field="directory")
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            cwd=folder,
            env={**os.environ, **self.environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate(command.stdin)
        job = f"j{len(self.ran)}"
        self.printed[job] = stdout
        omitted = (_KEPT, len(stdout) - 100) if len(stdout) > _KEPT + 100 else None
        kept = stdout[:_KEPT] + stdout[-100:] if omitted else stdout
        return outcome(
            kept,
            stderr,
            job=job,
            exit_code=process.returncode,
            stdout_bytes=len(stdout),
            stdout_omitted=omitted,
        )

    async def read_output(
        self, call: Call, job: str, stream: ports.Readable, part: tuple[int, int]
    ) -> ports.OutputPart:
        offset, most = part
        data = self.printed[job][offset : offset + min(most, 64 * 1024)]
        return ports.OutputPart(data=data, offset=offset, total_bytes=len(self.printed[job]), running=False)

    async def find_commands(self, call: Call, names: Sequence[str]) -> tuple[ports.FoundCommand, ...]:
        return tuple(
            ports.FoundCommand(name=name, path=shutil.which(name) or "", permitted=True) for name in names
        )


ANN = Call(principal=Principal(name="ann", means="api_key", scopes=scopes.EVERYDAY), request_id="r1")


async def acting(host: ports.Host, service: BaseIntegration, name: str, given: dict[str, Any]) -> Any:
    """What an operation gives back that may act on that host, in a call of ann's."""
    with workspace.given(Workspace(host=host, call=ANN, may_change=True)):
        return await service.execute(name, given)
