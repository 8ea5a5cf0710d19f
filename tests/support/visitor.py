"""A person whose browser is a few lines: signs in on our pages, and says yes."""

import html
import re
from urllib.parse import parse_qsl, urlsplit

import aiohttp


async def say_yes(url: str, name: str, password: str) -> dict[str, str]:
    """What the program is told at its own address."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        page = await _get(browser, url)
        signed = {"proof": _value(page, "proof"), "name": name, "password": password, "step": "sign-in"}
        async with browser.post(url, data=signed, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        page = await _get(browser, url)
        boxes = [("scope", html.unescape(one)) for one in re.findall(r'name="scope" value="([^"]+)"', page)]
        said = [("proof", _value(page, "proof")), ("step", "give"), *boxes]
        async with browser.post(url, data=said, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


async def _get(browser: aiohttp.ClientSession, url: str) -> str:
    async with browser.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


def _value(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found, page
    return found[1]
