"""Bodies of several parts: forms with files (RFC 7578), and a description with a file (RFC 2387)."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["form-data", "related"]
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # HTML, 4.10.21.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file on its way out."""

    data: bytes
    name: str = ""
    media_type: str = "application/octet-stream"


def _boundary() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipart:
    """Values by name; of them those that are files are parts of their own in either kind."""

    kind: Kind
    values: Mapping[str, str | Part] = field(default_factory=dict)  # of a form
    about: Any = None  # of `related`: the first part, as JSON
    boundary: str = field(default_factory=_boundary, compare=False)

    @property
    def media_type(self) -> str:
        """What it is, for the header."""
        return f"multipart/{self.kind}; boundary={self.boundary}"

    def encode(self) -> bytes:
        """The body."""
        parts = self._form() if self.kind == "form-data" else self._related()
        begin = f"--{self.boundary}\r\n".encode()
        whole = b"".join(
            begin + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + data + b"\r\n"
            for lines, data in parts
        )
        return whole + f"--{self.boundary}--\r\n".encode()

    def _form(self) -> Iterator[tuple[list[str], bytes]]:
        for name, value in self.values.items():
            about = f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"'
            if isinstance(value, Part):
                file = f'{about}; filename="{(value.name or "file").translate(_ESCAPES)}"'
                yield [file, f"Content-Type: {value.media_type}"], value.data
            else:
                yield [about], value.encode()

    def _related(self) -> Iterator[tuple[list[str], bytes]]:
        about = json.dumps(self.about if self.about is not None else {}, ensure_ascii=False)
        yield ["Content-Type: application/json; charset=UTF-8"], about.encode()
        for value in self.values.values():
            if isinstance(value, Part):
                yield [f"Content-Type: {value.media_type}"], value.data
