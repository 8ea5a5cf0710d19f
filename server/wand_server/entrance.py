"""Builds what decides who may come in, from the settings, and what strangers are told of it."""

import contextlib
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from wand_proto import tomlfile
from wand_proto.errors import Unavailable
from wand_server.auth import dpop, lastused, resource
from wand_server.auth.asked import Asked, BadToken, SignIn
from wand_server.auth.bearer import ACCESS_TOKENS, ANY_TOKENS, Tokens, Trusted
from wand_server.auth.certificates import Certificates, Holder
from wand_server.auth.challenge import Challenge
from wand_server.auth.claims import ClaimNames
from wand_server.auth.external import Asking, External
from wand_server.auth.fetching import Fetcher
from wand_server.auth.guard import Guard
from wand_server.auth.issuerkeys import read_keys
from wand_server.auth.keys import Keys
from wand_server.auth.lastused import LastUsed
from wand_server.auth.origins import Origins
from wand_server.auth.possession import Possession
from wand_server.auth.revoked import Revoked
from wand_server.auth.tokens import PublicKey
from wand_server.issuer.accesstokens import grant_in
from wand_server.issuer.grants import Grants
from wand_server.issuer.model import Refusal
from wand_server.issuer.service import DATABASE, Issuer, resource_of
from wand_server.issuer.store import Store
from wand_server.model import Principal
from wand_server.settings import OAuth, Settings, Tls
from wand_server.transports import tls, wellknown
from wand_server.transports.routes import Routes

IsOver = Callable[[Principal], Awaitable[bool]]
_OWNERS = frozenset({0, os.geteuid()})


async def guard(
    read: Settings,
    parts: contextlib.AsyncExitStack,
    own: Sequence[Trusted] = (),
    nonces: dpop.Nonces | None = None,
) -> Guard:
    """The guard of this server; `own` are issuers beside the one in the settings.

    `nonces` are those that proofs must have where the settings want it; others may give them out too.

    Raises:
        WandError: a file that the settings name cannot be used.
    """
    file = read.http.keys_file
    keys = Keys(file, await parts.enter_async_context(LastUsed(lastused.place(file, os.environ))))
    origins = Origins.of(read.http.allowed_hosts, read.http.allowed_origins)
    ours, certificates = _resource(read.oauth, own), _certificates(read.tls)
    if not ours:
        return Guard(keys, origins, certificates=certificates)
    wanted = (nonces or dpop.Nonces()) if read.oauth.dpop_nonces else None
    proofs = dpop.Proofs(resource.origin(ours), nonces=wanted)
    possession = Possession(proofs, required=read.oauth.dpop_required)
    ways = await _ways(read.oauth, parts, own, possession)
    metadata = resource.metadata_url(ours)
    challenge = Challenge(resource_metadata=metadata, dpop_algorithms=dpop.ALGORITHMS)
    return Guard(keys, origins, ways, challenge, certificates)


async def judge(read: Settings, parts: contextlib.AsyncExitStack) -> IsOver:
    """What tells whether a sign-in still counts, where nobody signs in: for agents in processes of their own.

    Raises:
        WandError: a file that the settings name cannot be used.
    """
    admitted = await guard(read, parts)
    if not read.issuer.url:
        return admitted.is_over
    grants = Grants(await parts.enter_async_context(Store(read.issuer.folder / DATABASE)))

    async def is_over(principal: Principal) -> bool:
        if principal.means == "token":
            try:
                if await grants.is_revoked(grant_in(principal.credential)):
                    return True
            except Unavailable:
                return True  # nobody can say
        return await admitted.is_over(principal)

    return is_over


async def tls_context(read: Settings, parts: contextlib.AsyncExitStack) -> ssl.SSLContext | None:
    """How TLS is spoken on our own port, where it is.

    Raises:
        Invalid: a file that the settings name cannot be used.
    """
    ours = read.tls
    if ours.certificate is None or ours.key is None:
        return None
    files = tls.Files(
        certificate=ours.certificate,
        key=ours.key,
        client_ca=ours.client_ca,
        client_required=ours.client_required,
    )
    return await parts.enter_async_context(tls.context(files))


