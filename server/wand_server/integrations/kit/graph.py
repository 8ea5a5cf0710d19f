"""Microsoft Graph, which several services are parts of: where it is, how one signs in, how it pages."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr

from wand_server.integrations.kit.answers import Resource
from wand_server.integrations.kit.assertion import EntraApp
from wand_server.integrations.kit.oauth import OAuth2
from wand_server.integrations.kit.pace import Rate
from wand_server.integrations.kit.paging import Linked
from wand_server.integrations.kit.personal import Consent, Personal
from wand_server.integrations.kit.request import Sent
from wand_server.integrations.kit.signin import FirstOf, SignIn

PAGES = Linked(items="value", link="@odata.nextLink")
_SCOPE = "https://graph.microsoft.com/.default"
_AS_SOMEBODY = OAuth2(
    token_url="{authority}/{tenant}/oauth2/v2.0/token",  # noqa: S106 - no secret
    grant="refresh_token",
    scope=f"{_SCOPE} offline_access",
)
_AS_APPLICATION = EntraApp(scope=_SCOPE)
_BY_PEOPLE = Consent(
    authorize_url="{authority}/{tenant}/oauth2/v2.0/authorize",
    token_url="{authority}/{tenant}/oauth2/v2.0/token",  # noqa: S106 - an address
    scope=f"{_SCOPE} offline_access",
)


Body = Annotated[dict[str, Any], Sent(where="whole_body")]
"""A thing as Graph takes it."""


class Content(Resource):
    """What a message says."""

    content: str | None = None
    content_type: Annotated[Any, Field(alias="contentType")] = None


def content(text: str, **more: str) -> dict[str, str]:
    """The same for one that is sent."""
    return {"@odata.type": "#microsoft.graph.itemBody", "content": text, **more}


class Graph(Personal):
    """A part of Microsoft Graph, as an application, as a person who has let one in, or as each person."""

    class Config(Personal.Config):
        """Which directory, and who signs in."""

        tenant: str = Field(description="id or domain of the directory")
        client_id: str = Field(description="of the application that is registered there")
        client_secret: SecretStr | None = Field(default=None, description="of the application")
        certificate: SecretStr | None = Field(
            default=None, description="in place of client_secret: certificate and key, both in PEM"
        )
        refresh_token: SecretStr | None = Field(
            default=None, description="of a person: acts as that one, not as the application"
        )
        people: bool = Field(default=False, description="each person signs in for themselves, by a link")
        authority: str = Field(
            default="https://login.microsoftonline.com",
            description="where one signs in; other in national clouds",
        )

    base_url = "https://graph.microsoft.com/v1.0"
    sign_in: ClassVar[SignIn] = FirstOf(
        (
            (("people",), _BY_PEOPLE),
            (("refresh_token",), _AS_SOMEBODY),
            (("client_secret",), _AS_APPLICATION),
            (("certificate",), _AS_APPLICATION),
        )
    )
    rate = Rate(20)

    def link_to(self, path: str) -> str:
        """The address of a thing in Graph, by which others refer to it; a caller's text in it is quoted."""
        return f"{self.http.base_url}{path}"


def quoted(text: str) -> str:
    """A text in a filter of OData."""
    return "'" + text.replace("'", "''") + "'"


def all_of(*conditions: str) -> str | None:
    """Several conditions as one filter; those that are empty do not count."""
    return " and ".join(filter(None, conditions)) or None
