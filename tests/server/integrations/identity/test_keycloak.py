"""Keycloak: a realm stands before every path, and who was created is told by a header."""

import json

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.identity.keycloak import Keycloak

TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 60}


async def asked(answer: Says, operation: str, **given: object) -> tuple[object, list[Asked]]:
    """What an operation gives back of that answer, and the requests."""
    async with serving(Says(body=TOKEN), answer) as service:
        config = Keycloak.Config(
            base_url=service.url, realm="my people", client_id="wand", client_secret=SecretStr("s")
        )
        keycloak = Keycloak(config)
        try:
            return await keycloak.execute(operation, given), service.asked
        finally:
            await keycloak.cleanup()


async def test_a_user_is_created_in_the_realm() -> None:
    where = "https://sso.example/admin/realms/my%20people/users/7"
    told, (token, request) = await asked(
        Says(status=201, headers={"Location": where}), "create_user", username="ann", first_name="Ann"
    )
    assert token.path == "/realms/my%20people/protocol/openid-connect/token"
    assert request.path == "/admin/realms/my%20people/users"
    assert json.loads(request.body) == {"username": "ann", "firstName": "Ann", "enabled": True}
    assert told == {"location": where}


async def test_a_password_is_temporary_unless_that_is_said() -> None:
    _, (_, request) = await asked(Says(status=204), "reset_password", user="7", password="new")
    assert json.loads(request.body) == {"type": "password", "value": "new", "temporary": True}
