"""Whether the server runs, whether others have its places, and whether its TLS is as it should be."""

import http.client
import ipaddress
import json
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from wand_proto import looking
from wand_proto.errors import WandError
from wand_proto.findings import Finding, good, missing, note, tried
from wand_server.auth.revoked import overdue
from wand_server.settings import Http, Settings, Tls
from wand_server.transports import tls

_START = "systemctl start wand-server"
_ASK_SECONDS = 3.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # names by which a server answers in any case
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a setting may say


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What answers on our port: its version, empty where it is none of ours, and its certificate."""

    version: str
    certificate: bytes | None = None


def look(read: Settings, now: datetime, version: str) -> Iterator[Finding]:
    """Each thing that has to do with who may reach the server."""
    if read.tls.certificate is not None and read.tls.key is not None:
        yield from certificates(read.tls, read.http.allowed_hosts, now)
    yield exposure(read.http, speaks_tls=read.tls.certificate is not None)
    served = ask(read)
    yield port(read.http, served, version)
    if served and served.certificate and read.tls.certificate:
        yield shown(read.tls.certificate, served.certificate)
    for path in (read.stdio.socket, read.control_socket):
        yield unix(path, answers=looking.answers(path), runs=bool(served and served.version))


def certificates(ours: Tls, names: Sequence[str], now: datetime) -> Iterator[Finding]:
    """Whether certificate and key belong together, for how long, and for which names."""
    assert ours.certificate is not None
    assert ours.key is not None
    certificate, key, ca = ours.certificate, ours.key, ours.client_ca
    files = tls.Files(certificate=certificate, key=key, client_ca=ca, client_required=ours.client_required)
    yield tried("tls", lambda: _fits(files), "the key must be that of the first certificate in the file")
    yield looking.secrecy(key)
    renew = "have it renewed: it is taken up within ten seconds"
    yield looking.validity(certificate, now, renew)
    if ca is not None:
        yield looking.validity(ca, now, "set tls.client_ca to another authority")
        if ours.client_crl is not None:
            yield revocation(ours.client_crl, ca, now)
    yield covered(certificate, names)


def revocation(lists: Path, authorities: Path, now: datetime) -> Finding:
    """Whether it can be told which client certificates were taken back."""
    hint = "until its authority has made a new list, no client certificate counts"
    try:
        late = overdue(lists, authorities, now)
    except WandError as error:
        return missing("revoked", str(error), hint)
    if late:
        return missing("revoked", f"the list of {'; '.join(late)} in {lists} is missing or overdue", hint)
    return good("revoked", f"{lists} is read again when it changes")


def covered(certificate: Path, names: Sequence[str]) -> Finding:
    """Whether the certificate is for the names by which clients call."""
    try:
        read = x509.load_pem_x509_certificate(looking.first_pem(certificate).encode())
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        held = found.get_values_for_type(x509.DNSName)
        held += [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    except (OSError, ValueError, x509.ExtensionNotFound):
        held = []
    lacking = [name for name in map(without_port, names) if not any(is_for(one, name) for one in held)]
    says = f"the certificate is for {', '.join(held) or 'no name'}"
    if lacking:
        return missing("names", says, f"get one for {', '.join(lacking)}, which http.allowed_hosts has")
    hint = "name them in http.allowed_hosts, or clients are answered 421"
    ours = [name for name in held if name not in _LOOPBACK]
    return good("names", says) if names or not ours else note("names", says, hint)


def is_for(held: str, name: str) -> bool:
    """Whether a name in a certificate stands for that one: RFC 9525, 6.3."""
    held, name = held.lower(), name.lower()
    return held == name or (held.startswith("*.") and "." in name and held[2:] == name.partition(".")[2])


def without_port(host: str) -> str:
    """The name or address in `http.allowed_hosts`, which may have a port."""
    name, colon, digits = host.rpartition(":")
    return (name if colon and digits.isdigit() else host).strip("[]")


def exposure(http: Http, *, speaks_tls: bool) -> Finding:
    """Whether keys may cross a network that others can listen to."""
    where = f"{http.host}:{http.port}"
    if speaks_tls:
        return good("address", f"https on {where}")
    if not is_loopback(http.host):
        hint = "set [tls], or http.host to 127.0.0.1 and a proxy before it (docs/how-to/serve-tls.md)"
        return note("address", f"http without TLS on {where}: keys cross the network in the open", hint)
    if http.allowed_hosts and not http.trusted_proxies:
        names = ", ".join(http.allowed_hosts)
        hint = 'http.trusted_proxies = ["127.0.0.1"]: otherwise all clients of the proxy count as one'
        return note("address", f"http on {where}, called {names} by whoever comes by a proxy", hint)
    return good("address", f"http on {where}")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(read: Settings) -> Served | None:
    """What answers on the port of HTTP; None where nobody does."""
    host = _ANYWHERE.get(read.http.host, read.http.host)
    made = http.client.HTTPConnection(host, read.http.port, timeout=_ASK_SECONDS)
    if read.tls.certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # what is shown is looked at
        made = http.client.HTTPSConnection(host, read.http.port, timeout=_ASK_SECONDS, context=context)
    try:
        made.connect()
    except ssl.SSLError:
        return Served(version="")
    except OSError:
        return None
    spoken = made.sock if isinstance(made.sock, ssl.SSLSocket) else None
    certificate = spoken.getpeercert(binary_form=True) if spoken else None
    try:
        made.request("GET", "/health")
        answer = made.getresponse()
        body = json.loads(answer.read(4096))
        ours = answer.headers.get("Server") == "wand"
        return Served(version=str(body["version"]) if ours else "", certificate=certificate)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return Served(version="", certificate=certificate)
    finally:
        made.close()


def port(http: Http, served: Served | None, version: str) -> Finding:
    """Whether our server is on its port, in the version that is installed."""
    where = f"{http.host}:{http.port}"
    if served is None:
        why = looking.is_free(http.host, http.port)
        if why:
            return missing(
                "server", f"nobody answers on {where}, and it cannot be taken: {why}", "set http.host"
            )
        return missing("server", f"nobody answers on {where}", _START)
    if not served.version:
        hint = "stop what listens there, or set another http.port"
        return missing(
            "server", f"{where} is taken by something that is no Wand, or not by these settings", hint
        )
    if served.version != version:
        says = f"{where} answers in version {served.version}, and {version} is installed"
        return note("server", says, "systemctl restart wand-server")
    return good("server", f"answers on {where}")


def shown(certificate: Path, served: bytes) -> Finding:
    """Whether the running server shows the certificate that is in its file."""
    try:
        same = ssl.PEM_cert_to_DER_cert(looking.first_pem(certificate)) == served
    except (OSError, ValueError):
        same = True  # said already
    if same:
        return good("served", "the server shows the certificate in the file")
    hint = "wait ten seconds; where it is a credential of the unit: systemctl restart wand-server"
    return note("served", f"the server shows another certificate than {certificate}", hint)


def unix(path: Path, *, answers: bool | None, runs: bool) -> Finding:
    """Whether the server is at one of its unix sockets; `answers` is None where this user cannot know."""
    if answers is None:
        return note("socket", f"{path} is not for this user", "run this as root")
    if answers:
        return good("socket", f"{path} answers")
    hint = "two servers on one path? systemctl restart wand-server" if runs else _START
    return missing("socket", f"{path}: nobody answers", hint)


def _fits(files: tls.Files) -> str:
    tls.read(files)
    return f"{files.key} belongs to {files.certificate}"
