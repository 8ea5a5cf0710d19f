r"""How a path is spelled in text that has to be UTF-8: a byte that is not appears as `\xe9`.

Each path has one spelling, and each spelling means one path: where a name has such letters itself, their
backslash is spelled `\x5c`. The policy and the file system are given Python's own form of such a name: lone
surrogates, as `os.fsdecode` makes them.
"""

import re

_LIKE = re.compile(r"\\(?=x(?:[89a-fA-F][0-9a-fA-F]|5[cC]))")
_SPELLED = re.compile(rb"\\x([89a-fA-F][0-9a-fA-F]|5[cC])")


def show(path: str) -> str:
    """The spelling of a path."""
    if path.isascii() and "\\" not in path:
        return path
    raw = _LIKE.sub(r"\\x5c", path).encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


def meant(spelled: str) -> str:
    """The path that is spelled so."""
    if "\\x" not in spelled:
        return spelled
    raw = _SPELLED.sub(
        lambda found: bytes.fromhex(found[1].decode()), spelled.encode("utf-8", "surrogatepass")
    )
    return raw.decode("utf-8", "surrogateescape")
