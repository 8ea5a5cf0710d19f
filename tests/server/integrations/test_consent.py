"""Links are used once, by those who asked, in time; accounts are kept so that nobody else can read them."""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from wand_proto.errors import Broken, Denied, Invalid, WandError
from wand_server.integrations.accounts import AccountsFile
from wand_server.integrations.kit.consent import Account, Asking, Consents, InMemory

ANN, BOB = ("api_key", "ann", ""), ("api_key", "bob", "")
KEY = "k" * 32
ACCOUNT = {"access_token": "a-token-of-ann", "until": 1.0}


class Given:
    """Links of a clock of ours, and what was exchanged."""

    def __init__(self) -> None:
        self.now = 0.0
        self.exchanged: list[tuple[str, str, str]] = []
        self.consents = Consents("https://wand.example/back", InMemory(), lambda: self.now)

    async def exchange(self, code: str, verifier: str, came_to: str) -> Account:
        self.exchanged.append((code, verifier, came_to))
        if code == "bad":
            raise Denied("no")
        if code == "broken":
            raise Broken("no JSON")
        return ACCOUNT

    def ask(self, issuer: str = "") -> dict[str, str]:
        asking = Asking(
            url="https://a.example/x?y=1", query={"a": "b"}, issuer=issuer, exchange=self.exchange
        )
        return dict(parse_qsl(urlsplit(self.consents.link("who", ANN, asking)).query))


async def test_a_code_is_exchanged_with_the_verifier_of_its_link() -> None:
    given = Given()
    query = given.ask()
    instance, person, code = await given.consents.came_back({"state": query["state"], "code": "c"})
    assert (instance, person, len(code)) == ("who", ANN, 10)
    ((sent, verifier, came_to),) = given.exchanged
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert (sent, came_to) == ("c", query["redirect_uri"])
    assert (query["code_challenge"], query["y"], query["a"]) == (challenge, "1", "b")
    with pytest.raises(Invalid):
        given.consents.finish("who", BOB, code)
    given.consents.finish("who", ANN, code)
    assert given.consents.accounts.get("who", ANN) == ACCOUNT
    with pytest.raises(Invalid):
        given.consents.finish("who", ANN, code)


@pytest.mark.parametrize(
    ("brought", "after", "kind"),
    [
        ({"state": "other", "code": "c"}, 0.0, Invalid),
        ({"code": "c"}, 0.0, Invalid),
        ({"code": "c", "state": ""}, 601.0, Invalid),
        ({"error": "access_denied", "state": ""}, 0.0, Denied),
        ({"code": "bad", "state": "", "iss": "https://a.example"}, 0.0, Denied),
        ({"code": "c", "state": "", "iss": "https://evil.example"}, 0.0, Denied),
        ({"code": "c", "state": ""}, 0.0, Denied),  # it does not say who answers
        ({"code": "broken", "state": "", "iss": "https://a.example"}, 0.0, Broken),
    ],
)
async def test_what_comes_back_otherwise_is_refused(
    brought: dict[str, str], after: float, kind: type[WandError]
) -> None:
    given = Given()
    state = given.ask("https://a.example")["state"]
    given.now += after
    untrusted = {**brought, "state": brought.get("state", "none") or state}
    with pytest.raises(kind):
        await given.consents.came_back(untrusted)
    with pytest.raises(Invalid):  # and what came cannot be brought again
        await given.consents.came_back(
            {"state": state, "code": "c"} if "state" in brought and brought["state"] == "" else {}
        )
    assert given.consents.accounts.get("who", ANN) is None


def test_nobody_is_asked_who_cannot_be_told_from_others() -> None:
    given = Given()
    asking = Asking(url="https://a.example/x", query={}, exchange=given.exchange)
    with pytest.raises(Denied, match="those who have signed in"):
        given.consents.link("who", ("anonymous", "", ""), asking)
    with pytest.raises(Denied, match="no address is set"):
        Consents("", InMemory()).link("who", ANN, asking)


def test_accounts_outlive_the_server_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    first = AccountsFile(path, KEY)
    first.put("who", ANN, ACCOUNT)
    first.put("who", BOB, {"access_token": "b"})
    assert first.remove("who", BOB)
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"token" not in path.read_bytes()
    assert b"ann" not in path.read_bytes()
    assert AccountsFile(path, KEY).get("who", ANN) == ACCOUNT
    assert AccountsFile(path, KEY).get("who", BOB) is None
    assert AccountsFile(path, "x" * 32).get("who", ANN) is None


def test_what_another_process_keeps_is_seen_and_not_written_over(tmp_path: Path) -> None:
    server, agents = (AccountsFile(tmp_path / "accounts", KEY) for _ in range(2))
    server.put("who", ANN, ACCOUNT)
    assert agents.get("who", ANN) == ACCOUNT
    agents.put("who", BOB, {"access_token": "b"})
    server.put("who", ANN, {"access_token": "newer"})
    assert [agents.get("who", one) for one in (ANN, BOB)] == [
        {"access_token": "newer"},
        {"access_token": "b"},
    ]
    assert agents.remove("who", ANN)
    assert server.get("who", ANN) is None


def test_an_account_cannot_be_moved_to_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    kept = AccountsFile(path, KEY)
    kept.put("who", ANN, ACCOUNT)
    kept.put("who", BOB, {"access_token": "b"})
    first, second = json.loads(path.read_text()).items()
    path.write_text(json.dumps({first[0]: second[1], second[0]: first[1]}))
    assert [AccountsFile(path, KEY).get("who", one) for one in (ANN, BOB)] == [None, None]


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}'])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "accounts").write_text(text)
    with pytest.raises(Broken):
        AccountsFile(tmp_path / "accounts", KEY)
    with pytest.raises(Invalid, match="at least 32"):
        AccountsFile(tmp_path / "accounts", "short")
