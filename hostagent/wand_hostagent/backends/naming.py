"""Errors from elsewhere say from where: else they would read as if this host had said them."""

from wand_proto.errors import WandError

HERE = frozenset({"native", "host"})


def name_place(error: WandError, backend: str) -> None:
    """Have the message of an error name the backend that raised it, where that is not this host."""
    if backend not in HERE and backend not in error.message:
        error.message = f"{backend}: {error.message}"