def _certificates(ours: Tls) -> Certificates | None:
    revoked = Revoked(ours.client_crl, ours.client_ca) if ours.client_crl and ours.client_ca else None
    if not ours.client and revoked is None:
        return None
    holders = {
        one.certificate: Holder(
            name=one.name, scopes=frozenset(one.scopes), groups=one.groups, on_behalf_of=one.on_behalf_of
        )
        for one in ours.client
    }
    return Certificates(holders, revoked)


def documents(read: Settings, own: Sequence[Trusted] = ()) -> Routes:
    """What strangers may read of where to get tokens for us."""
    ours = _resource(read.oauth, own)
    if not ours:
        return {}
    issuers = [one.keys.issuer for one in own] + ([read.oauth.issuer] if read.oauth.issuer else [])
    body = resource.metadata(ours, issuers, dpop.ALGORITHMS)
    return wellknown.document(resource.metadata_paths(ours), body)


class OwnKeys:
    """The keys of the built-in issuer; offers `TokenKeys`."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self.issuer = issuer.url

    async def key(self, kid: str) -> PublicKey | None:
        """The key of that id, for ES256 alone."""
        found = self._issuer.verifying_key(kid)
        return None if found is None else PublicKey(key=found, algorithm="ES256")


def prover(url: str, nonces: dpop.Nonces | None = None) -> Callable[[web.BaseRequest], str]:
    """What tells the built-in issuer which key a client proves to have; a proof must have one of `nonces`."""
    proofs = dpop.Proofs(resource.origin(url), nonces=nonces)

    def prove(request: web.BaseRequest) -> str:
        if dpop.HEADER not in request.headers:
            return ""
        asked = Asked(headers=request.headers, method=request.method, path=request.path)
        try:
            return proofs.key_of(asked)
        except dpop.NeedsNonce as why:
            raise Refusal(why.reason, why.message, headers={dpop.NONCE_HEADER: why.nonce}) from why
        except BadToken as why:
            raise Refusal(why.reason, why.message) from why

    return prove


def trusted(issuer: Issuer) -> Trusted:
    """The tokens that the built-in issuer gives for us."""
    return Trusted(
        keys=OwnKeys(issuer),
        audiences=(resource_of(issuer.url),),
        names=ClaimNames(),
        is_over=issuer.is_over,
    )


def _resource(oauth: OAuth, own: Sequence[Trusted]) -> str:
    """The address that tokens are issued for."""
    return oauth.resource or next((one.audiences[0] for one in own), "")


async def _ways(
    oauth: OAuth, parts: contextlib.AsyncExitStack, own: Sequence[Trusted], possession: Possession
) -> tuple[SignIn, ...]:
    if not oauth.issuer:
        return (Tokens(own, possession),)
    asking = Asking(external(oauth), await parts.enter_async_context(Fetcher(oauth.ca)))
    return Tokens([*own, asking.trusted()], possession), *asking.introspected(possession)


async def told(oauth: OAuth) -> str:
    """In one line, whether the issuer of the settings can be asked, and what it answers.

    Raises:
        WandError: a file that they name cannot be used, or the issuer does not answer as one.
    """
    async with Fetcher(oauth.ca) as fetcher:
        return await Asking(external(oauth), fetcher).told()


def external(oauth: OAuth) -> External:
    """The issuer that the settings describe.

    Raises:
        WandError: a file that they name cannot be used.
    """
    return External(
        issuer=oauth.issuer,
        audiences=(oauth.resource, *oauth.audiences),
        algorithms=oauth.algorithms,
        names=_names(oauth),
        types=ACCESS_TOKENS if oauth.access_tokens_only else ANY_TOKENS,
        keys=read_keys(oauth.keys_file, oauth.algorithms, _OWNERS) if oauth.keys_file else None,
        client=_client(oauth),
    )


def _names(oauth: OAuth) -> ClaimNames:
    return ClaimNames(
        name=oauth.name_claim,
        name_prefix=oauth.name_prefix,
        scope=oauth.scope_claim,
        groups=oauth.groups_claim,
        groups_prefix=oauth.groups_prefix,
        scope_map={theirs: frozenset(ours) for theirs, ours in oauth.scope_map.items()},
        default_scopes=frozenset(oauth.default_scopes),
    )


def _client(oauth: OAuth) -> tuple[str, str] | None:
    if oauth.client_secret_file is None:
        return None
    secret = tomlfile.content(oauth.client_secret_file, owners=_OWNERS, secret=True)
    return oauth.client_id, secret.decode().strip()
