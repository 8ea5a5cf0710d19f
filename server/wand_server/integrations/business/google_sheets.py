"""Google Sheets' API."""

from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from wand_proto.errors import Invalid, NotFound
from wand_server.integrations.kit import Personal, Rate, Request, Resource, Sent, get, operation, post, put
from wand_server.integrations.kit.google import GoogleConfig, google
from wand_server.integrations.kit.paging import found
from wand_server.integrations.kit.request import segments

SheetId = Annotated[str, Field(description="id of the spreadsheet, from its URL")]
Range = Annotated[str, Field(description="in A1 notation, such as Sheet1!A1:C10", examples=["Sheet1!A1:C10"])]
Rows = Annotated[
    list[list[str | float | bool | None]],
    Sent("values"),
    Field(min_length=1, examples=[[["a", 1], ["b", 2]]]),
]
Shown = Annotated[
    Literal["FORMATTED_VALUE", "UNFORMATTED_VALUE", "FORMULA"] | None, Sent("valueRenderOption")
]
Entered = Annotated[
    Literal["USER_ENTERED", "RAW"],
    Sent("valueInputOption", "query"),
    Field(description="USER_ENTERED: as if typed, with formulas and dates"),
]


class Sheet(Resource):
    properties: dict[str, Any] | None = None


class Spreadsheet(Resource):
    spreadsheetId: str = ""  # noqa: N815 - the service's own words
    spreadsheetUrl: str | None = None  # noqa: N815
    properties: dict[str, Any] | None = None
    sheets: list[Sheet] | None = None


class Values(Resource):
    range: str = ""
    values: list[list[Any]] = []


class Written(Resource):
    updatedRange: str | None = None  # noqa: N815
    updatedRows: int | None = None  # noqa: N815
    updatedCells: int | None = None  # noqa: N815


class Cleared(Resource):
    clearedRange: str | None = None  # noqa: N815


class Titled(Resource):
    title: str


class Updated(Resource):
    spreadsheetId: str = ""  # noqa: N815
    replies: list[dict[str, Any]] | None = None


class GoogleSheets(Personal):
    """Google Sheets, as one of its users or a service account."""

    class Config(GoogleConfig):
        """Who that is."""

    base_url = "https://sheets.googleapis.com"
    sign_in = google("spreadsheets")
    rate = Rate(60, per_seconds=60)

    async def health_check(self) -> None:
        with suppress(NotFound, Invalid):  # whoever is not let in is not told that there is none
            await self.get_spreadsheet("none")

    @get(
        "/v4/spreadsheets/{spreadsheet_id}",
        query={"fields": "spreadsheetId,spreadsheetUrl,properties.title,sheets.properties"},
    )
    async def get_spreadsheet(self, spreadsheet_id: SheetId) -> Spreadsheet:
        """Look a Google spreadsheet up: its title, its sheets (tabs) and how large they are."""

    @post("/v4/spreadsheets")
    async def create_spreadsheet(self, properties: Titled) -> Spreadsheet:
        """Create a Google spreadsheet."""

    @get("/v4/spreadsheets/{spreadsheet_id}/values/{cells}")
    async def read_range(self, spreadsheet_id: SheetId, cells: Range, shown_as: Shown = None) -> Values:
        """Read cells of a Google spreadsheet: the rows of a range."""

    @operation(read_only=True)
    async def read_ranges(
        self, spreadsheet_id: SheetId, cells: Annotated[list[Range], Field(min_length=1)]
    ) -> list[Values]:
        """Read several ranges of a Google spreadsheet at once."""
        below = segments("spreadsheet_id", spreadsheet_id, many=False)
        path = f"/v4/spreadsheets/{below}/values:batchGet?{urlencode([('ranges', each) for each in cells])}"
        answered = await self.http.send(Request(method="GET", path=path))
        return [Values.model_validate(each) for each in found(answered.body, "valueRanges") or []]

    @put("/v4/spreadsheets/{spreadsheet_id}/values/{cells}")
    async def write_range(
        self, spreadsheet_id: SheetId, cells: Range, rows: Rows, entered_as: Entered = "USER_ENTERED"
    ) -> Written:
        """Write cells of a Google spreadsheet: fill a range with rows."""

    @post("/v4/spreadsheets/{spreadsheet_id}/values/{cells}:append", place="updates")
    async def append_rows(
        self, spreadsheet_id: SheetId, cells: Range, rows: Rows, entered_as: Entered = "USER_ENTERED"
    ) -> Written:
        """Append rows to a table in a Google spreadsheet: add a line at its end."""

    @post("/v4/spreadsheets/{spreadsheet_id}/values/{cells}:clear", destructive=True, idempotent=True)
    async def clear_range(self, spreadsheet_id: SheetId, cells: Range) -> Cleared:
        """Clear cells of a Google spreadsheet: delete what is in a range."""

    @post("/v4/spreadsheets/{spreadsheet_id}:batchUpdate", destructive=True)
    async def batch_update(
        self,
        spreadsheet_id: SheetId,
        requests: Annotated[
            list[dict[str, Any]],
            Field(
                min_length=1,
                description="addSheet, deleteSheet, sortRange, repeatCell, addChart and others",
                examples=[[{"addSheet": {"properties": {"title": "March"}}}]],
            ),
        ],
    ) -> Updated:
        """Change a Google spreadsheet itself: add or delete sheets (tabs), format, sort, add charts."""
