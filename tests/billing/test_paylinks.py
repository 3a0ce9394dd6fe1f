import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from billing.paylinks import Asked, pay_link, signature

TEMPLATE = (
    "https://pay.example/?bill={number}&amount={amount}&currency={currency}&account={account}"
    "&back={return_url}&signature={signature}"
)
ASKED = Asked("202302-000001", Decimal("96.4"), "SGD", "A&1001", "https://portal.example/payments?x=1")


class TestPayLink:
    def test_carries_what_is_to_be_paid(self):
        query = parse_qs(urlsplit(pay_link(TEMPLATE, "secret", ASKED)).query)

        assert {name: values[0] for name, values in query.items() if name != "signature"} == {
            "bill": "202302-000001",
            "amount": "96.40",
            "currency": "SGD",
            "account": "A&1001",
            "back": "https://portal.example/payments?x=1",
        }

    def test_is_signed_so_that_a_provider_can_check_it(self):
        message = "202302-000001\n96.40\nSGD\nA&1001\nhttps://portal.example/payments?x=1"
        expected = hmac.new(b"secret", message.encode(), hashlib.sha256).hexdigest()

        assert pay_link(TEMPLATE, "secret", ASKED).endswith(f"signature={expected}")

    def test_is_signed_otherwise_for_another_amount(self):
        assert signature("secret", ASKED) != signature("secret", replace(ASKED, amount=Decimal("1.00")))

    def test_leaves_places_that_it_does_not_know(self):
        assert pay_link("https://pay.example/{amount}/{other}", "", ASKED) == "https://pay.example/96.40/{other}"

    def test_is_none_without_a_web_address(self):
        assert pay_link("", "secret", ASKED) is None
        assert pay_link("javascript:alert({amount})", "secret", ASKED) is None
