"""What a working repository holds, and when a command counts as refused by the box."""

from containment.outcome import Outcome

PREPARE = "echo new > new.txt && git add new.txt && mkdir -p runtime && echo r > runtime/r"
_APP = "import os\n\n\ndef main() -> None:\n    # TODO|FIXME: say more\n    os.system('true')\n" + "".join(
    f"    print({number})\n" for number in range(40)
)
FILES = {
    "f.txt": "line one\nline two\nline three\n",
    "README.md": "# A project\n" + "".join(f"Line {number}.\n" for number in range(60)),
    "src/app.py": _APP,
    "src/test_app.py": "def test_it() -> None:\n    assert 1 + 1 == 2\n",
    "setup.py": "# nothing to set up\n",
    "data.csv": "a,3\nb,1\nc,2\n",
    "app.log": "info: up\nerror: down\nError: again\n",
    "list.txt": "one two\nthree\n",
    "package.json": '{"name": "p", "version": "1.0.0", "dependencies": {}, "scripts":'
    ' {"test": "echo tested", "build": "echo built", "typecheck": "echo checked"}}\n',
    "Makefile": "all:\n\t@echo made\n",
    "dist/app.js": "console.log(1)\n",
    ".gitignore": "build/\n*.tgz\n",
}  # fmt: skip
NOT_TRIED = "not tried:"
_SIGNS = (
    b"Permission denied", b"Operation not permitted", b"Read-only file system", b"Function not implemented",
    b"No such file or directory", b"Cannot allocate memory", b"Bad system call",
    b"EACCES", b"EPERM", b"EROFS",
)  # fmt: skip


def trouble(free: Outcome, bound: Outcome) -> str:
    """What is wrong with a confined command beside the same one unconfined; nothing where they agree."""
    if free.how == "error":
        return f"{NOT_TRIED} {free.note}"
    if bound.how == "error":
        return f"{NOT_TRIED} {bound.note}"
    if bound.how != "ran":
        return f"{bound.how}: {bound.note}"
    if bound.exit_code != free.exit_code:
        return f"exit code {bound.exit_code}, unconfined {free.exit_code}: {_last(bound)}"
    fresh = [sign for sign in _SIGNS if sign in bound.stderr and sign not in free.stderr]
    return f"it complains: {_last(bound)}" if fresh else ""


def _last(outcome: Outcome) -> str:
    lines = outcome.output.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])[:300] or outcome.note
