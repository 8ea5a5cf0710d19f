"""A client certificate that its authority has taken back counts no more, and none where nobody can say."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from support.certificates import SERVER
from support.revoking import crl, put
from wand_hostagent.certificates import Authority, make_authority, sign
from wand_proto.errors import Invalid, Unavailable, WandError
from wand_server.auth.asked import BadToken
from wand_server.auth.certificates import Certificates, Holder
from wand_server.auth.revoked import Revoked, overdue

OURS, OTHER = make_authority(), make_authority()
LEAF, OTHERS = sign(OURS, SERVER)[0], sign(OTHER, SERVER)[0]
SERIAL = LEAF.serial_number


@dataclass(frozen=True, slots=True)
class Files:
    lists: Path
    authorities: Path

    def read(self) -> Revoked:
        return Revoked(self.lists, self.authorities)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    put(tmp_path / "ca.crt", OURS.certificate.public_bytes(Encoding.PEM))
    put(tmp_path / "ca.crl", crl(OURS))
    return Files(tmp_path / "ca.crl", tmp_path / "ca.crt")


def test_what_is_in_the_list_is_refused_and_nothing_else(files: Files) -> None:
    files.read().check(der(LEAF))

    put(files.lists, crl(OURS, [1, SERIAL]))
    with pytest.raises(BadToken, match="was taken back"):
        files.read().check(der(LEAF))
    files.read().check(der(sign(OURS, SERVER)[0]))


def test_the_list_is_read_again_when_it_changes(files: Files) -> None:
    revoked = files.read()
    revoked.check(der(LEAF))
    put(files.lists, crl(OURS, [SERIAL]))
    with pytest.raises(BadToken, match="was taken back"):
        revoked.check(der(LEAF))
    put(files.lists, crl(OURS))
    revoked.check(der(LEAF))


NOW_BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no list": lambda: OURS.certificate.public_bytes(Encoding.PEM),
    "cut off": lambda: crl(OURS, [SERIAL])[:-40],
    "not to be read": lambda: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    "of another": lambda: crl(OTHER),
    "in our name": lambda: crl(OTHER, name=OURS.certificate.subject),
    "a part": lambda: crl(OURS, extension=x509.DeltaCRLIndicator(1)),
    "one of two": lambda: crl(OURS) + crl(OTHER),
}


@pytest.mark.parametrize("which", NOW_BAD)
def test_a_list_that_cannot_be_used_stops_the_start_and_later_lets_nobody_in(
    files: Files, which: str
) -> None:
    revoked = files.read()
    put(files.lists, NOW_BAD[which]())

    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot be told now"):
            revoked.check(der(LEAF))
    with pytest.raises(Invalid) as refused:
        files.read()
    assert refused.value.field == "tls.client_crl"
    assert str(files.lists) in str(refused.value)

    put(files.lists, crl(OURS))
    revoked.check(der(LEAF))


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.chmod(0o666)])
def test_a_list_that_is_gone_or_not_ours_alone_lets_nobody_in(
    files: Files, spoil: Callable[[Path], None]
) -> None:
    revoked = files.read()
    spoil(files.lists)

    with pytest.raises(Unavailable):
        revoked.check(der(LEAF))
    with pytest.raises(WandError):
        files.read()


@pytest.mark.parametrize(("since", "days"), [(-3, -1), (1, 2)])
def test_a_list_that_is_overdue_or_not_valid_yet_lets_nobody_in(files: Files, since: int, days: int) -> None:
    put(files.lists, crl(OURS, since=since, days=days))
    with pytest.raises(Unavailable):
        files.read().check(der(LEAF))
    name = OURS.certificate.subject.rfc4514_string()
    assert overdue(files.lists, files.authorities, datetime.now(UTC)) == [name]


def test_a_list_of_today_is_not_overdue_before_tomorrow(files: Files) -> None:
    now = datetime.now(UTC)
    assert overdue(files.lists, files.authorities, now) == []
    assert overdue(files.lists, files.authorities, now + timedelta(days=2)) != []


def test_each_authority_has_a_list_of_its_own_and_the_newest_counts(files: Files) -> None:
    both = [each.certificate.public_bytes(Encoding.PEM) for each in (OURS, OTHER)]
    put(files.authorities, b"".join(both))
    put(files.lists, crl(OURS, [SERIAL], since=-1) + crl(OTHER) + crl(OURS, since=-2))
    revoked = files.read()

    revoked.check(der(OTHERS))
    with pytest.raises(BadToken):
        revoked.check(der(LEAF))


def test_an_authority_without_a_list_stops_the_start(files: Files) -> None:
    both = [each.certificate.public_bytes(Encoding.PEM) for each in (OURS, OTHER)]
    put(files.authorities, b"".join(both))
    with pytest.raises(Invalid, match="has no list of CN="):
        files.read()
    name = OTHER.certificate.subject.rfc4514_string()
    assert overdue(files.lists, files.authorities, datetime.now(UTC)) == [name]


def test_an_authority_that_came_without_a_list_closes_no_door_of_another(files: Files) -> None:
    revoked = files.read()
    both = [each.certificate.public_bytes(Encoding.PEM) for each in (OURS, OTHER)]
    put(files.authorities, b"".join(both))

    revoked.check(der(LEAF))
    with pytest.raises(Unavailable):
        revoked.check(der(OTHERS))


def test_a_certificate_of_an_authority_that_is_not_known_lets_nobody_in(files: Files) -> None:
    with pytest.raises(Unavailable):
        files.read().check(der(OTHERS))


def test_what_is_no_certificate_lets_nobody_in(files: Files) -> None:
    with pytest.raises(BadToken, match="cannot be read"):
        files.read().check(b"x")


def held(authority: Authority) -> tuple[str, bytes]:
    leaf = sign(authority, SERVER)[0]
    return f"URI:{SERVER.uris[0]}", der(leaf)


def test_who_is_here_by_a_certificate_goes_when_it_is_taken_back(files: Files) -> None:
    name, certificate = held(OURS)
    certificates = Certificates({name: Holder(name="ann")}, files.read())
    principal = certificates.principal(certificate)
    assert not certificates.is_over(principal)

    put(files.lists, crl(OURS, [x509.load_der_x509_certificate(certificate).serial_number]))
    assert certificates.is_over(principal)
    put(files.lists, b"")
    with pytest.raises(Unavailable):
        certificates.is_over(principal)


def test_without_lists_nobody_is_asked() -> None:
    name, certificate = held(OURS)
    certificates = Certificates({name: Holder(name="ann")})
    certificates.check(certificate)
    assert not certificates.is_over(certificates.principal(certificate))
