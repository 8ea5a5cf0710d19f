"""Where a client sends a person: sign in, see what is asked for, say yes or no."""

import logging
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp import web

from wand_server.issuer import asking, browser, forms, pages, redirects
from wand_server.issuer.asking import Reader
from wand_server.issuer.browser import Cookie
from wand_server.issuer.grants import Grants
from wand_server.issuer.model import Asked, SentBack, User
from wand_server.issuer.pages import Form
from wand_server.issuer.passwords import Busy
from wand_server.issuer.peers import Peers
from wand_server.issuer.people import People
from wand_server.issuer.slowing import Slowing

log = logging.getLogger(__name__)

PATH = "/oauth/authorize"
BROWSER_SECONDS = 8 * 3600
_STRANGER = "Name or password does not fit."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of a browser, as far as it is known."""

    request: web.BaseRequest
    asked: Asked | None  # None as long as nobody has signed in and it would have to be fetched who asks
    secret: str  # of the browser
    user: User | None

    @property
    def query(self) -> str:
        return _query(self.request)

    @property
    def proof(self) -> str:
        if self.user is None or self.asked is None:
            return browser.proof(self.secret, self.query, "")
        shown = self.asked.client.name, self.asked.redirect_uri
        return browser.proof(self.secret, self.query, self.user.name, shown)

    @property
    def form(self) -> Form:
        return Form(action=f"{PATH}?{self.query}", proof=self.proof)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visiting:
    """The authorization endpoint (RFC 6749, 3.1): everything that it decides by is in the query."""

    origin: str
    issuer: str
    reader: Reader
    grants: Grants
    people: People
    peers: Peers
    cookie: Cookie
    slowing: Slowing
    admin_groups: Collection[str]
    refused: Callable[[str, str], None]

    async def get(self, request: web.BaseRequest) -> web.StreamResponse:
        """The page that comes next."""
        visit = await self._visit(request)
        response = self._page(visit)
        if self.cookie.secret(request) is None:
            self.cookie.give(response, visit.secret)
        return response

    async def post(self, request: web.BaseRequest) -> web.StreamResponse:
        """What a person said on a page."""
        visit = await self._visit(request)
        told = await forms.read_fields(request)
        browser.check_form(request, self.origin, visit.proof, _one(told, "proof"))
        if visit.user is None or visit.asked is None:
            return await self._sign_in(visit, _one(told, "name"), _one(told, "password"))
        step = _one(told, "step")
        if step == "leave":
            return await self._leave(visit)
        if step != "give":
            return self._back(visit.asked, error="access_denied", error_description="the person said no")
        return await self._give(visit.asked, visit.user, told.get("scope", []))

    async def _visit(self, request: web.BaseRequest) -> Visit:
        secret = self.cookie.secret(request)
        if self.peers.user_header:
            user: User | None = self.peers.user(request)
        else:
            user = await self.people.in_browser(secret) if secret else None
        asked = await self._asked(_query(request), user)
        return Visit(request=request, asked=asked, secret=secret or self.cookie.ensure(request), user=user)

    async def _asked(self, query: str, user: User | None) -> Asked | None:
        """What is asked for; a document is fetched for nobody who has not signed in."""
        if user is None and self.reader.has_to_fetch(query):
            return None
        return await self.reader.read(query)

    def _page(self, visit: Visit) -> web.Response:
        if visit.user is None or visit.asked is None:
            return pages.sign_in(visit.form)
        offered = self._offered(visit.asked, visit.user)
        may_leave = not self.peers.user_header
        return pages.consent(visit.form, visit.asked, visit.user, offered, may_leave=may_leave)

    def _offered(self, asked: Asked, user: User) -> tuple[str, ...]:
        """What of that this person may give away."""
        return asking.may_give(asked.scopes, user.groups, self.admin_groups)

    async def _sign_in(self, visit: Visit, name: str, password: str) -> web.StreamResponse:
        address = self.peers.address(visit.request)
        if wait := math.ceil(self.slowing.wait_seconds(address, name)):
            return _wait(visit, name, wait)
        self.slowing.begin(address, name)
        try:
            user = await self.people.sign_in(name, password)
        except Busy:
            self.slowing.take_back(address, name)
            return _wait(visit, name, 2)
        if user is None:
            is_known = await self.people.find(name) is not None
            self.refused(address, f"a wrong password for {name}" if is_known else "nobody has that name")
            return pages.sign_in(visit.form, wrong=_STRANGER, name=name[:64], status=403)
        self.slowing.forgive(address, name)
        log.info("person signed in", extra={"user": user.name, "peer": address})
        response = _see_other(visit.form.action)
        await self.people.close_browser(visit.secret)
        self.cookie.give(response, await self.people.open_browser(user, BROWSER_SECONDS))
        return response

    async def _leave(self, visit: Visit) -> web.StreamResponse:
        await self.people.close_browser(visit.secret)
        response = _see_other(visit.form.action)
        response.del_cookie(self.cookie.name, path="/", secure=self.cookie.secure, httponly=True)
        return response

    async def _give(self, asked: Asked, user: User, wanted: list[str]) -> web.StreamResponse:
        given = tuple(one for one in self._offered(asked, user) if one in wanted)
        if not given:
            return self._back(asked, error="access_denied", error_description="the person gave nothing")
        code = await self.grants.give(user, asked, given)
        log.info("client let in", extra={"user": user.name, "kind": asked.client.kind, "scopes": len(given)})
        return self._back(asked, code=code)

    def _back(self, asked: Asked, **told: str) -> web.StreamResponse:
        answered = {**told, "state": asked.state, "iss": self.issuer}
        return _see_other(redirects.answer(asked.redirect_uri, answered))

    def sent_back(self, why: SentBack) -> web.StreamResponse:
        """Tell a client what is wrong: at once on the person's own computer, elsewhere by a link."""
        told = {"error": why.refusal.code, "error_description": why.refusal.text}
        location = redirects.answer(why.redirect_uri, {**told, "state": why.state, "iss": self.issuer})
        return (
            _see_other(location)
            if redirects.is_loopback(why.redirect_uri)
            else pages.sent_back(why, location)
        )


def _query(request: web.BaseRequest) -> str:
    return request.raw_path.partition("?")[2]


def _one(told: dict[str, list[str]], name: str) -> str:
    return told.get(name, [""])[-1]


def _see_other(location: str) -> web.Response:
    headers = {"Location": location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=303, headers=headers)


def _wait(visit: Visit, name: str, seconds: int) -> web.Response:
    wrong = f"Too many tries. Wait {seconds} seconds, then try again."
    response = pages.sign_in(visit.form, wrong=wrong, name=name[:64], status=429)
    response.headers["Retry-After"] = str(seconds)
    return response
