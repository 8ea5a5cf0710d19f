"""AWS Signature Version 4: a request signed by a secret key for one service in one region.

As in "Create a signed AWS API request" of the AWS IAM user guide; the published test suite is in the tests.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from pydantic import BaseModel

from wand_server.integrations.kit.http import Signer
from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Send, SignIn, Stamp, secret

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who signs, and for what."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    region: str
    service: str


def signed_headers(request: Request, who: Credentials, now: datetime, payload_hash: str) -> dict[str, str]:
    """The headers to send with the request, those of the signature among them."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(request.url)
    headers = {**request.headers, "host": parts.netloc, "x-amz-date": stamp}
    if who.service == "s3":
        headers["x-amz-content-sha256"] = payload_hash
    if who.session_token:
        headers["x-amz-security-token"] = who.session_token
    names, canonical = _canonical(request, headers, parts.path, is_s3=who.service == "s3")
    scope = f"{stamp[:8]}/{who.region}/{who.service}/aws4_request"
    whole = hashlib.sha256(f"{canonical}\n{payload_hash}".encode()).hexdigest()
    signature = _signature(who, stamp[:8], f"{_ALGORITHM}\n{stamp}\n{scope}\n{whole}")
    said = f"Credential={who.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": f"{_ALGORITHM} {said}"}


def presigned_url(request: Request, who: Credentials, now: datetime, valid_seconds: int) -> str:
    """A URL by which whoever holds it can make that request of S3 for so long, without signing anything."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(request.url)
    scope = f"{stamp[:8]}/{who.region}/{who.service}/aws4_request"
    query = {
        **request.query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{who.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(valid_seconds),
        "X-Amz-SignedHeaders": "host",
    }
    asked = Request(method=request.method, path=request.url, query=query)
    _, canonical = _canonical(asked, {"host": parts.netloc}, parts.path, is_s3=True)
    whole = hashlib.sha256(f"{canonical}\nUNSIGNED-PAYLOAD".encode()).hexdigest()
    signature = _signature(who, stamp[:8], f"{_ALGORITHM}\n{stamp}\n{scope}\n{whole}")
    said = "&".join(f"{name}={value}" for name, value in map(_quoted_pair, query.items()))
    return f"{request.url}?{said}&X-Amz-Signature={signature}"


def _canonical(request: Request, headers: Mapping[str, str], path: str, *, is_s3: bool) -> tuple[str, str]:
    """The names of the signed headers, and the canonical request up to them."""
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    names = ";".join(sorted(lower))
    lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    query = "&".join(f"{name}={value}" for name, value in sorted(map(_quoted_pair, request.query.items())))
    where = path or "/"
    if not is_s3:
        where = quote(where, safe="/-_.~")  # every service but S3 has the path encoded twice
    return names, f"{request.method}\n{where}\n{query}\n{lines}\n{names}"


def _quoted_pair(pair: tuple[str, str]) -> tuple[str, str]:
    name, value = pair
    return quote(name, safe="-_.~"), quote(value, safe="-_.~")


def _signature(who: Credentials, day: str, text: str) -> str:
    key = f"AWS4{who.secret_key}".encode()
    for step in (day, who.region, who.service, "aws4_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def now() -> datetime:
    """The moment, as signatures name it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4(SignIn):
    """Settings `access_key_id`, `secret_access_key`, `region`, and `session_token` where there is one."""

    service: str
    clock: Callable[[], datetime] = now

    def credentials(self, settings: BaseModel) -> Credentials:
        """Who signs, by these settings."""
        return Credentials(
            access_key=secret(settings, "access_key_id"),
            secret_key=secret(settings, "secret_access_key"),
            session_token=secret(settings, "session_token"),
            region=secret(settings, "region"),
            service=self.service,
        )

    def signer(self, settings: BaseModel, send: Send, strike: Strike) -> Signer:  # noqa: ARG002
        who = self.credentials(settings)

        def add(request: Request) -> None:
            payload = hashlib.sha256(request.encode() or b"").hexdigest()
            request.headers = signed_headers(request, who, self.clock(), payload)

        return Stamp(add)
