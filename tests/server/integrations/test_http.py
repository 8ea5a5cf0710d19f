"""The one client: what is tried again, what is not, what a caller is told, and where it never goes."""

import pytest

from support.foreign import Asked, Says, Service, serving
from wand_proto.errors import (
    Ambiguous,
    Conflict,
    Denied,
    Exhausted,
    Invalid,
    NotFound,
    Unavailable,
    WandError,
)
from wand_server.integrations.kit import http
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.http import Address, Client
from wand_server.integrations.kit.request import Method, Request
from wand_server.integrations.kit.secrets import Strike
from wand_server.integrations.kit.signin import Stamp

SOON = Says(status=429, headers={"Retry-After": "0"})
LATER = Says(status=503, headers={"Retry-After": "0"})
FINE = Says(body={"fine": True})


def client(service: Service, strike: Strike | None = None) -> Client:
    return Client(Address(base_url=service.url, hosts=("127.0.0.1",)), strike or Strike())


async def ask(service: Service, method: Method = "GET", *, repeatable: bool | None = None) -> object:
    asking = client(service)
    try:
        return (await asking.send(Request(method=method, path="/x"), repeatable=repeatable)).body
    finally:
        await asking.close()


@pytest.mark.parametrize(
    ("method", "answers", "asked"),
    [
        ("GET", [FINE], 1),
        ("GET", [LATER, LATER, FINE], 3),
        ("POST", [SOON, FINE], 2),  # it says that it has not done it
        ("GET", [Says(hangs_up=True), FINE], 2),
        ("PUT", [Says(hangs_up=True), FINE], 2),
    ],
)
async def test_what_may_be_repeated_is(method: Method, answers: list[Says], asked: int) -> None:
    async with serving(*answers) as service:
        assert await ask(service, method) == {"fine": True}
        assert len(service.asked) == asked


@pytest.mark.parametrize(
    "answer", [Says(hangs_up=True), Says(status=500), Says(status=502, text="bad gateway")]
)
async def test_a_post_whose_end_is_not_known_is_ambiguous_and_not_repeated(answer: Says) -> None:
    async with serving(answer, FINE) as service:
        with pytest.raises(Ambiguous, match="POST /x may have been done, or not"):
            await ask(service, "POST")
        assert len(service.asked) == 1


async def test_a_post_that_may_be_repeated_is() -> None:
    async with serving(Says(hangs_up=True), FINE) as service:
        assert await ask(service, "POST", repeatable=True) == {"fine": True}


async def test_a_put_that_may_not_be_repeated_is_not() -> None:
    async with serving(Says(hangs_up=True), FINE) as service:
        with pytest.raises(Ambiguous, match="PUT /x may have been done, or not"):
            await ask(service, "PUT", repeatable=False)
        assert len(service.asked) == 1


async def test_a_delete_that_was_done_by_the_try_before_is_done() -> None:
    async with serving(Says(status=502), Says(status=404)) as service:
        assert await ask(service, "DELETE") is None
    for before in ([], [SOON]):
        async with serving(*before, Says(status=404)) as service:
            with pytest.raises(NotFound):
                await ask(service, "DELETE")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("body", [None, b"x"])
async def test_no_type_is_told_that_was_not_given(method: Method, body: bytes | None) -> None:
    async with serving(FINE) as service:
        asking = client(service)
        await asking.send(Request(method=method, path="/x", body=body))
        await asking.close()
        assert "content-type" not in service.asked[0].headers


async def test_a_pause_that_cannot_be_read_is_none() -> None:
    async with serving(Says(status=429, headers={"Retry-After": "\u00b2"}), FINE) as service:
        assert await ask(service) == {"fine": True}


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Says(status=400, body={"message": "no title"}), Invalid, "answers with 400: no title"),
        (Says(status=401, body={"error": {"message": "bad key"}}), Denied, "bad key"),
        (
            Says(status=403, body={"errors": [{"detail": "not yours"}, {"detail": "at all"}]}),
            Denied,
            "not yours; at all",
        ),
        (Says(status=404, text="Not\n Found"), NotFound, "Not Found"),
        (Says(status=409, body={"error": "exists"}), Conflict, "exists"),
        (Says(status=429, headers={"Retry-After": "3600"}), Exhausted, "answers with 429: no reason given"),
        (Says(status=404, headers={"Retry-After": "²"}), NotFound, "answers with 404: no reason given"),
        (Says(status=302, headers={"Location": "http://169.254.169.254/"}), Unavailable, "a redirect"),
        (Says(status=501), Unavailable, "501"),
    ],
)
async def test_a_refusal_says_what_the_service_said(answer: Says, kind: type[WandError], said: str) -> None:
    async with serving(answer) as service:
        with pytest.raises(kind, match=said) as caught:
            await ask(service)
        assert len(service.asked) == 1
        assert caught.type is kind


