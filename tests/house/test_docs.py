"""What the documents point at is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import tree

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
TREES = ("proto/", "hostagent/", "server/", "tests/", "docs/", "packaging/", "systemd/")
QUOTED = re.compile(rf"`((?:{'|'.join(TREES)})[\w./-]+)`")
PAGES = tree.committed(".md")


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as a reader's link spells them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path) -> Iterator[str]:
    for target in LINK.findall(prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        place, _, anchor = target.partition("#")
        there = (page.parent / place).resolve() if place else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=tree.name)
def test_every_link_of_a_page_resolves(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_page_is_in_the_list_of_pages() -> None:
    """A decision is in a list of its own."""
    folder = tree.ROOT / "docs"
    lists = [folder / "README.md", folder / "decisions" / "README.md"]
    listed = {(page.parent / target).resolve() for page in lists for target in LINK.findall(prose(page))}
    assert not [page for page in PAGES if folder in page.parents and page not in {*listed, *lists}]


@pytest.mark.parametrize("page", PAGES, ids=tree.name)
def test_every_path_that_a_page_quotes_exists(page: Path) -> None:
    """`CHANGELOG.md` may name what is gone; no other page may."""
    if page.name == "CHANGELOG.md":
        return
    assert not [path for path in QUOTED.findall(prose(page)) if not (tree.ROOT / path).exists()]
