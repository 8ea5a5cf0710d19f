"""S3's operations against two real servers: SeaweedFS checks every signature, moto knows more of S3."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from yarl import URL

from support.places import free_port
from support.servers import PROGRAMS, running
from wand_proto.errors import Conflict, Denied, Invalid, NotFound, WandError
from wand_server.integrations.storage.aws_s3 import PART_BYTES, S3

PARTS = ("master", "volume", "filer", "s3")
KEY, SECRET = "AKIAOFATEST", "secret-of-a-test"
WHO = {
    "identities": [
        {
            "name": "test",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
ODD = "folder one/ü+&=(1)~.txt"  # whose signature is right only if each letter is encoded once

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not (PROGRAMS / "weed").exists(), reason="SeaweedFS is not installed: ./dev services"),
]


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("seaweed")
    (home / "who.json").write_text(json.dumps(WHO))
    ports = {f"{name}.port{kind}": free_port() for name in PARTS for kind in ("", ".grpc")}
    words = [str(PROGRAMS / "weed"), "server", f"-dir={home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    words += [f"-{name}={port}" for name, port in ports.items()]
    words += ["-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={home}/who.json"]
    words += ["-volume.minFreeSpace=1"]
    words += ["-master.volumeSizeLimitMB=32", "-volume.max=50"]
    url = f"http://127.0.0.1:{ports['s3.port']}"
    with running(words, url, home):
        yield url


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    words = [str(PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with running(words, url, tmp_path_factory.mktemp("moto")):
        yield url


def config(url: str, **more: Any) -> S3.Config:
    return S3.Config(base_url=url, access_key_id=KEY, secret_access_key=SecretStr(SECRET), **more)


@pytest.fixture(params=["seaweed", "moto"])
async def s3(request: pytest.FixtureRequest) -> AsyncIterator[S3]:
    service = S3(config(request.getfixturevalue(request.param)))
    await service.initialize()
    yield service
    await service.cleanup()


async def opened(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """What anybody is answered there."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(url, encoded=True), data=body) as answer,
    ):
        return answer.status, await answer.read()


async def bucket(s3: S3, name: str) -> str:
    await s3.execute("create_bucket", {"bucket": name})
    return name


async def put(s3: S3, where: str, key: str, text: str, **more: Any) -> dict[str, Any]:
    return dict(
        await s3.execute("put_object", {"bucket": where, "key": key, "content": {"text": text}, **more})
    )


async def test_an_object_is_put_read_looked_up_and_deleted(s3: S3) -> None:
    at = {"bucket": await bucket(s3, "objects"), "key": ODD}
    stored = await put(s3, at["bucket"], ODD, "Grüße", metadata={"Origin": "a test"})
    about = await s3.execute("head_object", at)
    assert (about["size"], about["etag"], about["metadata"]) == (7, stored["etag"], {"origin": "a test"})
    assert (await s3.execute("get_object", at))["text"] == "Grüße"
    part = await s3.execute("get_object", {**at, "byte_range": "bytes=0-1"})
    assert (part["text"], part["size"]) == ("Gr", 2)
    await s3.execute("delete_object", at)
    for gone in ("get_object", "head_object"):
        with pytest.raises(NotFound):
            await s3.execute(gone, at)
    await s3.execute("delete_object", at)


async def test_bytes_come_back_as_they_went(s3: S3) -> None:
    at = {"bucket": await bucket(s3, "bytes"), "key": "a.bin"}
    data = base64.b64encode(bytes(range(256))).decode()
    await s3.execute("put_object", {**at, "content": {"base64": data}})
    assert (await s3.execute("get_object", at))["base64"] == data


async def test_a_list_goes_on_and_has_folders(s3: S3) -> None:
    where = await bucket(s3, "lists")
    assert await s3.execute("list_objects", {"bucket": where}) == {"items": [], "folders": []}
    for key in ("a.txt", "in/1.txt", "in/2.txt", "out/3.txt"):
        await put(s3, where, key, key)
    folders = await s3.execute("list_objects", {"bucket": where, "delimiter": "/"})
    assert ([each["key"] for each in folders["items"]], folders["folders"]) == (["a.txt"], ["in/", "out/"])
    pages: list[list[str]] = []
    cursor = None
    while not pages or cursor:
        asked = {"bucket": where, "prefix": "in/", "limit": 1, **({"cursor": cursor} if cursor else {})}
        page = await s3.execute("list_objects", asked)
        pages.append([each["key"] for each in page["items"]])
        cursor = page.get("next_cursor")
    assert [key for page in pages for key in page] == ["in/1.txt", "in/2.txt"]
    assert where in [each["name"] for each in await s3.execute("list_buckets", {})]


async def test_an_object_is_copied(s3: S3) -> None:
    where = await bucket(s3, "copies")
    await put(s3, where, ODD, "text")
    copied = await s3.execute(
        "copy_object", {"bucket": where, "key": ODD, "to_bucket": where, "to_key": "b/c.txt"}
    )
    assert copied["etag"]
    assert (await s3.execute("get_object", {"bucket": where, "key": "b/c.txt"}))["text"] == "text"


