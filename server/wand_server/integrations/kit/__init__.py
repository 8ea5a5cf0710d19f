"""The kit: everything that an integration imports."""

from wand_server.integrations.kit.answers import Page, Resource
from wand_server.integrations.kit.base import BaseIntegration, Integration, Settings
from wand_server.integrations.kit.oauth import OAuth2
from wand_server.integrations.kit.operation import delete, get, operation, patch, post, put
from wand_server.integrations.kit.pace import Rate
from wand_server.integrations.kit.paging import Counted, Cursor, Linked
from wand_server.integrations.kit.request import Sent
from wand_server.integrations.kit.signin import ApiKey, Basic, Bearer, InPath, Nobody

__all__ = [
    "ApiKey", "BaseIntegration", "Basic", "Bearer", "Counted", "Cursor", "InPath", "Integration", "Linked",
    "Nobody", "OAuth2", "Page", "Rate", "Resource", "Sent", "Settings",
    "delete", "get", "operation", "patch", "post", "put",
]  # fmt: skip
