"""How files go up and come down: what the vendors' descriptions leave out."""

import json
from typing import Any

import pytest

from support.foreign import Asked, Says, serving
from wand_proto.errors import Conflict, NotFound
from wand_server.integrations.kit import Integration
from wand_server.integrations.storage.dropbox import Dropbox
from wand_server.integrations.storage.google_drive import GoogleDrive
from wand_server.integrations.storage.onedrive import OneDrive

TOKEN = "token-of-a-test"
FILE = {"text": "a;b", "name": "a.csv"}


async def ask(
    kind: type[Integration], name: str, given: dict[str, Any], *answers: Says, below: str = ""
) -> tuple[Any, list[Asked]]:
    async with serving(*answers) as service:
        more = {"access_token": TOKEN}
        if kind is OneDrive:
            more = {
                "authority": service.url,
                "tenant": "t",
                "client_id": "c",
                "refresh_token": "refresh-of-a-test",
            }
            service.answers.insert(0, Says(body={"access_token": TOKEN, "expires_in": 3600}))
        asking = kind(kind.Config.model_validate({"base_url": service.url + below, **more}))
        await asking.initialize()
        try:
            return await asking.execute(name, given), service.asked[kind is OneDrive :]
        finally:
            await asking.cleanup()


@pytest.mark.parametrize(
    ("name", "given", "method", "path"),
    [
        ("create_file", {"name": "a.csv", "folder_id": "F"}, "POST", "/upload/drive/v3/files"),
        ("update_file", {"file_id": "1", "name": "a.csv"}, "PATCH", "/upload/drive/v3/files/1"),
    ],
)
async def test_drive_takes_a_file_beside_its_description(
    name: str, given: dict[str, Any], method: str, path: str
) -> None:
    said = Says(body={"id": "1", "name": "a.csv", "mimeType": "text/csv", "size": "3"})
    stored, (asked,) = await ask(GoogleDrive, name, {**given, "content": FILE}, said, below="/drive/v3")
    assert (stored["id"], stored["size"]) == ("1", "3")
    assert (asked.method, asked.path) == (method, path)
    assert (asked.query["uploadType"], asked.query["supportsAllDrives"]) == ("multipart", "true")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    about, file = asked.body.split("--" + asked.headers["content-type"].partition("boundary=")[2])[1:3]
    assert json.loads(about.partition("\r\n\r\n")[2])["name"] == "a.csv"
    assert "Content-Type: text/csv" in file
    assert file.partition("\r\n\r\n")[2].strip() == "a;b"


async def test_drive_makes_a_folder_without_content() -> None:
    given = {"name": "Plans", "mime_type": "application/vnd.google-apps.folder"}
    _, (asked,) = await ask(GoogleDrive, "create_file", given, Says(body={"id": "2"}), below="/drive/v3")
    assert (asked.method, asked.path) == ("POST", "/drive/v3/files")
    assert json.loads(asked.body) == {"name": "Plans", "mimeType": given["mime_type"]}


async def test_dropbox_takes_arguments_in_a_header_that_is_ascii() -> None:
    said = Says(body={"name": "ü.csv", "id": "id:1", "rev": "r", "size": 3})
    _, (asked,) = await ask(Dropbox, "upload_file", {"path": "/ü.csv", "content": FILE}, said)
    assert json.loads(asked.headers["dropbox-api-arg"]) == {
        "path": "/ü.csv",
        "mode": "add",
        "autorename": False,
    }
    assert asked.headers["dropbox-api-arg"].isascii()
    assert (asked.path, asked.body) == ("/2/files/upload", "a;b")
    assert asked.headers["content-type"] == "application/octet-stream"


async def test_dropbox_gives_a_file_by_its_name() -> None:
    about = {"Dropbox-API-Result": json.dumps({"name": "a.csv"}), "Content-Type": "application/octet-stream"}
    file, (asked,) = await ask(Dropbox, "download_file", {"path": "/a.csv"}, Says(raw=b"a;b", headers=about))
    assert (file["name"], file["text"], file["size"]) == ("a.csv", "a;b", 3)
    assert (asked.method, asked.body) == ("POST", "")


async def test_dropbox_is_asked_without_a_body_where_there_are_no_arguments() -> None:
    _, (asked,) = await ask(Dropbox, "get_space_usage", {}, Says(body={"used": 1}))
    assert (asked.body, asked.headers.get("content-type")) == ("", None)


@pytest.mark.parametrize(
    ("tag", "kind"), [("not_found", NotFound), ("conflict", Conflict), ("insufficient_space", Conflict)]
)
async def test_dropbox_says_409_to_whatever_is_wrong_at_a_path(tag: str, kind: type[Exception]) -> None:
    error = {".tag": "path", "path": {".tag": tag}}
    said = Says(status=409, body={"error_summary": f"path/{tag}/..", "error": error})
    with pytest.raises(kind, match=tag) as caught:
        await ask(Dropbox, "get_metadata", {"path": "/a.csv"}, said)
    assert caught.type is kind


async def test_onedrive_takes_a_file_by_its_name_in_a_folder() -> None:
    given = {"drive_id": "D", "folder_id": "F", "name": "a b.csv", "content": FILE, "if_taken": "fail"}
    item, (asked,) = await ask(OneDrive, "upload_file", given, Says(status=201, body={"id": "1", "size": 3}))
    assert item["id"] == "1"
    assert (asked.method, asked.path) == ("PUT", "/drives/D/items/F:/a%20b.csv:/content")
    assert asked.query == {"@microsoft.graph.conflictBehavior": "fail"}
    assert (asked.body, asked.headers["content-type"]) == ("a;b", "text/csv")


async def test_onedrive_leads_to_where_a_file_is_kept_and_gets_no_token_there() -> None:
    async with serving(Says(text="a;b")) as store:
        elsewhere = Says(status=302, headers={"Location": f"{store.url}/kept?tempauth=x"})
        file, _ = await ask(OneDrive, "download_file", {"drive_id": "D", "item_id": "I"}, elsewhere)
    assert file["text"] == "a;b"
    assert "authorization" not in store.asked[0].headers


async def test_onedrive_lists_on_by_its_link() -> None:
    link = "https://graph.microsoft.com/v1.0/drives/D/items/I/children?$top=1&$skiptoken=s%2F1"
    said = Says(body={"value": [{"id": "1"}], "@odata.nextLink": link})
    given = {"drive_id": "D", "item_id": "I", "limit": 1}
    page, _ = await ask(OneDrive, "list_children", given, said)
    _, (asked,) = await ask(OneDrive, "list_children", {**given, "cursor": page["next_cursor"]}, said)
    assert asked.query == {"$top": "1", "$skiptoken": "s/1"}
