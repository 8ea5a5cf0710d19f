"""The keys of the ledger on disk: one small file, written over in place each time they move on.

It is written after the records that it belongs to are durable, so what lies on the disk is never ahead
of the ledger; where it is behind, the keys in between follow from it. `first.key` holds what an auditor
needs on another machine: the first key of all, until `audit key` has given it out and removed it.
"""

import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from wand_hostagent.launcher import ed25519
from wand_hostagent.launcher.digest import sha256
from wand_hostagent.launcher.record import FIRST, Place
from wand_hostagent.launcher.refusal import Refused, reason_of

FILE = "ledger.key"
FIRST_FILE = "first.key"
_MAGIC = b"WandKey1"
_FORM = struct.Struct("<8sQ32s32sQQQ32s32s32s")
_DIGEST_BYTES = 32


@dataclass(slots=True, kw_only=True)
class Keys:
    """What seals the next record and signs the next checkpoint, and how far the ledger has come."""

    place: Place
    size: int  # of the file that is written to, in bytes
    known: int  # where in it a record begins that lists what is open
    known_seq: int
    known_prev: str
    signing: bytes  # a seed of ed25519.py
    coming: bytes  # the seed after it, while a checkpoint that names it may or may not be on the disk

    def pack(self) -> bytes:
        packed = _FORM.pack(
            _MAGIC, self.place.seq, bytes.fromhex(self.place.prev), self.place.key, self.size, self.known,
            self.known_seq, bytes.fromhex(self.known_prev), self.signing, self.coming,
        )  # fmt: skip
        digest: bytes = sha256(packed).digest()
        return packed + digest


NONE = bytes(32)


def first_keys() -> Keys:
    """Keys that nobody has had before."""
    place = Place(0, FIRST, os.urandom(32))
    return Keys(
        place=place, size=0, known=0, known_seq=0, known_prev=FIRST, signing=os.urandom(32), coming=NONE
    )


def unpack(packed: bytes) -> Keys | None:
    """The keys in a file; None where it holds none."""
    body, digest = packed[: _FORM.size], packed[_FORM.size :]
    if len(packed) != _FORM.size + _DIGEST_BYTES or sha256(body).digest() != digest:
        return None
    magic, seq, prev, key, size, known, known_seq, known_prev, signing, coming = _FORM.unpack(body)
    if magic != _MAGIC:
        return None
    place = Place(seq, prev.hex(), key)
    return Keys(
        place=place, size=size, known=known, known_seq=known_seq, known_prev=known_prev.hex(),
        signing=signing, coming=coming,
    )  # fmt: skip


class KeyFile:
    """The open file of the keys."""

    def __init__(self, folder: Path) -> None:
        """Open it, or make it, and the first keys, where there is none.

        Raises:
            Refused: it cannot be opened, or it holds no keys.
        """
        self.path = folder / FILE
        try:
            if not self.path.exists():
                _begin(folder)
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise Refused("Broken", f"{self.path} cannot be opened: {reason_of(error.errno or 0)}") from error
        self.reload()

    def reload(self) -> None:
        """Read it (again, once it is known that nobody else writes it)."""
        found = unpack(os.pread(self.descriptor, _FORM.size + _DIGEST_BYTES + 1, 0))
        if found is None:
            raise Refused("Broken", f"{self.path} holds no keys: it was changed by something else")
        self.keys = found

    def write(self, *, durable: bool = False) -> None:
        """Put the keys as they are now over those in the file. Raises OSError."""
        os.pwrite(self.descriptor, self.keys.pack(), 0)
        if durable:
            os.fdatasync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def _begin(folder: Path) -> None:
    keys = first_keys()
    told = {"seq": 0, "mac_key": keys.place.key.hex(), "signed_by": ed25519.public(keys.signing).hex()}
    _put(folder, FIRST_FILE, json.dumps(told).encode() + b"\n")
    _put(folder, FILE, keys.pack())


def _put(folder: Path, name: str, content: bytes) -> None:
    """Write a file whole, for the launcher's user alone, so that it is there or is not."""
    rising = folder / f".{name}"
    descriptor = os.open(rising, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    rising.rename(folder / name)
