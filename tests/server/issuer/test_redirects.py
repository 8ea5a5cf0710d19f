"""Which addresses a client may name, and which of them a request means."""

import pytest

from wand_server.issuer import redirects

SCHEMES = ("cursor",)
GOOD = (
    "https://app.example/callback",
    "https://app.example:8443/callback?tenant=1",
    "http://127.0.0.1:1234/callback",
    "http://localhost/callback",
    "http://[::1]:9/",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "com.example.app:/oauth",
)
BAD = (
    "",
    "callback",
    "http://app.example/callback",
    "http://127.0.0.1.evil.example/",
    "http://127.0.0.1:99999999/",
    "http://localhost@evil.example/",
    "http://127.0.0.2/callback",
    "https://app.example/callback#fragment",
    "https://user@app.example/",
    "https://user:word@app.example/",
    "https://APP.example/callback",
    "https://app.example:port/",
    "https:///callback",
    "https:app.example",
    "https://[::1/",
    "https://[::1]/",
    "https://app.exämple/",
    "https://app.example/a b",
    "https://app.example/\r\nSet-Cookie: a=b",
    "https://app.example\\@evil.example/",
    "https://app.example/?code=1",
    "https://app.example/?iss=https://evil.example",
    "https://app.example/" + "a" * 2000,
    "javascript:alert(1)",
    "data:text/html,hi",
    "file:///etc/passwd",
    "vscode://x/y",
    "com.example.app:",
    "cursor://user@host/",
)
SAME = (
    ("http://127.0.0.1/callback", "http://127.0.0.1:51234/callback", True),
    ("http://127.0.0.1:1/callback", "http://127.0.0.1/callback", True),
    ("http://[::1]:1/callback", "http://[::1]:2/callback", True),
    ("http://localhost:1/callback", "http://localhost:2/callback", True),
    ("http://localhost:1/callback", "http://127.0.0.1:1/callback", False),
    ("http://127.0.0.1:1/callback", "http://127.0.0.1:1/callback/", False),
    ("http://127.0.0.1:1/callback", "http://127.0.0.1:1/callback?a=b", False),
    ("http://127.0.0.1:1/callback", "http://127.0.0.1:70000/callback", False),
    ("http://127.0.0.1:1/callback", "https://127.0.0.1:1/callback", False),
    ("http://127.0.0.1:1/callback", "http://127.0.0.1:1@evil.example/callback", False),
    ("https://app.example/callback", "https://app.example/callback", True),
    ("https://app.example/callback", "https://app.example:443/callback", False),
    ("https://app.example/callback", "https://app.example/callback/../evil", False),
    ("https://app.example/callback", "https://app.example.evil.example/callback", False),
    ("cursor://a/b", "cursor://a/b", True),
    ("cursor://a/b", "cursor://a/c", False),
)


@pytest.mark.parametrize("uri", GOOD)
def test_a_client_may_be_answered_there(uri: str) -> None:
    assert redirects.wrong(uri, SCHEMES) == ""


@pytest.mark.parametrize("uri", BAD, ids=lambda uri: uri[:40])
def test_a_client_may_not_be_answered_there(uri: str) -> None:
    assert redirects.wrong(uri, SCHEMES)


@pytest.mark.parametrize(("registered", "asked", "same"), SAME)
def test_only_the_port_on_loopback_is_free(registered: str, asked: str, same: bool) -> None:  # noqa: FBT001
    assert redirects.matches([registered], asked) is same


def test_an_answer_keeps_the_query_that_was_there() -> None:
    assert (
        redirects.answer("https://a.example/?t=1", {"code": "c d", "state": None})
        == "https://a.example/?t=1&code=c+d"
    )


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://app.example:8443/callback?x=1", "https://app.example:8443"),
        ("http://127.0.0.1:7/callback", "http://127.0.0.1:7"),
        ("http://[::1]:7/callback", "http:"),
        ("cursor://anysphere/x", "cursor:"),
    ],
)
def test_a_form_may_lead_to_the_client_and_the_policy_says_so(uri: str, source: str) -> None:
    assert redirects.source(uri) == source
