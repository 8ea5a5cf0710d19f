"""How one signs in to Google's services: the same for all of them, but for the scope."""

from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from wand_server.integrations.kit.assertion import ServiceAccount
from wand_server.integrations.kit.base import Integration
from wand_server.integrations.kit.oauth import OAuth2
from wand_server.integrations.kit.personal import Consent
from wand_server.integrations.kit.signin import Bearer, FirstOf, SignIn

_TOKENS = "https://oauth2.googleapis.com/token"
_SCOPES = "https://www.googleapis.com/auth/"


class GoogleConfig(Integration.Config):
    """A service account, a person's refresh token, an access token for an hour, or each person's own."""

    service_account: SecretStr | None = Field(default=None, description="the JSON file of its key, whole")
    subject: str = Field(
        default="", description="for whom the service account acts, by domain-wide delegation"
    )
    client_id: str = Field(default="", description="of the OAuth client, by which each person signs in")
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None
    access_token: SecretStr | None = Field(default=None, description="lasts an hour: to try it")


def upload_url(base_url: str, path: str) -> str:
    """Where content goes that belongs to a path of an API."""
    base = urlsplit(base_url)
    return f"{base.scheme}://{base.netloc}/upload{base.path.rstrip('/')}{path}"


def _by_people(scope: str) -> Consent:
    """A refresh token comes only with those two, and with `prompt` each time."""
    return Consent(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url=_TOKENS,
        scope=scope,
        more={"access_type": "offline", "prompt": "consent"},
    )


def google(scope: str) -> SignIn:
    """The sign-in for a scope, such as `drive`."""
    return FirstOf(
        (
            (("service_account",), ServiceAccount(scope=_SCOPES + scope)),
            (("refresh_token", "client_id"), OAuth2(token_url=_TOKENS, grant="refresh_token")),
            (("access_token",), Bearer("access_token")),
            (("client_id", "client_secret"), _by_people(_SCOPES + scope)),
        )
    )
