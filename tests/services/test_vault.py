"""Vault's operations against a real OpenBao: what it says, not what a document says it would."""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from support.places import free_port
from support.servers import PROGRAMS, running
from support.services import FakeLedger, Notes
from wand_proto.errors import Denied, Invalid, NotFound, WandError
from wand_server.integrations import index
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.identity.vault import Vault
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.base import BaseIntegration
from wand_server.integrations.kit.secrets import Sources

BAO = PROGRAMS / "bao"
TOKEN = "root-token-of-a-test"
_START_SECONDS = 60

pytestmark = pytest.mark.skipif(not BAO.exists(), reason="OpenBao is not installed: ./dev services")


def asked(url: str, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the server answers its administrator."""
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"X-Vault-Token": TOKEN}, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return dict(json.loads(text)) if text else {}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = f"http://127.0.0.1:{free_port()}"
    words = [str(BAO), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={TOKEN}"]
    words.append(f"-dev-listen-address={address.removeprefix('http://')}")
    with running(words, f"{address}/v1/sys/health", tmp_path_factory.mktemp("bao")):
        until_mounted(address)
        asked(address, "POST", "/v1/sys/mounts/transit", {"type": "transit"})
        asked(address, "POST", "/v1/sys/auth/approle", {"type": "approle"})
        asked(address, "POST", "/v1/transit/keys/app", {})
        policy = 'path "secret/data/apps/*" { capabilities = ["read"] }'
        asked(address, "PUT", "/v1/sys/policies/acl/reads", {"policy": policy})
        asked(address, "POST", "/v1/auth/approle/role/agent", {"token_policies": "reads", "token_ttl": "10m"})
        yield address


def until_mounted(address: str) -> None:
    """Wait until the store is there that such a server makes by itself."""
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up:
        try:
            asked(address, "GET", "/v1/secret/config", {})
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("OpenBao has no store")


@pytest.fixture
async def vault(url: str) -> AsyncIterator[Vault]:
    service = Vault(Vault.Config(base_url=url, token=SecretStr(TOKEN)))
    await service.initialize()
    yield service
    await service.cleanup()


async def test_a_secret_is_written_read_listed_and_deleted(vault: Vault) -> None:
    written = await vault.execute("write_secret", {"path": "apps/web", "data": {"user": "ann", "n": 1}})
    assert written["version"] == 1
    read = await vault.execute("read_secret", {"path": "apps/web"})
    assert read["data"] == {"user": "ann", "n": 1}
    assert (await vault.execute("list_secrets", {"path": "apps"})) == {"keys": ["web"]}
    with pytest.raises(Invalid, match="check-and-set"):
        await vault.execute("write_secret", {"path": "apps/web", "data": {}, "expected_version": 0})
    again = await vault.execute("write_secret", {"path": "apps/web", "data": {"n": 2}, "expected_version": 1})
    assert again["version"] == 2
    assert (await vault.execute("read_secret", {"path": "apps/web", "version": 1}))["data"]["n"] == 1
    about = await vault.execute("get_secret_metadata", {"path": "apps/web"})
    assert (about["current_version"], sorted(about["versions"])) == (2, ["1", "2"])
    await vault.execute("delete_secret", {"path": "apps/web"})
    with pytest.raises(NotFound):
        await vault.execute("read_secret", {"path": "apps/web"})


async def test_a_text_is_encrypted_and_decrypted(vault: Vault) -> None:
    hidden = await vault.execute("encrypt_data", {"key": "app", "text": "Grüße"})
    assert hidden["ciphertext"].startswith("vault:v1:")
    assert await vault.execute("decrypt_data", {"key": "app", "ciphertext": hidden["ciphertext"]}) == {
        "plaintext": "Grüße"
    }


async def test_a_role_logs_in_anew_and_its_token_stays_here(url: str) -> None:
    role = asked(url, "GET", "/v1/auth/approle/role/agent/role-id", {})["data"]["role_id"]
    pin = asked(url, "POST", "/v1/auth/approle/role/agent/secret-id", {})["data"]["secret_id"]
    service = Vault(Vault.Config(base_url=url, role_id=role, secret_id=SecretStr(pin)))
    await service.initialize()
    try:
        about = await service.execute("login_approle", {})
        assert "reads" in about["policies"]
        assert "id" not in about
    finally:
        await service.cleanup()


async def test_a_token_has_no_role_to_log_in_by(vault: Vault) -> None:
    with pytest.raises(Invalid, match="by a token, not by an AppRole"):
        await vault.execute("login_approle", {})


async def test_it_says_how_it_is_and_who_we_are(vault: Vault) -> None:
    assert (await vault.execute("get_health", {}))["sealed"] is False
    assert (await vault.execute("seal_status", {}))["sealed"] is False
    assert "root" in (await vault.execute("lookup_token", {}))["policies"]
    assert "secret/" in await vault.execute("list_mounts", {})
    await vault.health_check()


async def test_a_lease_that_is_over_is_over(vault: Vault) -> None:
    assert await vault.execute("revoke_lease", {"lease_id": "nowhere/1"}) is None


async def test_a_role_signs_in_and_may_do_what_its_policy_says(url: str, vault: Vault) -> None:
    await vault.execute("write_secret", {"path": "apps/api", "data": {"k": "v"}})
    role = asked(url, "GET", "/v1/auth/approle/role/agent/role-id", {})["data"]["role_id"]
    secret = asked(url, "POST", "/v1/auth/approle/role/agent/secret-id", {})["data"]["secret_id"]
    agent = Vault(Vault.Config(base_url=url, role_id=role, secret_id=SecretStr(secret)))
    try:
        reads = (agent.execute("read_secret", {"path": "apps/api"}) for _ in range(5))
        assert all(one["data"] == {"k": "v"} for one in await asyncio.gather(*reads))
        assert (await agent.execute("renew_token", {"increment": 60}))["renewable"] is True
        with pytest.raises(Denied, match="permission denied"):
            await agent.execute("write_secret", {"path": "apps/api", "data": {}})
    finally:
        await agent.cleanup()


class Both(Catalog):
    """Vault, and a service of notes whose secret is in it."""

    known: Mapping[str, index.Known] = {"vault": index.known(Vault), "notes": index.known(Notes)}
    manifests: Mapping[str, Any] = {}

    def load(self, service: str) -> type[BaseIntegration]:
        return Vault if service == "vault" else Notes


@pytest.mark.parametrize(
    ("reference", "vaults", "said"),
    [
        ("vault:secret/apps/notes#token", ["vault"], ""),
        ("vault:secret/apps/notes#token", ["vault:other"], ""),
        ("vault:secret/apps/notes#none", ["vault"], "integrations.notes.token: there is nothing in vault:"),
        ("vault:secret/nowhere#token", ["vault"], "integrations.notes.token: vault: answers with 404"),
        ("vault:secret/apps/notes#token", [], "there is no Vault, or more than one"),
        ("vault:secret/apps/notes#token", ["vault:a", "vault:b"], "there is no Vault, or more than one"),
    ],
)
async def test_secrets_of_other_services_can_be_in_it(
    vault: Vault, reference: str, vaults: list[str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = vault.http.base_url
    await vault.execute("write_secret", {"path": "apps/notes", "data": {"token": "t0ken-of-n0tes"}})
    instances = Instances(Both(), FakeLedger(), lambda: "a1", Sources({"VAULT": TOKEN}))
    async with serving(Says(body={"notes": []})) as service:
        tables = {name: {"base_url": url, "token": "env:VAULT", "deny": ["*"]} for name in vaults}
        instances.configure({**tables, "notes": {"base_url": service.url, "token": reference}})
        try:
            if said:
                with pytest.raises(WandError, match=said):
                    await instances.health("notes")
                return
            await instances.health("notes")
            assert service.asked[0].headers["authorization"] == "Bearer t0ken-of-n0tes"
            assert "t0ken" not in caplog.text
        finally:
            await instances.close()


async def test_its_own_secret_is_not_in_it(url: str) -> None:
    instances = Instances(Both(), FakeLedger(), lambda: "a1")
    instances.configure({"vault": {"base_url": url, "token": "vault:secret/apps/vault#token"}})
    with pytest.raises(
        Invalid, match=r"integrations\.vault\.token: the secret of a Vault cannot be in a Vault"
    ):
        await instances.health("vault")


@pytest.mark.parametrize(
    ("token", "name", "given", "kind"),
    [
        ("wrong-token-of-a-test", "read_secret", {"path": "apps/web"}, Denied),
        (TOKEN, "read_secret", {"path": "nowhere"}, NotFound),
        (TOKEN, "decrypt_data", {"key": "app", "ciphertext": "vault:v1:AAAA"}, Invalid),
    ],
)
async def test_what_is_refused_is_told(
    url: str, token: str, name: str, given: dict[str, Any], kind: type[WandError]
) -> None:
    service = Vault(Vault.Config(base_url=url, token=SecretStr(token)))
    try:
        with pytest.raises(kind) as caught:
            await service.execute(name, given)
        assert token not in str(caught.value)
    finally:
        await service.cleanup()
