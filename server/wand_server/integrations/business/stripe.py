"""Stripe's API."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Cursor,
    Email,
    Integration,
    Page,
    Rate,
    Resource,
    Sent,
    delete,
    get,
    operation,
    post,
)
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.paging import Paging, found
from wand_server.integrations.kit.request import Request

Size = Annotated[int, Field(ge=1, le=100)]
CustomerId = Annotated[str, Field(description="cus_…")]
Amount = Annotated[int, Field(ge=1, description="in the smallest unit: 1999 is 19.99 of most currencies")]
Currency = Annotated[str, Field(pattern=r"^[a-z]{3}$", description="eur, usd …", examples=["eur"])]
Metadata = Annotated[dict[str, str], Field(description="words of your own, kept with it")]
Once = Annotated[
    str | None,
    Field(
        min_length=8, max_length=255, description="a word of your own; asked again with it, it is done once"
    ),
    Sent("Idempotency-Key", "header"),
]
Seconds = int | None
_VERSION = "2023-10-16"


@dataclass(frozen=True, slots=True)
class After(Paging):
    """What follows is asked for by the id of the last one."""

    def ask(self, request: Request, cursor: str) -> None:
        request.query["starting_after"] = cursor

    def read(self, request: Request, answered: Answered) -> tuple[Any, str | None]:  # noqa: ARG002
        items = found(answered.body, "data") or []
        last = items[-1].get("id") if items and found(answered.body, "has_more") else None
        return items, str(last) if last else None


class Customer(Resource):
    id: str = ""
    email: str | None = None
    name: str | None = None
    phone: str | None = None
    description: str | None = None
    balance: int | None = None
    created: Seconds = None
    deleted: bool | None = None
    metadata: dict[str, Any] | None = None


class Problem(Resource):
    code: str | None = None
    message: str | None = None


class PaymentIntent(Resource):
    id: str = ""
    amount: int = 0
    currency: str = ""
    status: str = ""
    customer: Any = None
    description: str | None = None
    latest_charge: Any = None
    last_payment_error: Problem | None = None
    created: Seconds = None


class Charge(Resource):
    id: str = ""
    amount: int = 0
    amount_refunded: int = 0
    currency: str = ""
    status: str | None = None
    paid: bool | None = None
    disputed: bool | None = None
    customer: Any = None
    payment_intent: Any = None
    failure_message: str | None = None
    receipt_url: str | None = None
    created: Seconds = None


class Refund(Resource):
    id: str = ""
    amount: int = 0
    currency: str = ""
    status: str | None = None
    reason: str | None = None
    failure_reason: str | None = None


class Invoice(Resource):
    id: str = ""
    number: str | None = None
    status: str | None = None
    customer: Any = None
    customer_email: str | None = None
    currency: str = ""
    amount_due: int = 0
    amount_paid: int = 0
    due_date: Seconds = None
    hosted_invoice_url: str | None = None
    created: Seconds = None


class Subscription(Resource):
    id: str = ""
    status: str = ""
    customer: Any = None
    current_period_end: Seconds = None
    cancel_at_period_end: bool | None = None
    canceled_at: Seconds = None
    created: Seconds = None


class PaymentLink(Resource):
    id: str = ""
    url: str = ""
    active: bool | None = None


class Line(Resource):
    """What is sold."""

    price: Annotated[str, Field(description="price_…")]
    quantity: Annotated[int, Field(ge=1)] = 1


class Money(Resource):
    amount: int = 0
    currency: str = ""


class Balance(Resource):
    available: list[Money] = []
    pending: list[Money] = []
    livemode: bool | None = None


class Product(Resource):
    id: str = ""
    name: str = ""
    description: str | None = None
    active: bool | None = None
    default_price: Any = None


class Stripe(Integration):
    """An account at Stripe."""

    class Config(Integration.Config):
        """Who signs in."""

        api_key: SecretStr = Field(description="sk_… or, with less rights, rk_…")
        account: str = Field(default="", description="acct_… of a connected account to act for")

    base_url = "https://api.stripe.com"
    sign_in = Bearer("api_key")
    setting_headers = {"Stripe-Account": "account"}
    headers: ClassVar[dict[str, str]] = {"Stripe-Version": _VERSION}
    rate = Rate(25)

    async def health_check(self) -> None:
        await self.get_balance()

    @get("/v1/customers", paging=After())
    async def list_customers(self, email: Email | None = None, limit: Size = 20) -> Page[Customer]:
        """List customers, the newest first; by e-mail address, whoever has just that one."""

    @post("/v1/customers", form="nested")
    async def create_customer(
        self,
        email: Email | None = None,
        name: str | None = None,
        phone: str | None = None,
        description: str | None = None,
        metadata: Metadata | None = None,
        once: Once = None,
    ) -> Customer:
        """Create a customer who is to pay."""

    @get("/v1/customers/{customer}")
    async def get_customer(self, customer: CustomerId) -> Customer:
        """Look at a customer: name, address, balance."""

    @get("/v1/customers/search", paging=Cursor(items="data", mark="next_page", sent_as="page"))
    async def search_customers(
        self,
        query: Annotated[
            str,
            Field(
                min_length=1, description="such as name:'Ann' or email~'example' AND metadata['plan']:'pro'"
            ),
        ],
        limit: Size = 20,
    ) -> Page[Customer]:
        """Find customers by name, e-mail address, phone or metadata."""

    @post("/v1/payment_intents", form="nested")
    async def create_payment_intent(
        self,
        amount: Amount,
        currency: Currency,
        customer: CustomerId | None = None,
        payment_method: Annotated[str | None, Field(description="pm_…")] = None,
        description: str | None = None,
        receipt_email: Email | None = None,
        metadata: Metadata | None = None,
        once: Once = None,
    ) -> PaymentIntent:
        """Create a payment intent: begin to take a payment from a customer; confirming it charges."""

    @post("/v1/payment_intents/{payment_intent}/confirm", form="nested")
    async def confirm_payment_intent(
        self,
        payment_intent: Annotated[str, Field(description="pi_…")],
        payment_method: Annotated[str | None, Field(description="pm_…")] = None,
        return_url: Annotated[
            str | None, Field(description="where the customer goes after a sign-in")
        ] = None,
        once: Once = None,
    ) -> PaymentIntent:
        """Confirm a payment intent: charge the customer's card or account."""

    @get("/v1/charges", paging=After())
    async def list_charges(
        self,
        customer: CustomerId | None = None,
        payment_intent: Annotated[str | None, Field(description="pi_…")] = None,
        limit: Size = 20,
    ) -> Page[Charge]:
        """List charges: payments that were taken or failed, the newest first."""

    @operation()
    async def create_refund(
        self,
        payment: Annotated[
            str, Field(pattern=r"^(pi|ch|py)_", description="pi_… or ch_…", examples=["pi_1"])
        ],
        amount: Annotated[int | None, Field(ge=1, description="left out: all of it")] = None,
        reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None,
        once: Once = None,
    ) -> Refund:
        """Refund a payment to the customer: give money back, all or some."""
        intent, charge = (payment, None) if payment.startswith("pi_") else (None, payment)
        return await self._refund(
            payment_intent=intent, charge=charge, amount=amount, reason=reason, once=once
        )

    @post("/v1/refunds", form="nested")
    async def _refund(
        self,
        payment_intent: str | None = None,
        charge: str | None = None,
        amount: int | None = None,
        reason: str | None = None,
        once: Once = None,
    ) -> Refund:
        """A refund as Stripe takes it."""

    @get("/v1/invoices", paging=After())
    async def list_invoices(
        self,
        customer: CustomerId | None = None,
        status: Literal["draft", "open", "paid", "uncollectible", "void"] | None = None,
        subscription: Annotated[str | None, Field(description="sub_…")] = None,
        limit: Size = 20,
    ) -> Page[Invoice]:
        """List invoices: paid, open and unpaid bills, the newest first."""

    @post("/v1/invoices", form="nested")
    async def create_invoice(
        self,
        customer: CustomerId,
        description: str | None = None,
        collection_method: Annotated[
            Literal["charge_automatically", "send_invoice"],
            Field(description="send_invoice: needs days_until_due"),
        ] = "charge_automatically",
        days_until_due: Annotated[int | None, Field(ge=0)] = None,
        pending_items: Annotated[
            Literal["include", "exclude"], Sent("pending_invoice_items_behavior")
        ] = "include",
        auto_advance: Annotated[bool, Field(description="finalize it by itself within an hour")] = False,  # noqa: FBT002
        metadata: Metadata | None = None,
        once: Once = None,
    ) -> Invoice:
        """Create an invoice: bill a customer for the items that wait."""

    @get("/v1/subscriptions", paging=After())
    async def list_subscriptions(
        self,
        customer: CustomerId | None = None,
        status: Literal["active", "past_due", "unpaid", "canceled", "trialing", "paused", "all"]
        | None = None,
        limit: Size = 20,
    ) -> Page[Subscription]:
        """List subscriptions: plans that customers pay for again and again."""

    @delete("/v1/subscriptions/{subscription}")
    async def cancel_subscription(
        self,
        subscription: Annotated[str, Field(description="sub_…")],
        invoice_now: Annotated[bool, Field(description="bill what was used")] = False,  # noqa: FBT002
        prorate: Annotated[bool, Field(description="credit what was not used")] = False,  # noqa: FBT002
    ) -> Subscription:
        """Cancel a customer's subscription at once."""

    @post("/v1/payment_links", form="nested")
    async def create_payment_link(
        self,
        line_items: Annotated[list[Line], Field(min_length=1, max_length=20)],
        allow_promotion_codes: bool | None = None,  # noqa: FBT001
        metadata: Metadata | None = None,
        once: Once = None,
    ) -> PaymentLink:
        """Create a payment link: a page to share where people can pay."""

    @get("/v1/balance")
    async def get_balance(self) -> Balance:
        """Say how much money the account has, and how much is on its way."""

    @get("/v1/products", paging=After())
    async def list_products(
        self,
        active: bool | None = None,  # noqa: FBT001
        limit: Size = 20,
    ) -> Page[Product]:
        """List the products that are sold."""
