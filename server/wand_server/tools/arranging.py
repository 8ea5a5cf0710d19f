"""manage_file: move, copy or remove, and take back what was removed."""

from typing import Literal

from pydantic import Field, model_validator

from wand_server.model import Call
from wand_server.ports import Arranging, Host
from wand_server.tools import render, views
from wand_server.tools.base import Answer, Tool
from wand_server.tools.reading import Path

_DONE = {"move": "moved", "copy": "copied", "remove": "removed", "restore": "restored"}


class ArrangeAnswer(Answer):
    """Where it is now."""

    done: str
    path: str
    now_at: str
    files: int
    total_bytes: int

    def text(self) -> str:
        amount = f"{render.count(self.files, 'file')}, {render.size(self.total_bytes)}"
        if self.done == "removed":
            return f"{self.path} removed ({amount}); kept for 7 days: restore brings it back"
        return f"{self.path} {self.done} to {self.now_at} ({amount})"


class ManageFile(Tool):
    """Move, copy or remove a file or folder; `restore` brings back what was removed last from `path`."""

    name = "manage_file"
    title = "Move, copy, remove"
    toolset = "files"
    answer = ArrangeAnswer
    destructive = True
    view = views.APPROVAL

    action: Literal["move", "copy", "remove", "restore"]
    path: Path
    to: str = Field(default="", max_length=4096, description="nothing may be there")

    @model_validator(mode="after")
    def _has_a_place(self) -> "ManageFile":
        if self.action in {"move", "copy"} and not self.to:
            raise ValueError(f"to {self.action}, give `to`: the whole new path, its last name too")
        if self.action == "remove" and self.to:
            raise ValueError("to remove, leave `to` out: what is removed is kept where `restore` finds it")
        return self

    async def call(self, host: Host, call: Call) -> ArrangeAnswer:
        done = await host.arrange(call, Arranging(what=self.action, path=self.path, to=self.to))
        return ArrangeAnswer(
            done=_DONE[self.action],
            path=done.path,
            now_at=done.to,
            files=done.files,
            total_bytes=done.total_bytes,
        )
