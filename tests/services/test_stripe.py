"""Stripe's operations that move money, against localstripe: its forms, its states, its refusals."""

import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from support.places import free_port
from support.servers import PROGRAMS, running
from wand_proto.errors import Denied, Invalid, NotFound
from wand_server.integrations.business.stripe import Stripe

LOCALSTRIPE = PROGRAMS / "localstripe"
KEY = "sk_test_of_a_test"

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not LOCALSTRIPE.exists(), reason="localstripe is not installed: ./dev services"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    words = [str(LOCALSTRIPE), "--port", str(port), "--from-scratch"]
    with running(words, url, tmp_path_factory.mktemp("stripe")):
        yield url


@pytest.fixture
async def stripe(url: str) -> AsyncIterator[Stripe]:
    service = Stripe(Stripe.Config(base_url=url, api_key=SecretStr(KEY)))
    await service.initialize()
    yield service
    await service.cleanup()


async def call(service: Stripe, name: str, /, **given: Any) -> Any:
    return await service.execute(name, given)


def card(url: str, customer: str) -> str:
    """A card that pays, which a browser would have made."""
    form = "type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123"
    made = asked(url, "/v1/payment_methods", form)
    asked(url, f"/v1/payment_methods/{made}/attach", f"customer={customer}")
    return made


def asked(url: str, path: str, form: str) -> str:
    request = urllib.request.Request(url + path, form.encode(), {"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.loads(answer.read())["id"])


async def test_a_payment_is_begun_confirmed_and_given_back(stripe: Stripe, url: str) -> None:
    customer = await call(
        stripe, "create_customer", email="ann@example.com", name="Ann", metadata={"plan": "pro"}
    )
    assert (await call(stripe, "get_customer", customer=customer["id"]))["metadata"] == {"plan": "pro"}
    begun = await call(
        stripe, "create_payment_intent", amount=1999, currency="eur", customer=customer["id"],
        payment_method=card(url, customer["id"]), metadata={"order": "7"},
    )  # fmt: skip
    assert (begun["amount"], begun["status"]) == (1999, "requires_confirmation")
    paid = await call(stripe, "confirm_payment_intent", payment_intent=begun["id"])
    assert paid["status"] == "succeeded"
    (charge,) = (await call(stripe, "list_charges", customer=customer["id"]))["items"]
    assert (charge["amount"], charge["paid"]) == (1999, True)
    back = await call(stripe, "create_refund", payment=charge["id"], amount=500)
    assert (back["amount"], back["status"]) == (500, "succeeded")


async def test_lists_go_on_after_the_last(stripe: Stripe) -> None:
    for number in range(3):
        await call(stripe, "create_customer", email=f"c{number}@example.com", name=f"c{number}")
    page = await call(stripe, "list_customers", limit=2)
    assert len(page["items"]) == 2
    more = await call(stripe, "list_customers", limit=2, cursor=page["next_cursor"])
    assert {one["id"] for one in more["items"]}.isdisjoint({one["id"] for one in page["items"]})


async def test_what_stripe_refuses_is_told(stripe: Stripe, url: str) -> None:
    with pytest.raises(NotFound):
        await call(stripe, "get_customer", customer="cus_nobody")
    with pytest.raises(Invalid):
        await call(stripe, "create_payment_intent", amount=5, currency="EURO")
    other = Stripe(Stripe.Config(base_url=url, api_key=SecretStr("no key at all")))
    with pytest.raises(Denied) as caught:
        await call(other, "get_customer", customer="cus_nobody")
    assert "no key at all" not in str(caught.value)
    await other.cleanup()


async def test_lines_and_words_of_ones_own_are_nested_in_the_form() -> None:
    async with serving(Says(body={"id": "plink_1", "url": "https://buy.example/1"})) as service:
        stripe = Stripe(Stripe.Config(base_url=service.url, api_key=SecretStr(KEY), account="acct_1"))
        await stripe.initialize()
        lines = [{"price": "price_1", "quantity": 2}, {"price": "price_2"}]
        await call(stripe, "create_payment_link", line_items=lines, once="order-7-link")
        asked_for = service.asked[0]
        assert parse_qsl(asked_for.body) == [
            ("line_items[0][price]", "price_1"), ("line_items[0][quantity]", "2"),
            ("line_items[1][price]", "price_2"), ("line_items[1][quantity]", "1"),
        ]  # fmt: skip
        assert asked_for.headers["idempotency-key"] == "order-7-link"
        assert (asked_for.headers["stripe-account"], asked_for.headers["stripe-version"]) == (
            "acct_1",
            "2023-10-16",
        )
        await stripe.cleanup()
