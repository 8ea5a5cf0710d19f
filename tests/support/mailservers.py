"""Real mail servers on loopback, with TLS: dovecot for IMAP, aiosmtpd for SMTP, one Maildir for both."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import certificates
from support.places import free_port
from support.prism import ROOT

PASSWORD, TOKEN = "pass word of ann ü", "token-of-ann"
PYTHON = ROOT / ".dev" / "services" / "bin" / "python"
DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_NOBODY = 65534
_START_SECONDS = 60.0
_DOVECOT = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <{home}/cert.pem
ssl_key = <{home}/key.pem
auth_mechanisms = plain login xoauth2
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=plain username_format=%n {home}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {home}/oauth2
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={home}/mail/ann
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
  mailbox "Bücher & Co" {{
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {starttls}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service auth {{
  client_limit = 2000
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServers:
    """Where they are."""

    home: Path
    authority: str  # in PEM
    smtp_tls: int
    smtp_starttls: int
    imap_tls: int
    imap_starttls: int
    tokens: int  # who has which, by HTTP

    def put(self, raw: bytes) -> None:
        """Have a letter arrive at ann's."""
        inbox = self.home / "mail" / "ann" / "Maildir"
        name = f"{time.time_ns()}.test"
        (inbox / "tmp" / name).write_bytes(raw)
        os.chown(inbox / "tmp" / name, _NOBODY, _NOBODY)
        (inbox / "tmp" / name).rename(inbox / "new" / name)


@contextmanager
def running() -> Iterator[MailServers]:
    """Both, while entered."""
    with tempfile.TemporaryDirectory(prefix="wand-mail-") as home, _running(Path(home)) as servers:
        yield servers


@contextmanager
def _running(home: Path) -> Iterator[MailServers]:
    home.chmod(0o711)  # dovecot's own users have to get in, and pytest's folders let nobody
    servers = _prepared(home)
    with (home / "log").open("wb") as log:
        smtp = subprocess.Popen(
            [
                PYTHON, ROOT / "tests/support/smtpserver.py", home, home / "cert.pem", home / "key.pem",
                str(servers.smtp_tls), str(servers.smtp_starttls), str(servers.tokens),
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        imap = subprocess.Popen([str(DOVECOT), "-F", "-c", home / "dovecot.conf"], stdout=log, stderr=log)
    try:
        for port in (servers.smtp_tls, servers.smtp_starttls, servers.imap_tls, servers.imap_starttls):
            _wait(port, home)
        yield servers
    finally:
        for process in (smtp, imap):
            process.terminate()
            process.wait(20)


def _prepared(home: Path) -> MailServers:
    certificate = certificates.for_localhost(home)
    ports = {
        name: free_port() for name in ("smtp_tls", "smtp_starttls", "imap_tls", "imap_starttls", "tokens")
    }
    servers = MailServers(home=home, authority=certificate, **ports)
    for name in ("ann", "bob"):
        for folder in ("new", "cur", "tmp"):
            (home / "mail" / name / "Maildir" / folder).mkdir(parents=True)
    for path in (home / "mail", *(home / "mail").rglob("*")):
        os.chown(path, _NOBODY, _NOBODY)
    (home / "users").write_text(f"ann:{PASSWORD}::::::\n")
    (home / "oauth2").write_text(
        f"tokeninfo_url = http://127.0.0.1:{servers.tokens}/?access_token=\nusername_attribute = user\n"
    )
    words = {"home": home, "nobody": _NOBODY, "tls": servers.imap_tls, "starttls": servers.imap_starttls}
    (home / "dovecot.conf").write_text(_DOVECOT.format(**words))
    return servers


def _wait(port: int, home: Path) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    logs = "".join(one.read_text(errors="replace")[-2000:] for one in home.glob("*log") if one.is_file())
    raise AssertionError(f"a mail server does not start: {logs}")
