"""Files of lines that somebody is writing."""

from pathlib import Path


def whole_lines(path: Path) -> list[bytes]:
    """The lines of the file, without the last one where it is not whole yet."""
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
