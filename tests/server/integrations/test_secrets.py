"""Secrets come from where the settings say, and leave in no form at all."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from wand_proto.errors import Invalid, NotFound
from wand_server.integrations.kit.secrets import Sources, Strike, in_vault

SECRET = 'kV3$x/ü"s3cr3t+pl'


def test_a_reference_is_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    sources = Sources({"KEY": SECRET, "CREDENTIALS_DIRECTORY": str(tmp_path)})
    for reference in ("env:KEY", f"file:{tmp_path}/key", "cred:key"):
        assert sources.read(reference, "slack.token") == SECRET


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        (SECRET, Invalid), ("", Invalid), ("env:", Invalid), ("vualt:x", Invalid),
        ("env:NONE", NotFound), ("file:/nowhere", NotFound), ("cred:none", NotFound),
        ("cred:../key", NotFound),
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused_and_not_repeated(reference: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        Sources({}).read(reference, "slack.token")
    assert "slack.token" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("reference", ["vault:", "vault:a", "vault:a/b", "vault:a/b#", "vault:/b#c"])
def test_a_reference_into_a_vault_says_where(reference: str) -> None:
    assert in_vault("vault:secret/apps/slack#token", "x") == ("secret", "apps/slack", "token")
    with pytest.raises(Invalid, match=r"slack\.token: must be as vault:MOUNT/PATH#FIELD"):
        in_vault(reference, "slack.token")


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "z", "yz"])
def test_a_secret_is_struck_out_in_every_form(before: str, after: str) -> None:
    strike = Strike([SECRET])
    whole = f"{before}{SECRET}{after}".encode()
    core = SECRET.encode()
    for text in (
        whole.decode(), core.hex(), core.hex().upper(), quote(SECRET, safe=""), repr({"a": SECRET}),
        base64.b64encode(whole).decode(), base64.urlsafe_b64encode(whole).decode(),
    ):  # fmt: skip
        assert "[secret]" in strike.out_of(f"<{text}>")


def test_of_tokens_those_are_struck_out_that_were_used_last() -> None:
    strike = Strike()
    strike.add("token-that-is-used")
    for number in range(300):
        strike.add(f"token-number-{number:03}")
        strike.add("token-that-is-used")
    assert strike.out_of("token-that-is-used token-number-299") == "[secret] [secret]"
    assert strike.out_of("token-number-000") == "token-number-000"


def test_values_and_names_of_members_are_struck_out_too() -> None:
    struck = Strike(["abcdefgh"]).out_of_value({"abcdefgh": ["x abcdefgh", 1, None, {"k": "abcdefgh"}]})
    assert struck == {"[secret]": ["x [secret]", 1, None, {"k": "[secret]"}]}


def test_of_tokens_that_were_fetched_the_last_are_struck_out() -> None:
    strike = Strike(["the-first"])
    for number in range(300):
        strike.add(f"token-{number:03}")
    assert strike.out_of("the-first token-299 token-000") == "[secret] [secret] token-000"
    assert strike.out_of_value(["token-299", "ü"]) == ["[secret]", "ü"]
