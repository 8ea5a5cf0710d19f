"""The repository as files: what the tests of the house look at."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("proto/wand_proto", "hostagent/wand_hostagent", "server/wand_server")


def committed(suffix: str = "") -> list[Path]:
    """Every file of the repository that ends with `suffix`, those not yet committed among them."""
    argv = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(names)) if name.endswith(suffix) and (ROOT / name).is_file()]


def is_generated(path: Path) -> bool:
    return "_pb2" in path.name


def modules() -> list[Path]:
    """Every Python file written by hand: the packages, the tests, and `dev`."""
    return [ROOT / "dev", *(path for path in committed(".py") if not is_generated(path))]


def modules_of(package: str) -> list[Path]:
    """The hand-written modules below a folder, as `server/wand_server`."""
    return [path for path in modules() if path.is_relative_to(ROOT / package)]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module, as place and length in lines, its docstring left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name(path)}:{node.lineno} {node.name}", _length(node)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    whole = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)
