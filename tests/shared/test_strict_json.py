import json
from decimal import Decimal

import pytest
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared import strict_json
from energy_portal.shared.strict_json import DEEPEST_NESTING, MalformedJSON

clean_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.one_of(st.integers(-(10**30), 10**30), st.decimals(-(10**12), 10**12, allow_nan=False, places=9))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, clean_text),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(clean_text, inner)),
)


class TestLoads:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"NaN",
            b"[Infinity]",
            b"-Infinity",
            b"1e400",
            b'{"reading": -1E+400}',
            b"1e99999999999999999999",
            b"1e-400",
            b"0." + b"1" * 60,
            b"9" * 41,
            b"9" * 5000,
            b'"\\u0000"',
            b'{"\\u0000": 1}',
            b'["a\\u0000b"]',
            b'"\x00"',
            b'"\\ud800"',
            b'"\xff"',
            b"\xef\xbb\xbf1",
            b"01",
            b"1 2",
            b"{'a': 1}",
            b"[1,]",
            b'{"a": 1} // no',
            b"[" * 100 + b"1" + b"]" * 100,
            b'{"a":' * 100 + b"1" + b"}" * 100,
            b"[" * 100_000,
        ],
    )
    def test_refuses_what_the_portal_does_not_accept(self, body):
        with pytest.raises(MalformedJSON) as refusal:
            strict_json.loads(body)

        assert (refusal.value.code, refusal.value.status) == ("malformed_json", 400)

    @pytest.mark.parametrize(
        ("body", "text"), [(b"1450.50", "1450.50"), (b"0.1", "0.1"), (b"1e3", "1E+3"), (b"-0.30", "-0.30")]
    )
    def test_keeps_the_decimal_text_of_a_number(self, body, text):
        assert str(strict_json.loads(body)) == text

    def test_takes_a_backslash_before_u0000_for_what_it_is(self):
        assert strict_json.loads(b'"\\\\u0000"') == "\\u0000"

    def test_takes_as_many_levels_as_it_says(self):
        strict_json.loads(b"[" * DEEPEST_NESTING + b"1" + b"]" * DEEPEST_NESTING)

    @given(st.binary())
    def test_never_fails_but_with_its_own_error(self, body):
        try:
            strict_json.loads(body)
        except MalformedJSON:
            return

        json.loads(body)

    @given(documents)
    def test_reads_back_what_dumps_wrote(self, document):
        assert strict_json.loads(strict_json.dumps(document)) == document


class TestDumps:
    @pytest.mark.parametrize("text", ["0.10", "450.5", "-1.000", "12345678901234567890.123456789"])
    def test_writes_a_decimal_with_its_own_digits(self, text):
        assert strict_json.dumps([Decimal(text)]) == f"[{text}]".encode()

    def test_writes_null_for_what_is_not_finite(self):
        document = {"a": [Decimal("NaN"), float("inf")], "b": Decimal("-Infinity"), "c": "NaN"}

        assert json.loads(strict_json.dumps(document)) == {"a": [None, None], "b": None, "c": "NaN"}

    def test_writes_texts_that_are_translated_late_and_rows_that_come_late(self):
        assert strict_json.dumps({"a": lazystr("soon"), "b": (n for n in (1, 2))}) == b'{"a":"soon","b":[1,2]}'

    def test_refuses_what_has_no_form(self):
        with pytest.raises(TypeError, match="no form in JSON"):
            strict_json.dumps(object())
