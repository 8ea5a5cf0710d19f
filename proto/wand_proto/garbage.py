"""Python's search for cycles of garbage, made rarer: a call makes hundreds of objects and hardly a cycle."""

import gc

_YOUNG = 5_000  # objects made, and not yet freed, between two searches; Python's own figure is 700
_DEEPER = 10  # every so many searches one goes deeper, as in Python: what waits longer only adds up


def search_seldom() -> None:
    """Leave out what is there now, which stays for good, and look at what comes later less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _DEEPER, _DEEPER)
