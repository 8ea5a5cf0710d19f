"""The whole way: a client registers, a person signs in and says yes, tokens come, are renewed, and end."""

import asyncio
import base64
import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from support.issuing import ANN, CALLBACK, Place, issuing, with_url
from wand_server import scopes
from wand_server.issuer.grants import LEEWAY_SECONDS
from wand_server.issuer.service import DATABASE, Options
from wand_server.issuer.store import Store

EVERYDAY = "wand:read wand:write wand:execute"


async def grant(place: Place, **more: str | None) -> tuple[str, dict[str, str]]:
    """A client's id, and its first tokens."""
    client_id = (await place.register())["client_id"]
    status, tokens = await place.redeem(client_id, await place.code(client_id, **more))
    assert status == 200, tokens
    return client_id, tokens


async def test_a_person_lets_a_client_in_and_its_token_says_so(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, tokens = await grant(place)
        assert tokens["token_type"] == "Bearer"
        assert tokens["scope"] == EVERYDAY
        header = jwt.get_unverified_header(tokens["access_token"])
        assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
        key = place.issuer.verifying_key(header["kid"])
        assert key is not None
        read = jwt.decode(
            tokens["access_token"],
            key,
            algorithms=["ES256"],
            audience=f"{place.origin}/mcp",
            issuer=place.origin,
        )
        assert (read["sub"], read["client_id"], read["scope"]) == (ANN, client_id, EVERYDAY)
        assert read["groups"] == ["developers"]
        assert 0 < read["exp"] - read["iat"] <= 900
        async with place.browser.get(f"{place.origin}/oauth/jwks.json") as answer:
            published = jwt.PyJWKSet.from_dict(await answer.json())
        assert published[header["kid"]].algorithm_name == "ES256"


async def test_the_answer_brings_state_and_issuer(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register())["client_id"]
        told = (await place.consent(place.query(client_id))).told
        assert (told["state"], told["iss"]) == ("s 1", place.origin)


async def test_a_person_can_give_less_than_was_asked_for(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register())["client_id"]
        answer = await place.consent(place.query(client_id), scope=["wand:read", "wand:admin"])
        _, tokens = await place.redeem(client_id, answer.told["code"])
        assert tokens["scope"] == "wand:read"


@pytest.mark.parametrize("fields", [{"step": "refuse"}, {"step": ""}, {"scope": []}])
async def test_a_person_can_say_no(fields: dict[str, str], tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register())["client_id"]
        told = (await place.consent(place.query(client_id), **fields)).told
        assert told["error"] == "access_denied"
        assert (told["state"], told["iss"]) == ("s 1", place.origin)
        assert "code" not in told


async def test_only_named_groups_can_give_away_what_administers(tmp_path: Path) -> None:
    asked = {"scope": f"{scopes.READ} {scopes.ADMIN} wand:tool:run_it"}
    for groups, offered in ([], [scopes.READ, "wand:tool:run_it"]), (["developers"], asked["scope"].split()):
        folder = tmp_path / str(len(groups))
        async with issuing(folder, lambda one: replace(one, admin_groups=frozenset(groups))) as place:  # noqa: B023
            query = place.query((await place.register())["client_id"], **asked)
            assert (await place.sign_in(query)).scopes == offered


async def test_who_leaves_those_groups_takes_it_from_what_was_given(tmp_path: Path) -> None:
    def with_admins(options: Options) -> Options:
        return replace(options, admin_groups=frozenset({"developers"}))

    async with issuing(tmp_path, with_admins) as place:
        client_id = (await place.register())["client_id"]
        _, tokens = await place.redeem(client_id, await place.code(client_id, scope="wand:read wand:admin"))
        assert tokens["scope"] == "wand:read wand:admin"
        async with Store(tmp_path / DATABASE) as store, store.changing():
            await store.run("UPDATE user SET groups = ''")

        _, tokens = await place.refresh(client_id, tokens["refresh_token"])

        assert tokens["scope"] == "wand:read"


async def test_a_code_is_good_once_and_its_second_use_ends_the_grant(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register())["client_id"]
        code = await place.code(client_id)
        _, tokens = await place.redeem(client_id, code)
        assert (await place.redeem(client_id, code))[1]["error"] == "invalid_grant"
        assert (await place.refresh(client_id, tokens["refresh_token"]))[1]["error"] == "invalid_grant"
        assert await place.issuer.is_over(place.jti(tokens))


async def test_a_refresh_token_is_replaced_and_its_use_after_the_leeway_ends_the_grant(
    tmp_path: Path,
) -> None:
    now = [time.time()]
    async with issuing(tmp_path, clock=lambda: now[0]) as place:
        client_id, first = await grant(place)
        status, second = await place.refresh(client_id, first["refresh_token"])
        assert status == 200
        assert second["refresh_token"] != first["refresh_token"]
        assert not await place.issuer.is_over(place.jti(second))
        now[0] += LEEWAY_SECONDS + 1
        status, refusal = await place.refresh(client_id, first["refresh_token"])
        told = "the refresh token was used before; the person has to sign in again"
        assert place.refused == [("127.0.0.1", told)]
        assert (status, refusal["error"]) == (400, "invalid_grant")
        assert (await place.refresh(client_id, second["refresh_token"]))[1]["error"] == "invalid_grant"
        assert await place.issuer.is_over(place.jti(second))


async def test_refresh_tokens_hold_for_their_days_and_no_longer_than_the_grant(tmp_path: Path) -> None:
    now = [time.time()]
    async with issuing(tmp_path, clock=lambda: now[0]) as place:  # a day unused, ten days in all
        client_id, tokens = await grant(place)
        for _ in range(10):
            now[0] += 86_000
            status, tokens = await place.refresh(client_id, tokens["refresh_token"])
            assert (status, tokens.get("error")) == (200, None)
        now[0] += 5_000
        _, refusal = await place.refresh(client_id, tokens["refresh_token"])
        assert refusal["error_description"] == "the refresh token has expired"


async def test_many_at_once_with_one_refresh_token_all_get_tokens_that_work(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, first = await grant(place)
        answers = await asyncio.gather(*(place.refresh(client_id, first["refresh_token"]) for _ in range(8)))
        assert [status for status, _ in answers] == [200] * 8
        assert len({tokens["refresh_token"] for _, tokens in answers}) == 8
        for _, tokens in answers:
            assert not await place.issuer.is_over(place.jti(tokens))
        kept = answers[3][1]["refresh_token"]  # what the client's processes agreed on
        assert (await place.refresh(client_id, kept))[0] == 200
        assert place.refused == []


async def test_a_successor_of_the_leeway_does_not_outlive_the_use_of_its_sibling(tmp_path: Path) -> None:
    now = [time.time()]
    async with issuing(tmp_path, clock=lambda: now[0]) as place:
        client_id, first = await grant(place)
        _, owner = await place.refresh(client_id, first["refresh_token"])
        _, thief = await place.refresh(client_id, first["refresh_token"])
        now[0] += 600
        _, later = await place.refresh(client_id, owner["refresh_token"])
        now[0] += 600
        assert (await place.refresh(client_id, thief["refresh_token"]))[1]["error"] == "invalid_grant"
        assert await place.issuer.is_over(place.jti(later))


async def test_a_refresh_token_of_an_older_generation_ends_the_grant_at_once(tmp_path: Path) -> None:
    now = time.time()
    async with issuing(tmp_path, clock=lambda: now) as place:  # all within one second
        client_id, first = await grant(place)
        _, second = await place.refresh(client_id, first["refresh_token"])
        _, third = await place.refresh(client_id, second["refresh_token"])
        assert (await place.refresh(client_id, first["refresh_token"]))[1]["error"] == "invalid_grant"
        assert len(place.refused) == 1
        assert await place.issuer.is_over(place.jti(third))


async def test_a_grant_that_is_refreshed_too_often_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wand_server.issuer.grants.MOST_REFRESH_TOKENS", 3)
    async with issuing(tmp_path) as place:
        client_id, tokens = await grant(place)
        for status in (200, 200, 400):
            last = tokens
            got, tokens = await place.refresh(client_id, tokens["refresh_token"])
            assert got == status, tokens

        assert "too often" in tokens["error_description"]
        assert await place.issuer.is_over(place.jti(last))


async def test_the_leeway_is_not_for_another_client(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, first = await grant(place)
        stranger = (await place.register())["client_id"]
        _, second = await place.refresh(client_id, first["refresh_token"])
        assert (await place.refresh(stranger, first["refresh_token"]))[1]["error"] == "invalid_grant"
        assert await place.issuer.is_over(place.jti(second))


async def test_the_leeway_holds_over_a_restart(tmp_path: Path) -> None:
    now = [time.time()]
    async with issuing(tmp_path, clock=lambda: now[0]) as place:
        client_id, first = await grant(place)
        await place.refresh(client_id, first["refresh_token"])  # and the answer is lost
    (tmp_path / "more").mkdir()
    async with issuing(
        tmp_path / "more", lambda one: replace(one, folder=tmp_path), clock=lambda: now[0]
    ) as again:
        assert (await again.refresh(client_id, first["refresh_token"]))[0] == 200
        now[0] += LEEWAY_SECONDS + 1
        assert (await again.refresh(client_id, first["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_a_refreshed_token_can_have_fewer_scopes_and_never_more(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, first = await grant(place, scope="wand:read wand:write")
        more = await place.refresh(client_id, first["refresh_token"], scope="wand:execute")
        assert more[1]["error"] == "invalid_scope"
        _, less = await place.refresh(client_id, first["refresh_token"], scope="wand:read")
        assert less["scope"] == "wand:read"
        _, again = await place.refresh(client_id, less["refresh_token"])
        assert again["scope"] == "wand:read wand:write"


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_a_client_ends_its_grant_by_either_token(which: str, tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, tokens = await grant(place)
        stranger = (await place.register())["client_id"]
        for who, over in (stranger, False), (client_id, True):
            told = {"token": tokens[which], "client_id": who}
            async with place.browser.post(f"{place.origin}/oauth/revoke", data=told) as answer:
                assert answer.status == 200
            assert await place.issuer.is_over(place.jti(tokens)) is over


async def test_tokens_and_keys_are_still_good_after_a_restart(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id, tokens = await grant(place)
        kid = jwt.get_unverified_header(tokens["access_token"])["kid"]
    (tmp_path / "more").mkdir()
    async with issuing(tmp_path / "more", lambda one: replace(one, folder=tmp_path)) as again:
        assert again.issuer.verifying_key(kid) is not None
        status, _ = await again.refresh(client_id, tokens["refresh_token"])
        assert status == 200


async def test_nothing_that_lets_in_is_written_down(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        secret = (await place.register(token_endpoint_auth_method="client_secret_basic"))["client_secret"]
        _, tokens = await grant(place)
        cookies = [one.value for one in place.browser.cookie_jar]
    files = files_below(tmp_path)
    written = b"".join(content for name, _, content in files if name.startswith("issuer.db"))
    for one in (secret, tokens["refresh_token"], tokens["access_token"], *cookies):
        assert one.encode() not in written
    assert not [name for name, mode, _ in files if mode & 0o077]


async def test_a_client_with_a_secret_has_to_show_it(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client = await place.register(token_endpoint_auth_method="client_secret_basic")
        status, refusal = await place.redeem(client["client_id"], "wac_x")
        assert (status, refusal["error"]) == (401, "invalid_client")
        code = await place.code(client["client_id"])
        shown = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()
        told = {"grant_type": "authorization_code", "code": code, "code_verifier": "v" * 43}
        told["redirect_uri"] = CALLBACK
        headers = {"Authorization": f"Basic {shown}"}
        async with place.browser.post(f"{place.origin}/oauth/token", data=told, headers=headers) as answer:
            assert answer.status == 200


async def test_whoever_registers_many_clients_has_to_wait(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        told = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        answers: list[int] = []
        for _ in range(22):
            async with place.browser.post(f"{place.origin}/oauth/register", json=told) as answer:
                answers.append(answer.status)
        assert answers == [201] * 20 + [429] * 2


async def test_metadata_stands_where_the_issuer_s_path_says(tmp_path: Path) -> None:
    async with issuing(tmp_path, with_url("/tenant")) as place:
        where = f"{place.origin}/.well-known/oauth-authorization-server/tenant"
        async with place.browser.get(where) as answer:
            read = await answer.json()
        assert (answer.headers["Cache-Control"], "Pragma" in answer.headers) == ("public, max-age=300", False)
        assert read["issuer"] == f"{place.origin}/tenant"
        assert read["code_challenge_methods_supported"] == ["S256"]
        assert read["client_id_metadata_document_supported"] is True
        async with place.browser.get(where.removesuffix("/tenant")) as answer:
            assert answer.status == 404


async def test_no_document_is_fetched_where_that_is_off(tmp_path: Path) -> None:
    async with issuing(tmp_path, lambda one: replace(one, documents=False)) as place:
        assert place.issuer.metadata()["client_id_metadata_document_supported"] is False
        page = await place.get(place.query("https://client.example/wand.json"))
        assert (page.status, "no client has that client_id here" in page.text) == (400, True)


async def test_nobody_registers_where_that_is_off(tmp_path: Path) -> None:
    async with issuing(tmp_path, lambda one: replace(one, registration=False)) as place:
        async with place.browser.post(f"{place.origin}/oauth/register", json={}) as answer:
            assert answer.status == 404
        assert "registration_endpoint" not in place.issuer.metadata()


async def test_who_registered_is_refused_when_that_is_switched_off(tmp_path: Path) -> None:
    async with issuing(tmp_path) as place:
        client_id = (await place.register())["client_id"]
        tokens = (await place.redeem(client_id, await place.code(client_id)))[1]
    async with issuing(tmp_path, lambda one: replace(one, registration=False)) as place:
        page = await place.get(place.query(client_id))
        assert (page.status, "registration is off" in page.text) == (400, True)
        status, said = await place.refresh(client_id, tokens["refresh_token"])
        assert (status, said["error"]) == (401, "invalid_client")


def files_below(folder: Path) -> list[tuple[str, int, bytes]]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [(path.name, path.stat().st_mode, path.read_bytes()) for path in files]
