"""`wand-hostagent pki`: a certificate authority and its leaves.

A leaf is made again after two thirds of its life; the authority never, but by a person who removes it first.
"""

import argparse
import fcntl
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wand_hostagent.certificates import (
    AUTHORITY_DAYS,
    LEAF_DAYS,
    Authority,
    Leaf,
    leaves,
    make_authority,
    sign,
)
from wand_hostagent.replacing import replace
from wand_proto.credentials import Identity
from wand_proto.errors import Denied, Invalid, NotFound, TimedOut, WandError

_LOCK_SECONDS = 30.0


def identity(directory: Path, leaf: str) -> Identity:
    """Where the files of a leaf ("hostagent" or "server") lie."""
    return Identity(directory / "ca.crt", directory / f"{leaf}.crt", directory / f"{leaf}.key")


def ensure(directory: Path, hostname: str, *, days: int = LEAF_DAYS, renew: bool = False) -> list[str]:
    """Make what is missing, due or unfit, and with `renew` every leaf; the names of the files made.

    Raises:
        Denied: the directory cannot be written, or could be written by others.
        Invalid: the authority that lies there is unfit; it is never overwritten.
        TimedOut: somebody else has been at it for too long.
    """
    wanted = leaves(hostname)
    with _alone(directory):
        authority, made = _authority(directory)
        for leaf in wanted:
            if renew or _is_due(directory, leaf, authority):
                write_pair(directory, leaf.name, *sign(authority, leaf, days=days))
                made.append(f"{leaf.name}.crt")
    return made


def write_pair(
    directory: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    """Put NAME.key and NAME.crt in their places, each at once; who reads both in between sees a misfit."""
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace(directory / f"{name}.key", secret, 0o600)
    replace(directory / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """The directory, made where it is missing, for us alone as long as the lock is held."""
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(
            directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    except OSError as error:
        raise Denied(f"{directory} cannot be written: {error.strerror}") from error
    try:
        about = directory.stat()
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Denied(f"{directory} can be written by others", hint=f"chmod go-w {directory}")
        if about.st_uid not in {0, os.geteuid()}:
            raise Denied(f"{directory} is user {about.st_uid}'s", hint=f"chown {os.geteuid()} {directory}")
        _lock(descriptor, directory)
        yield
    except OSError as error:
        raise Denied(f"{error.filename or directory} cannot be written: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > until:
            raise TimedOut(f"another `pki` has held {directory}/.lock for {_LOCK_SECONDS:.0f} seconds")
        time.sleep(0.02)


def _authority(directory: Path) -> tuple[Authority, list[str]]:
    certificate, key = directory / "ca.crt", directory / "ca.key"
    if not certificate.exists() and not key.exists():
        made = make_authority()
        write_pair(directory, "ca", made.certificate, made.key)
        return made, ["ca.crt"]
    return read_authority(certificate, key), []


def read_authority(certificate: Path, key: Path) -> Authority:
    hint = f"restore it from a backup, or remove {certificate} and {key} to begin anew with new leaves"
    try:
        found = Authority(_read_certificate(certificate), _read_key(key))
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise Invalid(f"the authority {certificate} cannot be read: {error}", hint=hint) from error
    if found.certificate.public_key() != found.key.public_key():
        raise Invalid(f"{certificate} and {key} do not belong together", hint=hint)
    if found.certificate.not_valid_after_utc <= datetime.now(UTC):
        raise Invalid(f"{certificate} expired on {found.certificate.not_valid_after_utc:%Y-%m-%d}", hint=hint)
    return found


def _read_certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Denied(f"{path} is open to others", hint=f"chmod 600 {path}")
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path.name} is no elliptic curve key")
    return key


def _is_due(directory: Path, leaf: Leaf, authority: Authority) -> bool:
    """Whether the leaf is missing, unfit, of another authority, for other names, or two thirds old."""
    try:
        found = _read_certificate(directory / f"{leaf.name}.crt")
        key = _read_key(directory / f"{leaf.name}.key")
        found.verify_directly_issued_by(authority.certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return True
    if found.public_key() != key.public_key() or _uris(names) != leaf.uris:
        return True
    since, until = found.not_valid_before_utc, found.not_valid_after_utc
    return datetime.now(UTC) >= since + (until - since) * 2 / 3


def _uris(names: x509.SubjectAlternativeName) -> tuple[str, ...]:
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier))


# -- the command -------------------------------------------------------------------------------------------


def show(directory: Path) -> list[str]:
    """A line for each certificate in the directory: names, URIs, end, days left."""
    lines = []
    for path in sorted(directory.glob("*.crt")):
        try:
            lines.append(_line(path.name, _read_certificate(path)))
        except ValueError as error:
            raise Invalid(f"{path} is no certificate: {error}") from error
    if not lines:
        raise NotFound(
            f"{directory} holds no certificate", hint=f"wand-hostagent pki ensure --directory {directory}"
        )
    return lines


def _line(file: str, certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        known = [*names.get_values_for_type(x509.DNSName), *_uris(names)]
    except x509.ExtensionNotFound:
        known = [certificate.subject.rfc4514_string()]
    until = certificate.not_valid_after_utc
    left = (until - datetime.now(UTC)).days
    return f"{file:14} {' '.join(known)}  until {until:%Y-%m-%d}, {left} days left"


def main(argv: Sequence[str]) -> int:
    """Run `pki ensure|show|renew`; the exit status."""
    asked = _parser().parse_args(argv)
    directory: Path = asked.directory
    try:
        if asked.act == "show":
            lines = show(directory)
        else:
            made = ensure(directory, asked.hostname, days=asked.days, renew=asked.act == "renew")
            lines = [f"made {directory / name}" for name in made] or [f"nothing to do in {directory}"]
    except WandError as error:
        sys.stderr.write(f"wand-hostagent pki: {error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wand-hostagent pki", description=(__doc__ or "").partition("\n\n")[2]
    )
    acts = parser.add_subparsers(dest="act", required=True)
    for act, does in (
        ("ensure", "make what is missing or due"),
        ("show", "tell what there is"),
        ("renew", "make both leaves again now"),
    ):
        each = acts.add_parser(act, help=does)
        each.add_argument("--directory", type=Path, required=True, metavar="DIR")
        if act != "show":
            each.add_argument(
                "--hostname", default=socket.gethostname(), metavar="NAME", help="default: %(default)s"
            )
            each.add_argument(
                "--days",
                type=_days,
                default=LEAF_DAYS,
                metavar="N",
                help="a leaf's life; default: %(default)s",
            )
    return parser


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= AUTHORITY_DAYS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {AUTHORITY_DAYS}")
    return days
