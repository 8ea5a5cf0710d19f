"""Square's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, SecretStr

from wand_server.integrations import kit
from wand_server.integrations.kit import Page, Resource, Sent, at, get, post

Size = Annotated[int, Field(ge=1, le=100)]
Word = Annotated[str, Field(min_length=1, max_length=45, description="of yours: the same does it only once")]
Once = Annotated[Word, Sent("idempotency_key")]
Amount = Annotated[int, Sent("amount_money.amount"), Field(ge=1, description="in the smallest unit: cents")]
Currency = Annotated[str, Sent("amount_money.currency"), Field(pattern="^[A-Z]{3}$", examples=["USD"])]
Place = Annotated[str, Sent("invoice.location_id")]
Order = Annotated[str, Sent("invoice.order_id")]
Of = Annotated[str, Sent("invoice.primary_recipient.customer_id")]
WHOLE = PlainSerializer(lambda day: [{"request_type": "BALANCE", "due_date": day}])
Due = Annotated[kit.Date, WHOLE, Sent("invoice.payment_requests")]
BY_MAIL = {"invoice.delivery_method": "EMAIL", "invoice.accepted_payment_methods.card": True}
Phone = Annotated[str | None, Sent("phone_number")]
Mail = Annotated[str, Sent("query.filter.email_address.fuzzy")]
Places = Annotated[list[str], Sent("location_ids"), Field(min_length=1, description="from list_locations")]
State = Literal["OPEN", "COMPLETED", "CANCELED", "DRAFT"]
States = Annotated[list[State] | None, Sent("query.filter.state_filter.states")]


def pages(items: str) -> kit.Cursor:
    return kit.Cursor(items=items, mark="cursor")


class Paid(Resource):  # a payment, a refund, an order
    id: str = ""
    status: str | None = None
    state: str | None = None
    amount: Annotated[int | None, at("amount_money.amount")] = None
    total: Annotated[int | None, at("total_money.amount")] = None
    currency: Annotated[str | None, at("amount_money.currency")] = None
    customer_id: str | None = None
    order_id: str | None = None
    location_id: str | None = None
    created_at: str | None = None
    receipt_url: str | None = None
    line_items: list[dict[str, Any]] | None = None


class Customer(Resource):
    id: str = ""
    given_name: str | None = None
    family_name: str | None = None
    company_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None


class Invoice(Resource):
    id: str = ""
    status: str | None = None
    invoice_number: str | None = None
    public_url: str | None = None


class Thing(Resource):  # of the catalog
    id: str = ""
    type: str | None = None
    name: Annotated[str | None, at("item_data.name")] = None
    description: Annotated[str | None, at("item_data.description")] = None


class Location(Resource):
    id: str = ""
    name: str | None = None
    status: str | None = None
    currency: str | None = None


class Square(kit.Integration):
    """A seller at Square."""

    class Config(kit.Integration.Config):
        token: SecretStr

    base_url = "https://connect.squareup.com"
    sign_in = kit.Bearer("token")
    headers = {"Square-Version": "2025-08-20"}
    rate = kit.Rate(10)

    async def health_check(self) -> None:
        await self.list_locations()

    @get("/v2/payments", paging=pages("payments"))
    async def list_payments(self, begin_time: kit.DateTime | None = None, limit: Size = 50) -> Page[Paid]:
        """List the payments that a seller at Square has taken, the newest first."""

    @post("/v2/payments", place="payment", idempotent=True)
    async def create_payment(
        self, source_id: str, amount: Amount, currency: Currency, once: Once, customer_id: str | None = None,
        note: str | None = None,
    ) -> Paid:  # fmt: skip
        """Take a payment from a card on file or another source (source_id)."""

    @get("/v2/payments/{payment}", place="payment")
    async def get_payment(self, payment: str) -> Paid:
        """Look at a payment at Square: whether it went through, and its receipt."""

    @post("/v2/refunds", place="refund", idempotent=True)
    async def refund_payment(
        self, payment: Annotated[str, Sent("payment_id")], amount: Amount, currency: Currency, once: Once,
        reason: str | None = None,
    ) -> Paid:  # fmt: skip
        """Give the money of a payment back, or a part of it."""

    @get("/v2/customers", paging=pages("customers"))
    async def list_customers(self, limit: Size = 50) -> Page[Customer]:
        """List the customers of a seller at Square."""

    @post("/v2/customers", place="customer", idempotent=True)
    async def create_customer(
        self, given_name: str, family_name: str, email_address: str, once: Once, phone: Phone = None
    ) -> Customer:
        """Create a customer at Square."""

    @post("/v2/customers/search", paging=pages("customers"), read_only=True)
    async def search_customers(self, email: Mail, limit: Size = 50) -> Page[Customer]:
        """Search the customers at Square by a part of their e-mail address."""

    @post("/v2/orders/search", paging=pages("orders"), read_only=True)
    async def search_orders(self, locations: Places, states: States = None, limit: Size = 50) -> Page[Paid]:
        """Search the orders of locations of Square, those of some states alone."""

    @post("/v2/invoices", place="invoice", fixed=BY_MAIL, idempotent=True)
    async def create_invoice(
        self, location: Place, order: Order, customer: Of, due: Due, once: Once
    ) -> Invoice:
        """Draft an invoice for an order of a customer; it is not sent yet."""

    @get("/v2/catalog/list", paging=pages("objects"))
    async def list_catalog(self, types: str = "ITEM") -> Page[Thing]:
        """List what is sold: the items of the catalog, or things of other types."""

    @get("/v2/locations", place="locations")
    async def list_locations(self) -> list[Location]:
        """List the locations (shops) of a seller at Square."""
