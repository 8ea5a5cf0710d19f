"""Clients of AWS' services, which know what the settings say and look for nothing anywhere else.

botocore by itself reads variables, files below ~/.aws, proxies, and asks the machine's metadata service.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioContainerProvider,
    AioCredentialResolver,
    AioCredentials,
    AioDeferredRefreshableCredentials,
    AioInstanceMetadataProvider,
)
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from aiobotocore.utils import AioInstanceMetadataFetcher
from botocore.configprovider import (
    BOTOCORE_DEFAUT_SESSION_VARIABLES,
    ConfigValueStore,
    ConstantProvider,
)
from botocore.loaders import Loader

from wand_server.integrations.kit.secrets import Strike
from wand_server.outward import PublicConnector, PublicResolver

_MOST_CLIENTS = 32
_CONNECT_SECONDS = 10
_READ_SECONDS = 35
_SET = {
    "config_file": None, "credentials_file": None, "ignore_configured_endpoint_urls": True, "s3": None,
    "proxies_config": None, "defaults_mode": "legacy",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the settings say."""

    region: str
    base_url: str
    hosts: Sequence[str]  # that may be in our own networks
    tls: ssl.SSLContext | None
    source: Literal["keys", "machine"]
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(repr=False)
    metadata_url: str
    role_arn: str
    external_id: str


class Guarded(AIOHTTPSession):  # type: ignore[misc]  # it has no types
    """Connects as all integrations do: an address of our own networks only where the settings name it."""

    async def _create_connector(self, proxy_url: str | None) -> PublicConnector:  # noqa: ARG002 - there is none
        return PublicConnector(self._connector_args["resolver"], self._connector_args.get("ssl_context"))


class Clients:
    """The clients of one instance, each for a service and a region."""

    def __init__(self, about: About, strike: Strike) -> None:
        self._about = about
        self._strike = strike
        self._resolver = PublicResolver(hosts=about.hosts)
        self._session = _bare(_Constant(self._first()))
        if about.role_arn:
            role = AioDeferredRefreshableCredentials(refresh_using=self._assume, method="assume-role")
            self._base, self._session = self._session, _bare(_Constant(role))
        self._opening = asyncio.Lock()
        self._open: OrderedDict[tuple[str, str, bool], tuple[Any, AsyncExitStack]] = OrderedDict()

    async def close(self) -> None:
        while self._open:
            await self._open.popitem()[1][1].aclose()

    def services(self) -> list[str]:
        """The names of all services."""
        return list(self._session.get_available_services())

    async def model(self, service: str) -> Any:
        """What is known of a service: its operations and what they take."""
        return await self._session.get_service_model(service)

    async def client(self, service: str, region: str, *, repeats: bool) -> Any:
        """A client of a service; `repeats` says that it may send again what got no answer."""
        key = (service, region or self._about.region, repeats)
        async with self._opening:
            if key not in self._open:
                stack = AsyncExitStack()
                self._open[key] = (await stack.enter_async_context(self._made(self._session, *key)), stack)
                if len(self._open) > _MOST_CLIENTS:
                    await self._open.popitem(last=False)[1][1].aclose()
            self._open.move_to_end(key)
            return self._open[key][0]

    def _made(self, session: Any, service: str, region: str, repeats: bool) -> Any:  # noqa: FBT001
        tls = {"ssl_context": self._about.tls} if self._about.tls is not None else {}
        config = AioConfig(
            connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, proxies={},
            http_session_cls=Guarded,
            retries={"mode": "standard", "total_max_attempts": 3 if repeats else 1},
            connector_args={"resolver": self._resolver, **tls}, ignore_configured_endpoint_urls=True,
            auth_scheme_preference="sigv4,sigv4a",  # else a token in the environment would be preferred
            user_agent="wand", warm_up_loader_caches=True,
            s3={"addressing_style": "path"} if self._about.base_url else None,
        )  # fmt: skip
        url = self._about.base_url or None
        return session.create_client(
            service, region_name=region, endpoint_url=url, verify=True, config=config
        )

    def _first(self) -> Any:
        """Who we are by the settings, before any role."""
        about = self._about
        if about.source == "keys":
            return AioCredentials(about.access_key, about.secret_key, about.session_token or None)
        asked = {"ec2_metadata_service_endpoint": about.metadata_url, "ec2_metadata_v1_disabled": True}
        metadata = AioInstanceMetadataFetcher(timeout=2, num_attempts=2, user_agent="wand", config=asked)
        return AioCredentialResolver([
            AioContainerProvider(), AioInstanceMetadataProvider(iam_role_fetcher=metadata),
        ])  # fmt: skip

    async def _assume(self) -> Mapping[str, str]:
        """Keys of the role, which last for an hour."""
        wanted = {"RoleArn": self._about.role_arn, "RoleSessionName": "wand"}
        if self._about.external_id:
            wanted["ExternalId"] = self._about.external_id
        async with self._made(self._base, "sts", self._about.region, repeats=True) as client:
            given = (await client.assume_role(**wanted))["Credentials"]
        self._strike.add(given["SecretAccessKey"])
        self._strike.add(given["SessionToken"])
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }


class _Constant:
    """Where a session asks for its credentials."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> Any:
        """They are those, or what their resolver finds."""
        if isinstance(self._credentials, AioCredentialResolver):
            return await self._credentials.load_credentials()
        return self._credentials

    def load_token(self, **_: Any) -> None:
        """There is none, wherever botocore would look for one."""


def _bare(credentials: _Constant) -> Any:
    """A session without surroundings."""
    session = AioSession()
    known = {name: one[2] for name, one in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    constants = {name: ConstantProvider(value) for name, value in {**known, **_SET}.items()}
    session.register_component("config_store", ConfigValueStore(mapping=constants))
    own = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", own)
    session.register_component("credential_provider", credentials)
    session.register_component("token_provider", credentials)
    return session
