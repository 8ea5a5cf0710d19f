"""Where certificates and keys lie, among them files that systemd hands to a service: systemd.exec(5)."""

import os
from dataclasses import dataclass
from pathlib import Path

_PKI = Path("/etc/wand/pki")


@dataclass(frozen=True, slots=True)
class Identity:
    """Where one end's certificate and key lie, and the authority that it trusts; PEM files."""

    ca: Path
    certificate: Path
    key: Path


def pki_file(name: str) -> Path:
    """Where a file of the link's certificates is by default: among our credentials, else in /etc/wand/pki."""
    handed = os.environ.get("CREDENTIALS_DIRECTORY", "")
    credential = Path(handed, name)
    return credential if handed and credential.exists() else _PKI / name


def is_credential(path: Path) -> bool:
    """Whether systemd handed us that file: nobody else can read it, whatever its mode seems to say.

    Where it grants us the file by an access control list, the mode shows the mask of that as the group's.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(handed) and path.parent == Path(handed)
