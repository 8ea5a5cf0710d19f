"""No file names a package registry, or a place on somebody's machine."""

import re
from pathlib import Path

import pytest

from support import tree

# Written in pieces, so that this file does not hold what it looks for.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"), ("npmmirror", "com"),
        ("yarnpkg", "com"), ("deb", "debian"), ("crates", "io"), ("ghcr", "io"), ("proxy", "golang"),
    )
)  # fmt: skip
PLACES = tuple(
    "/".join(parts)
    for parts in (
        ("", "work", "main"), ("", "work", "wt"), ("", "work", "shared"), ("", "work", ".library"),
        ("", "opt", "pypi"), ("", "root", ""), ("", "home", "user"),
    )
)  # fmt: skip


def lines_with(words: tuple[str, ...]) -> list[str]:
    """Each line that holds one of the words, not as the end of a longer one."""
    wanted = re.compile("|".join(rf"(?<!\w){re.escape(word)}" for word in words))
    return [
        f"{tree.name(path)}:{number}: {line.strip()[:120]}"
        for path in tree.committed()
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if wanted.search(line)
    ]


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


@pytest.mark.parametrize(("what", "words"), [("registry", HOSTS), ("place of a machine", PLACES)])
def test_no_file_names_one(what: str, words: tuple[str, ...]) -> None:
    assert not lines_with(words), f"a {what} is named"
