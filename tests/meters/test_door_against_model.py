"""The door against a slow, obvious model of what it promises, whatever comes in whichever order."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.actors import PORTAL
from meters.models import ReadingException, Register, RegisterReading, RegisterState, SupersededReading
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import supplied_register

START = datetime(2025, 2, 28, 12, tzinfo=UTC)
NOW = datetime(2025, 3, 15, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
MARKS = 14
# All in thousandths: a dial of three digits, and what 13.8 kW carry in half an hour.
TURN = 1_000_000
CAPACITY = 6_900
TRUE, LIKE_DAY, LINEAR = 17, 8, 9

pytestmark = pytest.mark.django_db


class Model:
    """One register as plain dictionaries of mark to (value, quality), searched from end to end."""

    def __init__(self, *, dial):
        self.dial = dial
        self.true = {}
        self.estimates = {}
        self.superseded = Counter()
        self.kept = set()

    def receive(self, rows):
        """Take rows (index, mark, value, quality) in; return what became of each index."""
        became = {}
        for index, mark, value, quality in sorted(rows, key=lambda row: (row[1], row[0])):
            if quality == TRUE:
                became[index] = self._receive_true(mark, value)
        late = sorted((row for row in rows if row[3] != TRUE), key=lambda row: (row[1], row[0]))
        offered = {mark for _, mark, _, _ in late}
        beside = {mark for mark in self.estimates if mark not in offered}
        taken = {}
        for index, mark, value, quality in late:
            became[index] = self._receive_estimate(mark, value, quality, beside, taken)
        return became

    def _receive_true(self, mark, value):
        if mark in self.true:
            if self.true[mark][0] == value:
                return "duplicate"
            self.kept.add(("conflict", mark, value))
            return "conflict"
        if not self.dial and value > CAPACITY:
            self.kept.add(("over_capacity", mark, value))
            return "over_capacity"
        if not self._fits(mark, value, self.true):
            self.kept.add(("regression", mark, value))
            return "regression"
        if self.dial and self._speeds(mark, value):
            self.kept.add(("over_capacity", mark, value))
            return "over_capacity"
        before = max((each for each in self.true if each < mark), default=-1)
        after = min((each for each in self.true if each > mark), default=MARKS)
        for each in list(self.estimates):
            if each == mark or (self.dial and before < each < after):
                self._drop(each, "true_data")
        self.true[mark] = (value, TRUE)
        return "stored"

    def _receive_estimate(self, mark, value, quality, beside, taken):
        standing = self.true.get(mark, taken.get(mark))
        if standing is not None:
            return "duplicate" if standing[0] == value else "estimate_not_taken"
        older = self.estimates.get(mark)
        if not self.dial and value > CAPACITY and (older is None or older[0] != value):
            self.kept.add(("over_capacity", mark, value))
            return "over_capacity"
        neighbours = self.true | {each: self.estimates[each] for each in beside if each != mark}
        if not self._fits(mark, value, neighbours):
            if older is not None:
                if self._fits(mark, older[0], neighbours):
                    beside.add(mark)
                else:
                    self._drop(mark, "new_estimate")
            return "estimate_not_taken"
        beside.add(mark)
        if older is not None:
            if older[0] == value:
                return "duplicate"
            self._drop(mark, "new_estimate")
        self.estimates[mark] = taken[mark] = (value, quality)
        return "stored"

    def _drop(self, mark, reason):
        self.superseded[mark, *self.estimates.pop(mark), reason] += 1

    def _fits(self, mark, value, known):
        if not self.dial:
            return True
        before = max((each for each in known if each < mark), default=None)
        after = min((each for each in known if each > mark), default=None)
        if before is not None and after is not None:
            low, high = known[before][0], known[after][0]
            return (value - low) % TURN <= (high - low) % TURN
        if before is not None:
            return self._carries(known[before][0], value, mark - before)
        return after is None or self._carries(value, known[after][0], after - mark)

    def _speeds(self, mark, value):
        around = [max((each for each in self.true if each < mark), default=None)]
        around.append(min((each for each in self.true if each > mark), default=None))
        shown = {each: self.true[each][0] for each in around if each is not None}
        if len(shown) == 2 and self._is_fast(shown, *around):
            return False
        marks = sorted([*shown, mark])
        return any(self._is_fast(shown | {mark: value}, *pair) for pair in pairwise(marks))

    @staticmethod
    def _is_fast(shown, earlier, later):
        return (shown[later] - shown[earlier]) % TURN > (later - earlier) * CAPACITY

    @staticmethod
    def _carries(earlier, later, half_hours):
        return later >= earlier or (later - earlier) % TURN <= half_hours * CAPACITY


@st.composite
def batches(draw):
    """Draw what two registers are sent: late, repeated, wrong, turned over, estimated before and after the truth."""
    first = draw(st.integers(TURN - 30_000, TURN - 1))
    shown = [first]
    for _ in range(MARKS):
        shown.append((shown[-1] + draw(st.sampled_from([0, 1, 1_500, CAPACITY, CAPACITY + 1]))) % TURN)
    off = st.sampled_from([0] * 8 + [1, -1, 700, -700, 9_000, -40_000, 500_000])
    row = st.tuples(
        st.booleans(), st.integers(0, MARKS - 1), off, st.sampled_from([TRUE, TRUE, TRUE, TRUE, LINEAR, LIKE_DAY])
    )
    curve = st.builds(
        lambda low, length, off: [(True, mark, off, LIKE_DAY) for mark in range(low, min(low + length, MARKS))],
        st.integers(0, MARKS - 1),
        st.integers(1, 5),
        st.sampled_from([0, 300, 900, -300, 1_500]),
    )
    batch = st.one_of(st.lists(row, min_size=1, max_size=12), curve)
    return [
        [
            (is_dial, mark, (shown[mark] + error) % TURN if is_dial else abs(shown[mark] % CAPACITY + error), quality)
            for is_dial, mark, error, quality in rows
        ]
        for rows in draw(st.lists(batch, min_size=1, max_size=6))
    ]


class TestTheDoor:
    @settings(max_examples=70, deadline=None)
    @given(batches())
    def test_is_no_different_from_the_model(self, sent):
        registers = {
            kind: supplied_register(kind=kind, digits=3) for kind in (Register.Kind.CUMULATIVE, Register.Kind.INTERVAL)
        }
        models = {kind: Model(dial=kind == Register.Kind.CUMULATIVE) for kind in registers}
        for number, batch in enumerate(sent):
            kinds = [Register.Kind.CUMULATIVE if row[0] else Register.Kind.INTERVAL for row in batch]
            rows = [
                OfferedReading(
                    registers[kind].meter.serial, START + mark * HALF_HOUR, Decimal(value).scaleb(-3), quality=quality
                )
                for kind, (_, mark, value, quality) in zip(kinds, batch, strict=True)
            ]

            report = receive_readings(readings=rows, actor=PORTAL, now=NOW + timedelta(minutes=number))

            expected = {}
            for kind, model in models.items():
                expected |= model.receive([(n, *row[1:]) for n, row in enumerate(batch) if kinds[n] == kind])
            check_report(report, expected)
            for kind, register in registers.items():
                check_register(register, models[kind])


def check_report(report, expected):
    counts = Counter(expected.values())
    assert (report.stored, report.duplicates) == (counts["stored"], counts["duplicate"])
    named = {
        "conflicts": {"conflict"},
        "quarantined": {"over_capacity"},
        "rejected": {"regression", "estimate_not_taken"},
    }
    for field, codes in named.items():
        listed = {each.index: each.code for each in getattr(report, field)}
        assert listed == {index: code for index, code in expected.items() if code in codes}


def check_register(register, model):
    def plain(rows):
        return [((time - START) // HALF_HOUR, int(value.scaleb(3)), *rest) for time, value, *rest in rows]

    readings = RegisterReading.objects.filter(register=register).order_by("time")
    held = plain(readings.values_list("time", "value", "quality"))
    assert held == sorted((mark, *rest) for mark, rest in (model.true | model.estimates).items())
    gone = SupersededReading.objects.filter(register=register)
    assert Counter(plain(gone.values_list("time", "value", "quality", "reason"))) == model.superseded
    state = RegisterState.objects.get(register=register) if held or gone or model.kept else None
    if state is not None:
        newest = max(model.true, default=None)
        assert state.last_time == (None if newest is None else START + newest * HALF_HOUR)
        assert state.last_value == (None if newest is None else Decimal(model.true[newest][0]).scaleb(-3))
        earliest = min(model.estimates, default=None)
        assert state.estimated_from == (None if earliest is None else START + earliest * HALF_HOUR)
    exceptions = plain(ReadingException.objects.filter(register=register).values_list("time", "offered_value", "code"))
    assert {(code, mark, value) for mark, value, code in exceptions if code != "rollover"} == model.kept
    if model.dial:
        falls = {later[0] for earlier, later in pairwise(held) if later[1] < earlier[1]}
        assert falls <= {mark for mark, _, code in exceptions if code == "rollover"}
