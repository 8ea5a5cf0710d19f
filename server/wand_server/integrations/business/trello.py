"""Trello's API, version 1."""

from typing import Annotated

from pydantic import Field, PlainSerializer, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Resource, Sent, at, get, post

Card = Annotated[str, Field(description="id, or what stands in its link")]
Board = Annotated[str, Field(description="id, or what stands in its link")]
List = Annotated[str, Sent("idList"), Field(description="id, from list_lists")]
To = Annotated[str | None, Sent("idList"), Field(description="id of the list that it moves to")]
Text = Annotated[str | None, Sent("desc")]
Ids = Annotated[str | None, Sent("idMembers"), Field(description="ids with commas")]
Labels = Annotated[str | None, Sent("idLabels"), Field(description="ids with commas")]
Due = Annotated[kit.DateTime | None, Field(description="when it is due")]
Within = Annotated[str | None, Sent("idOrganizations"), Field(description="ids of workspaces, with commas")]
TRUTH = PlainSerializer(lambda truth: str(truth).lower())  # which the description has as a text
Closed = Annotated[Annotated[bool, TRUTH] | None, Field(description="archived")]


class Named(Resource):
    id: str = ""
    name: str = ""
    description: Annotated[str | None, at("desc")] = None
    url: str | None = None
    closed: bool | None = None


class OneCard(Named):
    list_id: Annotated[str | None, at("idList")] = None
    board_id: Annotated[str | None, at("idBoard")] = None
    people: Annotated[list[str] | None, at("idMembers")] = None
    due: str | None = None


class Trello(kit.Integration):
    """Trello, as one of its users."""

    class Config(kit.Integration.Config):
        api_key: SecretStr
        token: SecretStr

    base_url = "https://trello.com/1"
    sign_in = kit.AllOf((kit.ApiKey("key", where="query"), kit.ApiKey("token", "token", where="query")))
    rate = kit.Rate(10)

    async def health_check(self) -> None:
        await self.list_boards()

    @get("/members/{member}/boards", query={"filter": "open"})
    async def list_boards(self, member: str = "me") -> list[Named]:
        """List the boards of Trello that you, or somebody else, are on."""

    @get("/boards/{board}")
    async def get_board(self, board: Board) -> Named:
        """Look at a board of Trello: its name, what it is for, its link."""

    @get("/boards/{board}/lists")
    async def list_lists(self, board: Board) -> list[Named]:
        """List the lists (columns) of a board."""

    @get("/lists/{list}/cards")
    async def list_cards(self, list: str) -> list[OneCard]:
        """List the cards of a list, from its top."""

    @post("/cards")
    async def create_card(
        self, list: List, name: str, text: Text = None, people: Ids = None, labels: Labels = None,
        due: Due = None,
    ) -> OneCard:  # fmt: skip
        """Create a card in a list: a task with a text, people and a due date."""

    @get("/cards/{card}")
    async def get_card(self, card: Card) -> OneCard:
        """Read a card of Trello: its text, its list, its people, when it is due."""

    @kit.put("/cards/{card}")
    async def update_card(
        self, card: Card, name: str | None = None, text: Text = None, list: To = None, people: Ids = None,
        due: Due = None, closed: Closed = None,
    ) -> OneCard:  # fmt: skip
        """Change a card, move it to another list, or archive it (closed)."""

    @kit.delete("/cards/{card}")
    async def delete_card(self, card: Card) -> None:
        """Delete a card for good."""

    @post("/cards/{card}/actions/comments")
    async def add_comment(self, card: Card, text: str) -> Named:
        """Comment on a card of Trello."""

    @post("/lists")
    async def create_list(self, board: Annotated[Board, Sent("idBoard")], name: str) -> Named:
        """Create a list (column) on a board."""

    @post("/checklists")
    async def create_checklist(self, card: Annotated[Card, Sent("idCard")], name: str) -> Named:
        """Put a checklist on a card."""

    @get("/search", place="cards", query={"modelTypes": "cards"})
    async def search(self, query: str, organizations: Within = None) -> list[OneCard]:
        """Search the cards of Trello, on all boards or within workspaces."""
