"""Sending by SMTP (RFC 5321), with sign-in by password or by an access token."""

import smtplib
import socket
from base64 import b64encode
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from typing import Any

from wand_proto.errors import Denied, Exhausted, Invalid, Unavailable, WandError
from wand_server.integrations.chat.email.link import Progress, Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """Who signs in; a token comes before a password, and without either nobody does."""

    username: str
    password: str = ""
    token: str = ""

    @property
    def by_token(self) -> str:
        """As XOAUTH2 has it."""
        return f"user={self.username}\1auth=Bearer {self.token}\1\1"

    @property
    def plain(self) -> bytes:
        """As PLAIN has it."""
        return f"\0{self.username}\0{self.password}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message, and to whom it goes."""

    message: EmailMessage
    sender: str
    to: tuple[str, ...]


class _Client(smtplib.SMTP):
    """Python's, over a connection that is there already."""

    def __init__(self, server: Server, connection: socket.socket, progress: Progress, name: str) -> None:
        self._given = connection
        self._progress = progress
        super().__init__(server.host, server.port, local_hostname=name)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        return self._given

    def data(self, msg: Any) -> tuple[int, bytes]:
        self._progress.is_sent = True
        return super().data(msg)


def deliver(
    server: Server, credential: Credential, letter: Letter, connection: socket.socket, progress: Progress
) -> dict[str, str]:
    """Send a letter; whom the server would not send it to, and why.

    Raises:
        Denied: it does not let us in.
        Invalid, Exhausted, Unavailable: it does not take the letter.
    """
    with _opened(server, credential, connection, progress, letter.sender) as client:
        try:
            refused = client.sendmail(letter.sender, letter.to, *_written(client, letter))
        except smtplib.SMTPException as why:
            raise _refusal(why, progress) from why
    return {address: _said(code, text) for address, (code, text) in refused.items()}


def _written(client: smtplib.SMTP, letter: Letter) -> tuple[bytes, list[str]]:
    """The letter's bytes, and how they are announced. (Python's own way would write ">From".)"""
    if all(map(str.isascii, (letter.sender, *letter.to))):
        return letter.message.as_bytes(), []
    if not client.has_extn("smtputf8"):
        raise Invalid("the server takes no addresses with other letters than ASCII", field="to")
    return letter.message.as_bytes(policy=policy.SMTPUTF8), ["SMTPUTF8", "BODY=8BITMIME"]


def look(
    server: Server, credential: Credential, name: str, connection: socket.socket, progress: Progress
) -> None:
    """Make sure that the server lets us in.

    Raises:
        Denied: it does not.
    """
    with _opened(server, credential, connection, progress, name) as client:
        client.noop()


def _opened(
    server: Server, credential: Credential, connection: socket.socket, progress: Progress, sender: str
) -> smtplib.SMTP:
    try:
        client = _Client(server, connection, progress, sender.rpartition("@")[2] or "localhost")
    except smtplib.SMTPException as why:
        raise _refusal(why, progress) from why
    try:
        if server.security == "starttls":
            client.starttls(context=server.context())
        client.ehlo_or_helo_if_needed()
        if credential.token:
            client.auth("XOAUTH2", lambda challenge=None: "" if challenge else credential.by_token)
        elif "PLAIN" in client.esmtp_features.get("auth", "").upper().split() and credential.password:
            _sign_in(client, credential.plain)
        elif credential.password:
            client.login(credential.username, credential.password)
    except smtplib.SMTPException as why:
        client.close()
        raise _refusal(why, progress) from why
    except OSError:
        client.close()
        raise
    return client


def _sign_in(client: smtplib.SMTP, pair: bytes) -> None:
    """By PLAIN (RFC 4616), for which Python's takes ASCII alone."""
    code, said = client.docmd("AUTH", f"PLAIN {b64encode(pair).decode()}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


def _refusal(why: smtplib.SMTPException, progress: Progress) -> WandError:
    """The error that SMTP's means."""
    if isinstance(why, smtplib.SMTPServerDisconnected):
        raise ConnectionError("the server has hung up") from why
    progress.is_sent = False  # it has answered
    if isinstance(why, smtplib.SMTPNotSupportedError):
        return Invalid(f"the server cannot do that: {why}")
    if isinstance(why, smtplib.SMTPRecipientsRefused):
        said = "; ".join(f"{address}: {_said(*answer)}" for address, answer in why.recipients.items())
        return Invalid(f"the server refuses every recipient: {said}", field="to")
    if not isinstance(why, smtplib.SMTPResponseException):
        return Unavailable(f"the server does not speak SMTP as it should: {why}")
    return _answered(why)


def _answered(why: smtplib.SMTPResponseException) -> WandError:
    said = _said(why.smtp_code, why.smtp_error)
    if isinstance(why, smtplib.SMTPAuthenticationError) and why.smtp_code >= 500:
        return Denied(f"the server does not let us in: {said}", hint="wand-server integrations check")
    if why.smtp_code == 552:
        return Exhausted(f"the server says the message is too large: {said}", hint="send less at once")
    if why.smtp_code < 500:
        return Unavailable(f"the server takes nothing just now: {said}", hint="try again later")
    return Invalid(f"the server refuses the message: {said}")


def _said(code: int, text: bytes | str) -> str:
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(shown.split())}"[:300]
