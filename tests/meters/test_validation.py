from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.errors import DomainError
from meters.validation import Dial, History, Known, Rank, Regression, parse_value, plain, windows_of

START = datetime(2025, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
DIAL = Dial(modulus=Decimal(1000), multiplier=Decimal(1), greatest_rate_per_hour=Decimal("13.8"))

half_hours = st.lists(st.integers(0, 6_900), min_size=1, max_size=50)


def mark(n):
    return START + n * HALF_HOUR


def values_of(energies, first):
    """Return the values of a dial of three digits that counts energies in thousandths."""
    return [Decimal(each % 1_000_000).scaleb(-3) for each in accumulate(energies, initial=first)]


class TestHistory:
    @given(half_hours, st.integers(0, 999_999), st.randoms(use_true_random=False))
    def test_takes_a_true_dials_values_in_any_order(self, energies, first, random: Random):
        values = list(enumerate(values_of(energies, first)))
        random.shuffle(values)
        history = History(DIAL, [])

        for n, value in values:
            history.judge(mark(n), value)

    @given(half_hours, st.integers(0, 999_999), st.data())
    def test_never_lets_a_late_value_change_a_closed_stretch(self, energies, first, data):
        values = values_of(energies, first)
        late = data.draw(st.integers(0, 999_999))
        ends = (Known(mark(0), values[0]), Known(mark(len(energies)), values[-1]))
        between = mark(0) + timedelta(minutes=1)
        before, after, turn = (int(each.scaleb(3)) for each in (values[0], values[-1], DIAL.modulus))
        fits = (late - before) % turn + (after - late) % turn == (after - before) % turn

        try:
            History(DIAL, ends).judge(between, Decimal(late).scaleb(-3))
        except Regression:
            assert not fits
        else:
            assert fits

    def test_does_not_let_a_refused_value_be_a_neighbour(self):
        history = History(DIAL, [Known(mark(0), Decimal(500))])
        with pytest.raises(Regression):
            history.judge(mark(1), Decimal(400))

        assert history.judge(mark(2), Decimal(501)) is None

    def test_leaves_an_instant_that_has_a_value_to_the_writer(self):
        history = History(DIAL, [Known(mark(0), Decimal(500)), Known(mark(1), Decimal(501))])

        assert history.judge(mark(1), Decimal(3)) is None

    def test_compares_nothing_across_the_ends_of_a_stay(self):
        removed = Known(mark(2), Decimal(900), Rank.REMOVED)
        installed = Known(mark(4), Decimal(10), Rank.INSTALLED)
        history = History(DIAL, [Known(mark(1), Decimal(899)), removed, installed])

        assert history.judge(mark(5), Decimal(11)) is None
        with pytest.raises(Regression):
            history.judge(mark(3) - HALF_HOUR - timedelta(minutes=1), Decimal(901))

    def test_holds_a_reading_to_the_read_of_an_event_at_the_same_instant(self):
        history = History(DIAL, [Known(mark(2), Decimal(900), Rank.INSTALLED)])

        with pytest.raises(Regression):
            history.judge(mark(2), Decimal(899))

    def test_weighs_a_turn_with_the_multiplier(self):
        history = History(
            Dial(DIAL.modulus, Decimal(10), DIAL.greatest_rate_per_hour), [Known(mark(0), Decimal("999.5"))]
        )

        with pytest.raises(Regression):
            history.judge(mark(1), Decimal("0.5"))

    def test_lets_a_longer_silence_carry_a_dial_further(self):
        assert History(DIAL, [Known(mark(0), Decimal(990))]).judge(mark(4), Decimal(15)) == mark(4)

    def test_notes_a_turn_at_the_later_value_when_an_earlier_one_comes_late(self):
        assert History(DIAL, [Known(mark(1), Decimal(1))]).judge(mark(0), Decimal(999)) == mark(1)


class TestParseValue:
    @pytest.mark.parametrize(
        ("offered", "value"),
        [
            (1450.5, "1450.5"),
            ("1450.5", "1450.5"),
            (7, "7"),
            (Decimal("0.000001"), "0.000001"),
            (Decimal("1e3"), "1000"),
        ],
    )
    def test_returns_what_was_written(self, offered, value):
        assert parse_value(offered) == Decimal(value)

    @pytest.mark.parametrize(
        "offered",
        [None, True, "x", "NaN", Decimal("NaN"), Decimal("Infinity"), float("inf"), "1e400", Decimal("1e9"), 10**9,
         Decimal("0.0000001"), [], {}, b"1"],
    )  # fmt: skip
    def test_refuses_what_no_dial_shows(self, offered):
        with pytest.raises(DomainError):
            parse_value(offered)

    @given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9) + 1, max_value=10**9 - 1, places=6))
    def test_keeps_every_digit(self, number):
        assert parse_value(number) == parse_value(str(number)) == number

    def test_is_written_back_plainly(self):
        assert [plain(Decimal(text)) for text in ("500.000000", "1E+2", "0.10")] == ["500", "100", "0.1"]


class TestWindowsOf:
    @given(st.lists(st.integers(0, 500), max_size=40, unique=True).map(sorted))
    def test_hold_every_instant_and_little_else(self, hours):
        times = [START + timedelta(hours=each) for each in hours]

        windows = windows_of(times)

        assert all(any(low <= time <= high for low, high in windows) for time in times)
        assert all(later[0] - earlier[1] > timedelta(days=1) for earlier, later in pairwise(windows))
