"""Arguments go where the path, the method and their marks say."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from wand_proto.errors import Invalid
from wand_server.integrations.kit.request import Request, Route, Sent, as_text, lay_out


def model(**given: Any) -> BaseModel:
    kinds: dict[str, Any] = {name: (kind, ...) for name, (kind, _) in given.items()}
    made: BaseModel = create_model("Arguments", **kinds)(
        **{name: value for name, (_, value) in given.items()}
    )
    return made


@pytest.mark.parametrize(
    ("route", "arguments", "wanted"),
    [
        (
            Route(method="GET", path="/repos/{owner}/issues"),
            model(owner=(str, "a/b ü"), state=(str, "open"), labels=(list[str], ["x", "y"])),
            Request(
                method="GET", path="/repos/a%2Fb%20%C3%BC/issues", query={"state": "open", "labels": "x,y"}
            ),
        ),
        (
            Route(method="POST", path="/issues"),
            model(title=(str, "t"), labels=(list[str], ["x"]), body=(str | None, None)),
            Request(method="POST", path="/issues", json={"title": "t", "labels": ["x"]}),
        ),
        (
            Route(method="POST", path="/send", form=True, fixed={"as_user": True}),
            model(text=(str, "hi"), link=(bool, False)),
            Request(method="POST", path="/send", form={"text": "hi", "link": "false", "as_user": "true"}),
        ),
        (
            Route(method="POST", path="/x"),
            model(
                at=(Annotated[str, Sent("timestamp")], "1"),
                key=(Annotated[str, Sent("X-Key", "header")], "k"),
                dry=(Annotated[bool, Sent(where="query")], True),
            ),
            Request(
                method="POST",
                path="/x",
                query={"dry": "true"},
                headers={"X-Key": "k"},
                json={"timestamp": "1"},
            ),
        ),
        (
            Route(method="POST", path="/x", inside="data", fixed={"text.kind": "plain"}),
            model(
                text=(Annotated[str, Sent("text.value")], "hi"),
                note=(Annotated[str | None, Sent("note.value")], None),
                rule=(Annotated[str, Sent("@odata.rule")], "r"),
            ),
            Request(
                method="POST",
                path="/x",
                json={"data": {"text": {"value": "hi", "kind": "plain"}, "@odata.rule": "r"}},
            ),
        ),
        (
            Route(method="PUT", path="/manifests/{name}"),
            model(
                name=(str, "n"),
                manifest=(Annotated[dict[str, Any], Sent(where="whole_body")], {"kind": "Pod"}),
            ),
            Request(method="PUT", path="/manifests/n", json={"kind": "Pod"}),
        ),
        (Route(method="POST", path="/start"), model(), Request(method="POST", path="/start")),
        (Route(method="DELETE", path="/a/{id}"), model(id=(int, 7)), Request(method="DELETE", path="/a/7")),
    ],
)
def test_arguments_are_laid_out(route: Route, arguments: BaseModel, wanted: Request) -> None:
    assert lay_out(route, arguments) == wanted


def test_a_path_cannot_be_left_by_an_argument() -> None:
    asked = lay_out(Route(method="GET", path="/files/{name}/content"), model(name=(str, "../../admin?x=1#y")))
    assert asked.path == "/files/..%2F..%2Fadmin%3Fx%3D1%23y/content"


def test_a_path_takes_many_segments_where_it_says_so() -> None:
    asked = lay_out(Route(method="GET", path="/files/{+path}"), model(path=(str, "/a b/c#d.txt")))
    assert asked.path == "/files/a%20b/c%23d.txt"


@pytest.mark.parametrize(
    ("path", "value"),
    [("/files/{name}", ".."), ("/files/{name}", "."), ("/files/{name}", ""), ("/files/{+name}", "a/../../b")],
)
def test_what_is_no_segment_is_refused(path: str, value: str) -> None:
    with pytest.raises(Invalid, match=r"name: .* cannot be a part of a path"):
        lay_out(Route(method="GET", path=path), model(name=(str, value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        (["a", 1], "a,1"),
        ({"a": [1]}, '{"a":[1]}'),
        ([{"a": 1}], '[{"a":1}]'),
    ],
)
def test_a_value_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text
