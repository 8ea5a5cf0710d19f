"""Globs on names and on paths."""

import re
from fnmatch import fnmatchcase
from itertools import chain, product

import pytest

from wand_hostagent.filesystem.globs import as_regex, matcher
from wand_hostagent.filesystem.refusal import Refused


@pytest.mark.parametrize(
    ("glob", "path", "is_match"),
    [
        ("", "a/b.py", True),
        ("*.py", "a/b.py", True),
        ("*.py", "b.pyc", False),
        ("b.??", "a/b.py", True),
        ("[ab].py", "a.py", True),
        ("[!ab].py", "a.py", False),
        ("[!ab].py", "c.py", True),
        ("*.{ts,tsx}", "src/x.tsx", True),
        ("*.{ts,tsx}", "src/x.js", False),
        ("a,b", "a,b", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/a/b.py", False),
        ("src/*.py", "x/src/a.py", False),
        ("./src/*.py", "src/a.py", True),
        ("src/**/*.py", "src/b.py", True),
        ("src/**/*.py", "src/a/c/b.py", True),
        ("src/**/*.py", "srcs/b.py", False),
        ("**/*.py", "b.py", True),
        ("**/tests/*.py", "a/tests/b.py", True),
        ("src/**", "src/a/b", True),
        ("src/**", "src", False),
        ("a+(b).py", "a+(b).py", True),
        ("*.PY", "a.py", False),
        ("[", "[", True),
    ],
)
def test_a_glob_matches_what_it_says(glob: str, path: str, is_match: bool) -> None:  # noqa: FBT001 - a table
    assert matcher(glob)(path, path.rpartition("/")[2]) is is_match


@pytest.mark.parametrize("glob", ["{", "{a", "}", "x" * 257, "a\0", "[z-a]"])
def test_what_is_no_glob_is_refused(glob: str) -> None:
    with pytest.raises(Refused) as caught:
        matcher(glob)
    assert (caught.value.kind, caught.value.field) == ("Invalid", "name_glob")


def words(letters: str, most: int) -> list[str]:
    """Every word of these letters, up to a length."""
    return [
        "".join(one) for one in chain.from_iterable(product(letters, repeat=n) for n in range(1, most + 1))
    ]


def test_every_short_glob_says_of_every_short_name_what_python_says() -> None:
    names = words("ab", 5)
    for glob in words("ab*?", 5):
        if "**" not in glob:
            fits = re.compile(as_regex(glob)).fullmatch
            assert [bool(fits(name)) for name in names] == [fnmatchcase(name, glob) for name in names], glob


def test_a_glob_of_many_stars_takes_no_longer_than_it_must() -> None:
    is_name = matcher("*a" * 100 + "*b")

    assert not is_name("a" * 255, "a" * 255)
    assert is_name("a" * 254 + "b", "a" * 254 + "b")
    assert not re.compile(as_regex("{" + "*a" * 100 + "}b", braces=False)).fullmatch("a" * 255)
