"""Python's search for cycles of garbage, made rarer: a call makes hundreds of objects and hardly a cycle."""

import contextlib
import gc
from collections.abc import Iterator

_YOUNG = 5_000  # objects made, and not yet freed, between two searches; Python's own figure is 700
_DEEPER = 10  # every so many searches one goes deeper, as in Python: what waits longer only adds up
_DEEPEST = 4  # and every so many of those all is looked at: each connection of the SDK is a circle


@contextlib.contextmanager
def unsearched() -> Iterator[None]:
    """Around the loading of modules, all of which stays: to look through it takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def search_seldom() -> None:
    """Leave out what is there now, which stays for good, and look at what comes later less often."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _DEEPER, _DEEPEST)
