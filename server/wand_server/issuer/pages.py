"""The pages that a person sees: plain HTML, no script, nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from wand_server import scopes
from wand_server.issuer import redirects
from wand_server.issuer.model import Asked, SentBack, User

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem;
  color: #222; background: #fff }
h1 { font-size: 1.3rem } label { display: block; margin: .6rem 0 } dt { color: #666 }
dd { margin: 0 0 .6rem; font-weight: 600; overflow-wrap: anywhere }
input:not([type=checkbox]) { display: block; width: 100%; font: inherit; padding: .4rem;
  box-sizing: border-box }
button { font: inherit; padding: .5rem 1.2rem; margin: 1rem .6rem 0 0 }
.plain { border: 0; background: 0; color: inherit; padding: 0; text-decoration: underline }
.wrong { border-left: 4px solid #b00; padding-left: .8rem }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } dt { color: #999 } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
WORDS = {
    scopes.READ: "look at files, at the system and at what commands print, and change nothing",
    scopes.WRITE: "write, change and remove files",
    scopes.EXECUTE: "run commands, as far as the policy of this server lets you",
    scopes.ADMIN: "change how this server runs",
}
_NAMES = {
    scopes.READ: "Look",
    scopes.WRITE: "Change files",
    scopes.EXECUTE: "Run",
    scopes.ADMIN: "Administer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Where the answers on a page go: the query that they are about, and the proof that they are its own."""

    action: str
    proof: str


def sign_in(form: Form, *, wrong: str = "", name: str = "", status: int = 200) -> web.Response:
    """The page that asks for a name and a password; it has no word of the program's."""
    told = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    focus = ("", " autofocus") if name else (" autofocus", "")
    fields = (
        f'<label>Name<input name="name" value="{escape(name)}" autocomplete="username" required '
        f'maxlength="64" autocapitalize="none" spellcheck="false"{focus[0]}></label>'
        '<label>Password<input name="password" type="password" autocomplete="current-password" required '
        f'maxlength="256"{focus[1]}></label>'
    )
    body = (
        f"<h1>Sign in to Wand</h1>{told}<p>A program wants to work here in your name. Which it is, you see "
        f"on the next page, and you decide there what it may do.</p>"
        f"{_form(form, fields, (('sign-in', 'Sign in'),))}"
    )
    return page("Sign in", body, status=status)


def consent(form: Form, asked: Asked, user: User, offered: Iterable[str], *, may_leave: bool) -> web.Response:
    """The page that asks whether a client may have what it wants."""
    boxes = "".join(
        f'<label><input type="checkbox" name="scope" value="{escape(one)}" checked> {in_words(one)}</label>'
        for one in offered
    )
    leave = '<button class="plain" name="step" value="leave">Somebody else?</button>' if may_leave else ""
    choices = (("give", "Let it in"), ("refuse", "Do not"))
    body = (
        f"<h1>Let {escape(asked.client.name or _host(asked.client.id))} in?</h1>"
        f"<p>You are {escape(user.name)}.</p>{_facts(asked)}{_warning(asked)}"
        f"{_form(form, f'<p>It may, in your name:</p>{boxes}', choices, leave)}"
    )
    return page("Let it in?", body, leads_to=redirects.source(asked.redirect_uri))


def in_words(scope: str) -> str:
    """A scope for the person who gives it."""
    if scope in WORDS:
        return f"<strong>{_NAMES[scope]}</strong>: {WORDS[scope]}"
    return f"<strong>One tool</strong>: {escape(scope.removeprefix(scopes.ONE_TOOL))}"


def refusal(text: str, status: int = 400) -> web.Response:
    """The page that says why it goes no further."""
    return page(
        "Not let in", f'<h1>This goes no further</h1><p class="wrong">{escape(text)}</p>', status=status
    )


def sent_back(why: SentBack, location: str) -> web.Response:
    """What is wrong with a request; the person decides whether to go to an address that a stranger named."""
    where = escape(redirects.told(why.redirect_uri))
    body = (
        f'<h1>This goes no further</h1><p class="wrong">{escape(why.refusal.text)}.</p>'
        f'<p><a href="{escape(location)}" rel="noreferrer">Back to {where}</a></p>'
    )
    return page("Not let in", body, status=400)


def page(title: str, body: str, *, status: int = 200, leads_to: str = "") -> web.Response:
    """A page under the strictest policy that it can live with; its forms may lead to one place beside us."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self' {leads_to}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · Wand</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )
    headers = {**_HEADERS, "Content-Security-Policy": policy}
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)


def _facts(asked: Asked) -> str:
    """What is known of a client, and what is its own word."""
    client = asked.client
    voucher = "nobody: it registered itself" if client.kind == "registered" else _host(client.id)
    known = (
        ("It says that it is", client.name),
        ("Who vouches for that", voucher),
        ("It wants to work on", urlsplit(asked.resource).netloc),
        ("The answer goes to", redirects.told(asked.redirect_uri)),
    )
    rows = (f"<dt>{key}</dt><dd>{escape(value) or 'nothing'}</dd>" for key, value in known)
    return f"<dl>{''.join(rows)}</dl>"


def _warning(asked: Asked) -> str:
    """Whoever answers on this computer gets the code, and nobody can tell which program that is."""
    if not redirects.is_loopback(asked.redirect_uri):
        return ""
    return (
        '<p class="wrong">Any program on this computer could ask this under that name. '
        "Let it in only if you have just begun to sign in there yourself.</p>"
    )


def _host(client_id: str) -> str:
    return urlsplit(client_id).hostname or client_id


def _form(form: Form, fields: str, choices: Iterable[tuple[str, str]], more: str = "") -> str:
    buttons = "".join(f'<button name="step" value="{step}">{says}</button>' for step, says in choices)
    proof = f'<input type="hidden" name="proof" value="{escape(form.proof)}">'
    return f'<form method="post" action="{escape(form.action)}">{proof}{fields}{buttons}<p>{more}</p></form>'
