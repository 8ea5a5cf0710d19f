"""Packages that load far more than we use of them stand without their contents until anybody asks for those.

`mcp` and `mcp.server` load the SDK's client, its own server and uvicorn when anything below them is imported;
`jwt` and `cryptography.x509` are needed where somebody signs in by a token or a certificate. Together that is
a quarter of the time in which this server starts. Whoever asks such a package for a name has it filled (PEP
562), so code that shares the process with us finds all of it.
"""

import contextlib
import importlib.util
import ssl
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


class _Unfilled(ModuleType):
    """A package whose submodules can be imported; the first other name it is asked for has it filled."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        self.__class__ = ModuleType  # type: ignore[assignment]  # as importlib.util.LazyLoader does
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(self)
        return getattr(self, name)


def spare(*packages: str) -> None:
    """Have these stand unfilled, but for those that are loaded already."""
    for package in packages:
        if package not in sys.modules:
            _stand_unfilled(package)


def _stand_unfilled(package: str) -> None:
    spec = importlib.util.find_spec(package)
    if spec is None:
        return  # whoever imports it is told
    module = importlib.util.module_from_spec(spec)
    module.__class__ = _Unfilled
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)


@contextlib.contextmanager
def without(package: str) -> Iterator[None]:
    """Inside, that package is not found, unless it is loaded already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]  # not found, as importlib documents it
    try:
        yield
    finally:
        del sys.modules[package]


class _Unread(ssl.SSLContext):
    """A context that reads which authorities this system trusts when the first connection is made with it."""

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        return _read(self).wrap_bio(*args, **more)

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        return _read(self).wrap_socket(*args, **more)


def _read(context: ssl.SSLContext) -> ssl.SSLContext:
    context.__class__ = ssl.SSLContext
    context.set_default_verify_paths()
    return context


def _put_off(context: ssl.SSLContext) -> None:
    context.__class__ = _Unread


@contextlib.contextmanager
def unread_authorities() -> Iterator[None]:
    """Inside, whom a context trusts by default is not read at once: aiohttp makes two of them, used or not.

    For each, all certificates of the system are read: together that is a tenth of the start.
    """
    at_once = ssl.SSLContext.set_default_verify_paths
    ssl.SSLContext.set_default_verify_paths = _put_off  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ssl.SSLContext.set_default_verify_paths = at_once  # type: ignore[method-assign]
