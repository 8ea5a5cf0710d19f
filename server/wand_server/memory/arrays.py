"""numpy, loaded when it is first needed, and told to compute on one thread.

With more, two small products on a busy machine wait a hundred times as long for each other as they take.
"""

import importlib
import importlib.util
import os
from typing import Any

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def missing() -> str:
    """Why numpy cannot be used here; empty where it can."""
    return "" if importlib.util.find_spec("numpy") else "numpy is not installed (the extra `vectors`)"


def numpy() -> Any:
    """The module; it takes a moment the first time."""
    for name in _ONE_THREAD:  # read when it is loaded; an administrator's own word stands
        os.environ.setdefault(name, "1")
    return importlib.import_module("numpy")
