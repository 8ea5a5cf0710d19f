"""Descriptions cut down to what is asked for, and Google's form of them read as OpenAPI."""

from typing import Any

from gather import discovery, reducing

REF = "#/components/schemas/"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.0",
    "paths": {
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path"}],
            "get": {"responses": {"200": {"schema": {"$ref": f"{REF}Thing"}}}},
            "delete": {"responses": {}},
        },
        "/others": {"get": {"responses": {}}},
    },
    "components": {
        "schemas": {
            "Thing": {"properties": {"owner": {"$ref": f"{REF}Person"}, "parent": {"$ref": f"{REF}Thing"}}},
            "Person": {"properties": {"things": {"$ref": f"{REF}Thing"}, "town": {"$ref": f"{REF}Town"}}},
            "Town": {"type": "string"},
            "Nobody": {"type": "string"},
        }
    },
}


def test_what_is_asked_for_stays_and_no_reference_leads_round() -> None:
    wanted = [("GET", "/things/{thing}"), ("GET", "/nowhere")]
    made = reducing.reduced(DOCUMENT, wanted, 8)
    schemas = made["components"]["schemas"]
    assert list(made["paths"]) == ["/things/{id}"]
    assert set(made["paths"]["/things/{id}"]) == {"parameters", "get"}
    assert set(schemas) == {"Thing", "Person", "Town"}
    assert schemas["Thing"]["properties"]["owner"] == {"$ref": f"{REF}Person"}
    assert schemas["Thing"]["properties"]["parent"] == {"type": "object", "additionalProperties": True}
    assert "$ref" not in schemas["Person"]["properties"]["things"]
    assert reducing.missing(made, wanted) == ["GET /nowhere"]
    shallow = reducing.reduced(DOCUMENT, wanted, 0)["components"]["schemas"]
    assert set(shallow) == {"Thing"}
    assert "$ref" not in shallow["Thing"]["properties"]["owner"]


def test_googles_form_is_read_as_openapi() -> None:
    method = {
        "id": "drive.files.list", "httpMethod": "GET", "path": "drives/{driveId}/files",
        "response": {"$ref": "Files"},
        "parameters": {
            "driveId": {"type": "string", "required": True, "location": "path"},
            "pageSize": {"type": "integer", "minimum": "1", "location": "query"},
            "labels": {"type": "string", "repeated": True, "location": "query"},
        },
    }  # fmt: skip
    files = {"id": "Files", "properties": {"files": {"type": "array", "items": {"$ref": "File"}}}}
    made = discovery.openapi({
        "title": "Drive", "version": "v3", "rootUrl": "https://a.example/", "servicePath": "drive/v3/",
        "parameters": {"alt": {"type": "string"}}, "schemas": {"Files": files},
        "resources": {"files": {"methods": {"list": method}}},
    })  # fmt: skip
    get = made["paths"]["/drives/{driveId}/files"]["get"]
    assert made["servers"] == [{"url": "https://a.example/drive/v3"}]
    assert [(one["name"], one["in"], one["required"]) for one in get["parameters"]] == [
        ("driveId", "path", True),
        ("pageSize", "query", False),
        ("labels", "query", False),
    ]
    assert get["parameters"][1]["schema"] == {"type": "integer", "minimum": 1.0}
    assert get["parameters"][2]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert get["responses"]["200"]["content"]["application/json"]["schema"] == {"$ref": f"{REF}Files"}
    items = made["components"]["schemas"]["Files"]["properties"]["files"]
    assert items == {"type": "array", "items": {"$ref": f"{REF}File"}}