async def test_tags_are_set_and_read(s3: S3) -> None:
    at = {"bucket": await bucket(s3, "tags"), "key": "a.txt"}
    await put(s3, at["bucket"], "a.txt", "text")
    assert await s3.execute("get_object_tags", at) == {}
    for tags in ({"team": "ops"}, {"team": "r d", "stage": "a=b+c"}):
        await s3.execute("put_object_tags", {**at, "tags": tags})
        assert await s3.execute("get_object_tags", at) == tags


async def test_a_large_object_goes_up_in_parts(s3: S3) -> None:
    at = {"bucket": await bucket(s3, "parts"), "key": "large.bin"}
    text = "0123456789abcdef" * (PART_BYTES // 16) + "the end"
    sent = await s3.execute("multipart_upload", {**at, "content": {"text": text}, "metadata": {"a": "b"}})
    assert sent["etag"].strip('"').endswith("-2")
    about = await s3.execute("head_object", at)
    assert (about["size"], about["metadata"]) == (len(text), {"a": "b"})
    end = await s3.execute("get_object", {**at, "byte_range": f"bytes={PART_BYTES}-"})
    assert end["text"] == "the end"


async def test_a_link_opens_one_object_to_anybody(s3: S3) -> None:
    at = {"bucket": await bucket(s3, "links"), "key": ODD}
    upload = await s3.execute("presign_url", {**at, "method": "PUT", "valid_seconds": 60})
    assert (await opened(upload["url"], "PUT", b"text"))[0] == 200
    download = await s3.execute("presign_url", at)
    assert await opened(download["url"]) == (200, b"text")
    assert SECRET not in json.dumps(download)


async def test_a_link_that_was_changed_opens_nothing(seaweed: str) -> None:
    s3 = S3(config(seaweed))
    try:
        where = await bucket(s3, "changed")
        await put(s3, where, "a.txt", "text")
        url = (await s3.execute("presign_url", {"bucket": where, "key": "b.txt"}))["url"]
    finally:
        await s3.cleanup()
    assert (await opened(url.replace("b.txt", "a.txt")))[0] == 403


async def test_a_policy_is_read(moto: str) -> None:
    s3 = S3(config(moto))
    try:
        where = await bucket(s3, "policies")
        with pytest.raises(NotFound, match="policy"):
            await s3.execute("get_bucket_policy", {"bucket": where})
        policy = {"Version": "2012-10-17", "Statement": []}
        await opened(f"{moto}/{where}?policy", "PUT", json.dumps(policy).encode())
        assert await s3.execute("get_bucket_policy", {"bucket": where}) == policy
    finally:
        await s3.cleanup()


async def test_what_is_there_is_not_replaced_where_only_new_is_asked_for(moto: str) -> None:
    s3 = S3(config(moto))
    try:
        where = await bucket(s3, "new")
        await put(s3, where, "a.txt", "first", only_new=True)
        with pytest.raises(Conflict):
            await put(s3, where, "a.txt", "second", only_new=True)
    finally:
        await s3.cleanup()


async def test_a_region_is_named_where_it_is_not_the_usual_one(moto: str) -> None:
    s3 = S3(config(moto, region="eu-west-1"))
    try:
        await bucket(s3, "in-europe")
    finally:
        await s3.cleanup()
    assert b">eu-west-1<" in (await opened(f"{moto}/in-europe?location"))[1]


@pytest.mark.parametrize(
    ("secret", "asked", "kind", "said"),
    [
        ("wrong-secret-of-a-test", ("list_buckets", {}), Denied, "signature"),
        (SECRET, ("list_objects", {"bucket": "nowhere"}), NotFound, "bucket"),
        (SECRET, ("get_object", {"bucket": "links", "key": "a/../b"}), Invalid, "cannot be a part of a path"),
        (SECRET, ("put_object", {"bucket": "x/y", "key": "a", "content": {"text": "a"}}), Invalid, "bucket"),
        (SECRET, ("delete_object", {"bucket": "links", "key": "folder/"}), Invalid, "key"),
        (SECRET, ("put_object", {"bucket": "links", "key": "a"}), Invalid, "content"),
    ],
)
async def test_what_is_refused_is_told(
    seaweed: str, secret: str, asked: tuple[str, dict[str, Any]], kind: type[WandError], said: str
) -> None:
    service = S3(S3.Config(base_url=seaweed, access_key_id=KEY, secret_access_key=SecretStr(secret)))
    try:
        with pytest.raises(kind, match=f"(?i){said}") as caught:
            await service.execute(*asked)
        assert secret not in str(caught.value)
    finally:
        await service.cleanup()


async def test_a_link_never_holds_the_session_token() -> None:
    s3 = S3(config("http://127.0.0.1:9", session_token=SecretStr("token-of-a-session")))
    try:
        with pytest.raises(Denied, match="session token"):
            await s3.execute("presign_url", {"bucket": "abc", "key": "a"})
    finally:
        await s3.cleanup()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "https://s3.us-east-1.amazonaws.com"),
        ({"region": "eu-central-1"}, "https://s3.eu-central-1.amazonaws.com"),
        ({"base_url": "https://minio.internal:9000"}, "https://minio.internal:9000"),
    ],
)
async def test_it_is_found_in_its_region(given: dict[str, Any], where: str) -> None:
    s3 = S3(S3.Config(access_key_id=KEY, secret_access_key=SecretStr(SECRET), **given))
    assert s3.http.base_url == where
