"""Square: money as Square writes it, and an invoice that is due as a whole."""

import json
from typing import Any

from pydantic import SecretStr

from support.foreign import Asked, Says, serving
from wand_server.integrations.business.square import Square


async def asked(says: Any, operation: str, **given: Any) -> tuple[Any, Asked]:
    """What an operation gives back of that answer, and the request."""
    async with serving(Says(body=says)) as service:
        square = Square(Square.Config(base_url=service.url, token=SecretStr("t")))
        try:
            return await square.execute(operation, given), service.asked[-1]
        finally:
            await square.cleanup()


async def test_a_refund_is_of_an_amount_and_done_once() -> None:
    money = {"amount": 250, "currency": "USD"}
    told, request = await asked(
        {"refund": {"id": "r", "status": "PENDING", "amount_money": money}},
        "refund_payment",
        payment="p",
        amount=250,
        currency="USD",
        once="word",
    )
    assert json.loads(request.body) == {"payment_id": "p", "amount_money": money, "idempotency_key": "word"}
    assert told == {"id": "r", "status": "PENDING", "amount": 250, "currency": "USD"}


async def test_an_invoice_is_due_as_a_whole_and_comes_by_mail() -> None:
    _, request = await asked(
        {"invoice": {"id": "i", "status": "DRAFT"}},
        "create_invoice",
        location="l",
        order="o",
        customer="c",
        due="2026-12-01",
        once="word",
    )
    assert json.loads(request.body) == {
        "invoice": {
            "location_id": "l",
            "order_id": "o",
            "primary_recipient": {"customer_id": "c"},
            "payment_requests": [{"request_type": "BALANCE", "due_date": "2026-12-01"}],
            "delivery_method": "EMAIL",
            "accepted_payment_methods": {"card": True},
        },
        "idempotency_key": "word",
    }