async def test_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MOST_BYTES", 1000)
    async with serving(Says(text="x" * 2000)) as service:
        with pytest.raises(Exhausted, match="answers with more than"):
            await ask(service)


async def test_who_fails_again_and_again_is_left_alone() -> None:
    async with serving(Says(status=500)) as service:
        asking = client(service)
        for _ in range(5):
            with pytest.raises(Ambiguous):
                await asking.send(Request(method="POST", path="/x"))
        with pytest.raises(Unavailable, match="is left alone"):
            await asking.send(Request(method="POST", path="/x"))
        assert len(service.asked) == 5
        await asking.close()


async def test_a_secret_that_the_service_repeats_is_struck_out() -> None:
    async with serving(Says(status=403, body={"message": "key sk-abcdefgh is not good"})) as service:
        asking = client(service, Strike(["sk-abcdefgh"]))
        with pytest.raises(Denied, match=r"key \[secret\] is not good"):
            await asking.send(Request(method="GET", path="/x"))
        await asking.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "http://2130706433:9/", "http://0x7f.1:9/",
        "http://0177.0.0.1:9/", "http://127.1:9/", "http://[::ffff:127.0.0.1]:9/", "http://[64:ff9b::7f00:1]:9/",
        "http://[2002:7f00:1::]:9/", "http://169.254.169.254:9/", "http://127.0.0.01:9/", "http://10.0.0.1:9/",
    ],
)  # fmt: skip
async def test_nothing_leads_into_our_own_networks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        http, "_pause_seconds", lambda *_: 3600
    )  # it is not tried again: nothing would change
    asking = Client(Address(base_url="https://service.example"), Strike())
    with pytest.raises(Unavailable, match="does not stand for public addresses"):
        await asking.send(Request(method="POST", path=url))
    await asking.close()


async def test_a_service_that_an_administrator_has_named_may_be_ours() -> None:
    async with serving(FINE) as service:
        assert await ask(service) == {"fine": True}


async def follow(*answers: Says) -> tuple[object, list[Asked]]:
    async with serving(*answers) as service:
        asking = client(service)
        asking.signed_by(Stamp(lambda request: request.headers.update(authorization="Bearer of-a-test")))
        try:
            answered = await asking.send(Request(method="GET", path="/file", query={"a": "b"}, follows=True))
            return answered.body, service.asked
        finally:
            await asking.close()


async def test_a_file_is_fetched_where_the_service_keeps_it_and_our_sign_in_stays_at_home() -> None:
    async with serving(FINE) as store:
        elsewhere = Says(status=302, headers={"Location": f"{store.url}/kept?signature=s%2F1"})
        body, asked = await follow(Says(status=307, headers={"Location": "/moved"}), elsewhere)
    assert body == {"fine": True}
    assert [(each.path, each.query, "authorization" in each.headers) for each in (*asked, *store.asked)] == [
        ("/file", {"a": "b"}, True),
        ("/moved", {}, True),
        ("/kept", {"signature": "s/1"}, False),
    ]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("https://169.254.169.254/latest", "private_hosts"),
        ("ftp://a.example/b", "leads on to ftp://"),
        ("", "a redirect"),
    ],
)
async def test_a_redirect_leads_nowhere_else(where: str, said: str) -> None:
    with pytest.raises(Unavailable, match=said):
        await follow(Says(status=302, headers={"Location": where}))


async def test_redirects_come_to_an_end() -> None:
    with pytest.raises(Unavailable, match="sends us on and on"):
        await follow(Says(status=302, headers={"Location": "/x"}))


async def test_the_time_that_a_sign_in_takes_is_not_given_to_the_request_again() -> None:
    taken: list[float] = []

    class Slow:
        async def sign(self, request: Request) -> None:
            now[0] += 39.0

        async def renew(self) -> bool:
            return False

    class Watched(Client):
        async def once(self, request: Request, seconds: float = 0.0) -> Answered:
            taken.append(seconds)
            return Answered(status=200, headers={}, body={})

    now = [0.0]
    asking = Watched(Address(base_url="http://127.0.0.1"), Strike())
    asking.signed_by(Slow())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wand_server.integrations.kit.http.time.monotonic", lambda: now[0])
        await asking.send(Request(method="GET", path="/x"))
    assert taken == [pytest.approx(1.0)]
