"""What is broken in a text, what stays as it is, and that what a statement runs is seen."""

import ast
from pathlib import Path

import pytest

from mutation.mutants import is_python, mutants
from mutation.picking import Picker, Seen
from mutation.seen import Map, Probe, instrument

BROKEN = [
    ("x = a < b", ["x = (a <= b)", "x = (a >= b)"]),
    ("x = a == b", ["x = (a != b)"]),
    ("x = a in b", ["x = (a not in b)"]),
    ("x = a and b", ["x = (a or b)"]),
    ("x = not a", ["x = (a)"]),
    ("x = a + b", ["x = (a - b)"]),
    ("x = 1", ["x = 2"]),
    ("x = True", ["x = False"]),
    ("x = 'a'", ["x = 'Xa'"]),
    ("x = b'a'", ["x = b'Xa'"]),
    ("x = 'a' + b", ["x = 'Xa' + b"]),
    ("x = f(a, b)", ["x = f(b, a)"]),
    ("x = a if b else c", ["x = a if (not b) else c"]),
    ("def f():\n    g()", ["def f():\n    pass"]),
    ("def f():\n    raise a", ["def f():\n    pass"]),
    ("def f():\n    a.b = c", ["def f():\n    pass"]),
    ("def f():\n    del a[b]", ["def f():\n    pass"]),
    ("def f():\n    x += a", ["def f():\n    pass", "def f():\n    x -= a"]),
    ("def f():\n    return a", ["def f():\n    return None"]),
    ("def f() -> bool:\n    return a", ["def f() -> bool:\n    return not (a)"]),
    ("for x in a:\n    continue", ["for x in a:\n    break"]),
    ("for x in a:\n    break", ["for x in a:\n    pass"]),
    ("if a:\n    b", ["if (not a):\n    b"]),
    ("é = a < b", ["é = (a <= b)", "é = (a >= b)"]),  # places are in bytes
]
LEFT = [
    "'''What it is.'''", "x: 'a' = b", "x = 'what a person reads'", "x = f'{a + b}'", "assert a < b",
    "log.info(a, b)",
    "self.log.info(a, b)", "@d(1)\ndef f(): ...", "import a", "__all__ = ['a']", "f(hint='a', message='b')",
    "x = f(a, a)", "x = max(a, b)",
    "if __name__ == '__main__':\n    main()",
]  # fmt: skip


@pytest.mark.parametrize(("text", "broken"), BROKEN)
def test_what_is_broken_and_how(text: str, broken: list[str]) -> None:
    found = [each.apply(text.encode()).decode() for each in mutants("a.py", text)]
    assert found == broken
    assert all(is_python(each.encode()) for each in found)


@pytest.mark.parametrize("text", LEFT)
def test_what_is_left_as_it_is(text: str) -> None:
    assert mutants("a.py", text) == []


def test_a_mutant_says_where_it_is_and_keeps_its_name() -> None:
    text = "class A:\n    x = 1\n    def f(self):\n        if a:\n            return g(\n                2)\n"
    first, second = mutants("a.py", text), mutants("a.py", text)
    assert [(each.function, each.line, each.kind) for each in first] == [
        ("", 2, "constant"), ("A.f", 4, "condition"), ("A.f", 5, "return"), ("A.f", 5, "constant"),
    ]  # fmt: skip
    assert [each.name for each in first] == [each.name for each in second]
    assert len({each.name for each in first}) == 4


CODE = '''"""What it is."""
from __future__ import annotations

def f(x):
    """What it does."""
    if x:
        y = 1
    else:
        y = 2
    return y

class A:
    z = 3
    def g(self):
        return f(0)
'''


def test_every_statement_that_runs_is_seen(tmp_path: Path) -> None:
    probes: list[Probe] = []
    file = tmp_path / "seen"
    seen = Map(file)
    text = instrument("a.py", CODE, probes, file)
    assert ast.get_docstring(ast.parse(text)) == "What it is."
    # In a process that has no memory of its own yet: the mapping is kept for as long as it runs.
    text = text.replace("_wand_sys._wand_seen", "_wand_sys._wand_tried").replace(
        "'_wand_seen')", "'_wand_tried')"
    )
    names: dict[str, object] = {}
    exec(compile(text, "a.py", "exec", dont_inherit=True), names)
    assert [probes[number] for number in seen.take()] == [Probe("a.py", "", 0)]
    names["A"]().g()  # type: ignore[operator]  # a class
    lines = [(probes[number].function, probes[number].line) for number in seen.take()]
    assert sorted(lines) == [("A.g", 15), ("f", 6), ("f", 9), ("f", 10)]
    assert seen.take() == []


def test_tests_of_the_module_are_asked_first_and_only_for_so_long() -> None:
    place = ("pkg/a.py", "f", 2)
    seen = [
        Seen("tests/test_b.py", "d", {"pkg/a.py": "s"}, {"tests/test_b.py::quick": (0.1,
        frozenset({place}))}, frozenset()),
        Seen("tests/test_a.py", "d", {"pkg/a.py": "s"}, {"tests/test_a.py::own": (3.0, frozenset({place}))},
        frozenset()),
        Seen("tests/test_c.py", "d", {"pkg/a.py": "s"}, {"tests/test_c.py::slow": (9.0,
        frozenset({("pkg/a.py", "f", 7)}))},
        frozenset()),
    ]  # fmt: skip
    mutant = mutants("pkg/a.py", "def f():\n    return a\n")[0]
    same, changed = Picker(seen, {"pkg/a.py": "s"}), Picker(seen, {"pkg/a.py": "t"})
    assert list(same.pick(mutant, 60)) == ["tests/test_a.py::own", "tests/test_b.py::quick"]
    assert list(same.pick(mutant, 3)) == ["tests/test_a.py::own"]
    assert len(changed.pick(mutant, 60)) == 3  # where lines have moved, whoever runs the function


def test_what_runs_when_a_module_is_loaded_is_tried_by_all_who_load_it() -> None:
    loaded = frozenset({"x/wand_x/p/a.py"})
    seen = [
        Seen("tests/y/test_z.py", "d", {}, {"tests/y/test_z.py::far": (0.1, frozenset())}, loaded),
        Seen("tests/x/p/test_b.py", "d", {}, {"tests/x/p/test_b.py::beside": (1.0, frozenset())}, loaded),
        Seen("tests/x/p/test_c.py", "d", {}, {"tests/x/p/test_c.py::other": (1.0, frozenset())}, frozenset()),
    ]
    (mutant,) = mutants("x/wand_x/p/a.py", "A = 1\n")
    assert list(Picker(seen, {}).pick(mutant, 60)) == [
        "tests/x/p/test_b.py::beside",
        "tests/y/test_z.py::far",
    ]
