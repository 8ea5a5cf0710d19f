"""A few things that are kept by a key, so that they need not be made anew: who came first goes first."""

from typing import TypeVar

Key = TypeVar("Key")
Kept = TypeVar("Kept")


def keep(among: dict[Key, Kept], key: Key, kept: Kept, *, most: int) -> Kept:
    """Keep this, and no more than so many."""
    while len(among) >= most:
        del among[next(iter(among))]
    among[key] = kept
    return kept
