"""The house measured: what the figures say of a small package, and that ours hold to their aims."""

from pathlib import Path

import pytest

from support import measure, tree

SMALL = {
    "__init__.py": "",
    "here.py": "from small import there\n\ndef one() -> int:\n    '''Says\n    it.'''\n    return 1\n",
    "there.py": "from . import here\n\ntry:\n    pass\nexcept (OSError, Exception):\n    pass\n",
    "late.py": "def two():\n    from small import later\n    return later\n",
    "later.py": "from small.late import two\nif TYPE_CHECKING:\n    import small.late\n",
}


@pytest.fixture
def small(tmp_path: Path) -> measure.Figures:
    package = tmp_path / "small"
    package.mkdir()
    for name, text in SMALL.items():
        (package / name).write_text(text)
    return measure.measure(package)


def test_a_circle_is_what_imports_itself_as_it_loads(small: measure.Figures) -> None:
    assert small.circles == 1  # here and there; late imports only when it is called


def test_a_docstring_is_no_length_and_a_return_type_counts(small: measure.Figures) -> None:
    assert (small.half, small.nine_tenths, small.typed) == (3, 3, 0.5)


def test_an_except_is_broad_among_others_too(small: measure.Figures) -> None:
    assert small.broad_excepts == 1


@pytest.mark.parametrize("package", measure.OURS)
def test_our_code_holds_to_its_aims(package: str) -> None:
    found = measure.measure(tree.ROOT / package)

    assert found.circles == found.long_functions == 0
    assert found.half <= 7
    assert found.nine_tenths <= 27
    assert found.typed == 1


@pytest.mark.parametrize("package", measure.OURS)
def test_the_figures_of_the_page_are_near(package: str) -> None:
    page = (tree.ROOT / "docs/explanation/house.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith(f"| `{Path(package).name}` |"))
    files, lines = (int(cell.replace(",", "")) for cell in row.split("|")[2:4])
    found = measure.measure(tree.ROOT / package)

    said = (
        f"docs/explanation/house.md, 7: ./dev house prints it anew ({found.files} files, {found.lines} lines)"
    )
    assert abs(files - found.files) <= max(3, 0.1 * found.files), said
    assert abs(lines - found.lines) <= max(100, 0.1 * found.lines), said
