"""The kit: everything that an integration imports."""

from wand_server.integrations.kit.answers import Page, Resource, Several, at
from wand_server.integrations.kit.assertion import EntraApp, GitHubApp, ServiceAccount
from wand_server.integrations.kit.base import BaseIntegration, Integration, Settings
from wand_server.integrations.kit.commands import CommandIntegration, Directory, Operand, Ran, Word, options
from wand_server.integrations.kit.content import Content, Download
from wand_server.integrations.kit.lasting import Lasting, Until
from wand_server.integrations.kit.oauth import OAuth2
from wand_server.integrations.kit.operation import delete, get, head, operation, patch, post, put
from wand_server.integrations.kit.pace import Rate
from wand_server.integrations.kit.paging import Counted, Cursor, Linked
from wand_server.integrations.kit.personal import Consent, Personal
from wand_server.integrations.kit.request import Request, Sent
from wand_server.integrations.kit.session import Session
from wand_server.integrations.kit.signin import AllOf, ApiKey, Basic, Bearer, FirstOf, InPath, Nobody, SignIn
from wand_server.integrations.kit.sigv4 import SigV4
from wand_server.integrations.kit.texts import Date, DateTime, Email

__all__ = [
    "AllOf",
    "ApiKey",
    "BaseIntegration",
    "Basic",
    "Bearer",
    "CommandIntegration",
    "Consent",
    "Content",
    "Counted",
    "Cursor",
    "Date",
    "DateTime",
    "Directory",
    "Download",
    "Email",
    "EntraApp",
    "FirstOf",
    "GitHubApp",
    "InPath",
    "Integration",
    "Lasting",
    "Linked",
    "Nobody",
    "OAuth2",
    "Operand",
    "Page",
    "Personal",
    "Ran",
    "Rate",
    "Request",
    "Resource",
    "Sent",
    "ServiceAccount",
    "Session",
    "Settings",
    "Several",
    "SigV4",
    "SignIn",
    "Until",
    "Word",
    "at",
    "delete",
    "get",
    "head",
    "operation",
    "options",
    "patch",
    "post",
    "put",
]  # fmt: skip
