"""Which tests run which statements, of children too that no tool for coverage sees.

The launcher starts as `python -I -S -E`, forks, and becomes other users, so that nothing can be brought
into it by a
variable or by site-packages. In a copy of the tree every statement first sets a byte in memory that all
share: the
mapping is made as the first module loads and outlives fork, seccomp and another root.
"""

import ast
import mmap
import os
from dataclasses import dataclass
from pathlib import Path

SIZE = 1 << 16
_PRELUDE = """
import sys as _wand_sys
if not hasattr(_wand_sys, "_wand_seen"):
    import ctypes as _wand_ctypes, os as _wand_os
    try:
        _wand_file = _wand_os.open({file!r}, _wand_os.O_RDWR | _wand_os.O_CLOEXEC)
        _wand_mmap = _wand_ctypes.CDLL(None, use_errno=True).mmap
        _wand_mmap.restype = _wand_ctypes.c_void_p
        _wand_mmap.argtypes = [_wand_ctypes.c_void_p, _wand_ctypes.c_size_t, *[_wand_ctypes.c_int] * 3,
                               _wand_ctypes.c_long]
        _wand_at = _wand_mmap(None, {size}, 3, 1, _wand_file, 0)
        _wand_os.close(_wand_file)
        _wand_sys._wand_seen = (_wand_ctypes.c_ubyte * {size}).from_address(_wand_at)
    except OSError:
        _wand_sys._wand_seen = bytearray({size})
_wand_seen = _wand_sys._wand_seen
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """A statement of a module; the whole module where `line` is 0."""

    path: str
    function: str
    line: int


def instrument(path: str, text: str, probes: list[Probe], file: Path) -> str:
    """The module with a probe before each statement of its functions, each a place in `probes`."""
    tree = ast.parse(text)
    walk = _Walk(path, probes)
    loaded = walk.probe("", 0)
    body = walk.body(tree.body, "", probed=False)
    head = next((number for number, each in enumerate(body) if not _stays_first(each)), len(body))
    tree.body = [
        *body[:head],
        *ast.parse(_PRELUDE.format(file=str(file), size=SIZE)).body,
        loaded,
        *body[head:],
    ]
    assert len(probes) < SIZE
    return ast.unparse(ast.fix_missing_locations(tree))


def _stays_first(node: ast.stmt) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


@dataclass(frozen=True, slots=True)
class _Walk:
    path: str
    probes: list[Probe]

    def probe(self, function: str, line: int) -> ast.stmt:
        self.probes.append(Probe(self.path, function, line))
        return ast.parse(f"_wand_seen[{len(self.probes) - 1}] = 1").body[0]

    def body(self, statements: list[ast.stmt], function: str, *, probed: bool) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for node in statements:
            if probed and not _stays_first(node):
                found.append(self.probe(function, node.lineno))
            self._inside(node, function, probed=probed)
            found.append(node)
        return found

    def _inside(self, node: ast.stmt, function: str, *, probed: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".strip(".")
            node.body = self.body(node.body, function, probed=not isinstance(node, ast.ClassDef))
            return
        for part in ("body", "orelse", "finalbody"):
            if statements := getattr(node, part, None):
                setattr(node, part, self.body(statements, function, probed=probed))
        for each in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            each.body = self.body(each.body, function, probed=probed)


class Map:
    """The shared memory, for one who looks at what was seen."""

    def __init__(self, file: Path) -> None:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.fchmod(descriptor, 0o666)
        os.ftruncate(descriptor, SIZE)
        self._memory = mmap.mmap(descriptor, SIZE)
        os.close(descriptor)

    def take(self) -> list[int]:
        """The numbers seen since it was asked last."""
        found = bytes(self._memory)
        self._memory[:] = bytes(SIZE)
        return [number for number, byte in enumerate(found) if byte]
