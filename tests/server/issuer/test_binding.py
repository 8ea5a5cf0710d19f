"""Tokens that a client has bound to a key of its own (DPoP, RFC 9449)."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from support.issuers import ec_key, jwk_of
from support.issuing import CALLBACK, VERIFIER, Place, issuing
from wand_server import entrance
from wand_server.auth import dpop, jwk

KEY, OTHER = ec_key(), ec_key()


def proof(place: Place, key: EllipticCurvePrivateKey, **more: str) -> str:
    claims = {
        **more,
        "htm": "POST",
        "htu": f"{place.origin}/oauth/token",
        "iat": time.time(),
        "jti": str(time.monotonic()),
    }
    return jwt.encode(claims, key, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk_of(key)})


async def ask(place: Place, brought: str, **fields: str) -> tuple[int, dict[str, Any]]:
    headers = {"DPoP": brought} if brought else {}
    async with place.browser.post(f"{place.origin}/oauth/token", data=fields, headers=headers) as answer:
        return answer.status, dict(await answer.json())


async def bound(place: Place) -> tuple[str, dict[str, Any]]:
    """A client's id, and tokens that are bound to KEY."""
    client_id = (await place.register())["client_id"]
    told = {"grant_type": "authorization_code", "client_id": client_id, "redirect_uri": CALLBACK}
    told |= {"code": await place.code(client_id), "code_verifier": VERIFIER}
    status, tokens = await ask(place, proof(place, KEY), **told)
    assert status == 200, tokens
    return client_id, tokens


async def test_a_token_names_the_key_that_was_proven(tmp_path: Path) -> None:
    async with issuing(tmp_path, prover=entrance.prover) as place:
        _, tokens = await bound(place)
        read = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert tokens["token_type"] == "DPoP"
    assert read["cnf"] == {"jkt": jwk.thumbprint(jwk_of(KEY))}


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), (OTHER, 400), (None, 400)])
async def test_a_code_that_was_asked_for_with_a_key_is_redeemed_with_that_one(
    key: EllipticCurvePrivateKey | None, status: int, tmp_path: Path
) -> None:
    async with issuing(tmp_path, prover=entrance.prover) as place:
        client_id = (await place.register())["client_id"]
        code = await place.code(client_id, dpop_jkt=jwk.thumbprint(jwk_of(KEY)))
        told = {"grant_type": "authorization_code", "client_id": client_id, "redirect_uri": CALLBACK}
        told |= {"code": code, "code_verifier": VERIFIER}
        answer = await ask(place, proof(place, key) if key else "", **told)
    assert answer[0] == status, answer


async def test_a_bound_refresh_token_is_of_no_use_without_the_key_and_is_not_used_up(tmp_path: Path) -> None:
    async with issuing(tmp_path, prover=entrance.prover) as place:
        client_id, tokens = await bound(place)
        told = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "refresh_token": tokens["refresh_token"],
        }
        for brought in ("", proof(place, OTHER)):
            assert (await ask(place, brought, **told))[1]["error"] == "invalid_grant"
        status, again = await ask(place, proof(place, KEY), **told)
        assert (status, again["token_type"]) == (200, "DPoP")
        for brought in ("", proof(place, OTHER)):  # nor in the leeway
            assert (await ask(place, brought, **told))[1]["error"] == "invalid_grant"
        assert (await ask(place, proof(place, KEY), **told))[0] == 200


@pytest.mark.parametrize("brought", ["x", "a.b.c"])
async def test_a_proof_that_is_none_is_refused(brought: str, tmp_path: Path) -> None:
    async with issuing(tmp_path, prover=entrance.prover) as place:
        client_id = (await place.register())["client_id"]
        told = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": "wrt_x"}
        status, answer = await ask(place, brought, **told)
    assert (status, answer["error"]) == (400, "invalid_dpop_proof")


async def test_a_proof_without_a_nonce_is_answered_with_the_one_to_use(tmp_path: Path) -> None:
    nonces = dpop.Nonces()
    async with issuing(tmp_path, prover=partial(entrance.prover, nonces=nonces)) as place:
        client_id = (await place.register())["client_id"]
        told = {"grant_type": "authorization_code", "client_id": client_id, "redirect_uri": CALLBACK}
        told |= {"code": await place.code(client_id), "code_verifier": VERIFIER}
        url, headers = f"{place.origin}/oauth/token", {"DPoP": proof(place, KEY)}
        async with place.browser.post(url, data=told, headers=headers) as answer:
            said = (answer.status, (await answer.json())["error"])
            nonce = answer.headers["DPoP-Nonce"]
        status, tokens = await ask(place, proof(place, KEY, nonce=nonce), **told)  # the code is not used up
    assert said == (400, "use_dpop_nonce")
    assert (status, tokens["token_type"]) == (200, "DPoP")
