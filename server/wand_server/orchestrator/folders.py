"""Whether a project's folder is one that its tasks can use: the host is asked, by the tools."""

from wand_proto.errors import Conflict, Denied, Invalid, NotFound, named
from wand_server.model import Call, ToolResult
from wand_server.offers import Tools

_LIST = "list_directory"
_WRONG = frozenset({Denied.__name__, Invalid.__name__, Conflict.__name__})


async def need(tools: Tools, call: Call, folder: str) -> bool:
    """See that the caller may look into it; False where it is not there yet, which a task may make.

    Where that cannot be known, because the host is away, say, or the caller has no file tools but
    commands, nothing is said against it: each task is asked about again.

    Raises:
        WandError: it is none of the caller's, or no folder; the hint says what is permitted.
    """
    if all(one.name != _LIST for one in tools.describe()):
        return True
    looked = await tools.call(_LIST, {"path": folder}, call)
    if looked.kind not in _WRONG:
        return looked.kind != NotFound.__name__
    if looked.kind == Denied.__name__ and (await tools.call(_LIST, {}, call)).kind == looked.kind:
        return True
    raise _of_the_project(looked)


def _of_the_project(looked: ToolResult) -> Exception:
    said, _, hint = looked.text.partition("\nHint: ")
    message = said.removeprefix(f"{looked.kind}: ").removeprefix("path: ")
    return named(looked.kind, message, hint=hint, field="workspace")
