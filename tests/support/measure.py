"""How the code is built, in figures: `./dev house [FOLDER…]` prints a row for each package.

Beside ours may stand any folder of Python. Nothing is imported: every figure is read from the syntax trees.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("proto/wand_proto", "hostagent/wand_hostagent", "server/wand_server")
LONG_FILE, LONG_FUNCTION = 300, 60
_BROAD = frozenset({"Exception", "BaseException"})
_HEAD = ("", "files", "lines", "circles", "half", "nine tenths", "> 60", "> 300", "broad", "typed")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One package: lengths are in lines, docstrings and decorators not counted; `typed` is a share of 1."""

    files: int
    lines: int
    circles: int  # groups of modules that import each other when they load
    half: int  # of all functions are no longer
    nine_tenths: int
    long_functions: int
    long_files: int
    broad_excepts: int
    typed: float  # functions whose return type is written, lambdas aside


def measure(package: Path) -> Figures:
    """The figures of a package, generated modules left out."""
    sources = {path: path.read_text() for path in _modules(package)}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    functions = [each for tree in trees.values() for each in _functions(tree)]
    lengths = sorted(map(_length, functions)) or [0]
    lines = [text.count("\n") for text in sources.values()]
    return Figures(
        files=len(sources),
        lines=sum(lines),
        circles=len(_circles(_imports(package, trees))),
        half=lengths[len(lengths) // 2],
        nine_tenths=lengths[len(lengths) * 9 // 10],
        long_functions=sum(length > LONG_FUNCTION for length in lengths),
        long_files=sum(count > LONG_FILE for count in lines),
        broad_excepts=sum(_is_broad(node) for tree in trees.values() for node in ast.walk(tree)),
        typed=sum(each.returns is not None for each in functions) / max(len(functions), 1),
    )


def _modules(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*.py")):
        if "_pb2" not in path.name and "__pycache__" not in path.parts:
            yield path


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _length(function: Function) -> int:
    """Its lines from `def` on, without its docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return whole
    docstring = function.body[0]
    return whole - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def _is_broad(node: ast.AST) -> bool:
    """Whether it catches whatever is raised, named alone or among others."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _BROAD) for kind in kinds)


def _imports(package: Path, trees: Mapping[Path, ast.Module]) -> dict[str, set[str]]:
    """Which module imports which of the same package as it loads."""
    names = {_name(package, path): path for path in trees}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found[name] = {each for each in _named(trees[path], inside, names) if each != name}
    return found


def _name(package: Path, path: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _named(tree: ast.Module, inside: str, names: Iterable[str]) -> Iterator[str]:
    known = frozenset(names)
    for node in _at_load(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, inside)
            for alias in node.names:  # a submodule, else something of the module itself
                yield from [each for each in (f"{base}.{alias.name}", base) if each in known][:1]


def _base(node: ast.ImportFrom, inside: str) -> str:
    if not node.level:
        return node.module or ""
    parts = inside.split(".")
    above = ".".join(parts[: len(parts) - node.level + 1])
    return f"{above}.{node.module}" if node.module else above


def _at_load(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is loaded: no function's body, and nothing for a type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            continue
        yield node
        yield from _at_load(node)


def _circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """The strongly connected components of more than one module (Kosaraju's way)."""
    order: list[str] = []
    seen: set[str] = set()
    for node in graph:
        order += _reached(node, graph, seen)
    back: dict[str, set[str]] = {node: set() for node in graph}
    for node, others in graph.items():
        for other in others:
            back[other].add(node)
    seen = set()
    groups = [set(_reached(node, back, seen)) for node in reversed(order)]
    return [group for group in groups if len(group) > 1]


def _reached(start: str, graph: Mapping[str, set[str]], seen: set[str]) -> list[str]:
    """What is reached from `start` and was not seen, each after all that it leads to."""
    if start in seen:
        return []
    seen.add(start)
    found: list[str] = []
    stack = [(start, iter(sorted(graph[start])))]
    while stack:
        node, others = stack[-1]
        other = next((each for each in others if each not in seen), None)
        if other is None:
            found.append(node)
            stack.pop()
        else:
            seen.add(other)
            stack.append((other, iter(sorted(graph[other]))))
    return found


def _row(package: Path) -> tuple[str, ...]:
    found = measure(package)
    counts = (
        found.files, found.lines, found.circles, found.half, found.nine_tenths, found.long_functions,
        found.long_files, found.broad_excepts,
    )  # fmt: skip
    return (package.name, *map(str, counts), f"{found.typed:.0%}")


def main(words: Sequence[str]) -> int:
    """Print the table as Markdown, ours first."""
    folders = [ROOT / each for each in OURS] + [Path(word) for word in words]
    if missing := [folder for folder in folders if not folder.is_dir()]:
        sys.stderr.write(f"{missing[0]} is no folder\n")
        return 2
    rows = [_HEAD, tuple("---" for _ in _HEAD), *map(_row, folders)]
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
