"""The rows of a corpus: attempts, each with the way to see its effect; and honest commands."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODES = ("dedicated", "root", "user")
COMMANDS = frozenset({"shell", "argv", "file"})
# What only our own rows have; docs/reference/containment.md says what each means.
_OWN = (
    "first",
    "control",
    "control_as",
    "modes",
    "directory",
    "limits",
    "beside",
    "covers",
    "root_setup",
    "inside",
    "terminal",
    "reach",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt, or a request in words (form `request`)."""

    id: str
    cls: str
    form: str
    req: Any
    kind: str = ""
    setup: str = ""
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    first: str = ""
    control: str = ""
    control_as: Sequence[str] | None = None
    modes: Sequence[str] = MODES
    directory: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    beside: bool = False
    inside: bool = False  # the launcher keeps its state in the workspace
    terminal: bool = False  # it runs in one
    root_setup: str = ""
    reach: Sequence[str] = ()  # destinations: it has a network with a proxy
    covers: str = ""
    effect_unsandboxed: bool | None = None

    @property
    def is_ours(self) -> bool:
        return self.control_as is not None

    def must_show(self, mode: str) -> bool:
        """Whether the attempt must take effect where nothing confines it."""
        if self.root_setup and os.geteuid() != 0:
            return False
        if self.control_as is not None:
            return mode in self.control_as
        return self.effect_unsandboxed is True and mode == "root"  # as root it was found out

    def words(self, req: Any = None) -> list[str]:
        """The command line, its placeholders not yet filled."""
        asked = self.req if req is None else req
        return ["bash", "-c", asked] if isinstance(asked, str) else list(asked)

    def text(self) -> str:
        """Everything that may hold a placeholder."""
        return json.dumps([self.req, self.setup, self.stdin, dict(self.env), self.first, self.control])


def read(path: Path) -> list[Row]:
    """The rows of a file of one JSON object a line."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise SystemExit(f"{path}:{number}: is no row: {error!r}") from error
    return rows


def _row(told: Mapping[str, Any]) -> Row:
    own = {name: told[name] for name in _OWN if name in told}
    return Row(
        id=told["id"],
        cls=told["cls"],
        form=told["form"],
        req=told["req"],
        kind=told.get("kind") or "",
        setup=told.get("setup") or "",
        stdin=told.get("stdin") or "",
        env=told.get("env") or {},
        effect_unsandboxed=told.get("effect_unsandboxed"),
        **own,
    )


def read_benign(path: Path) -> list[str]:
    """The commands of a file that is one JSON list."""
    commands = json.loads(path.read_text())
    if not isinstance(commands, list) or not all(isinstance(command, str) for command in commands):
        raise SystemExit(f"{path}: must be a list of commands")
    return commands
