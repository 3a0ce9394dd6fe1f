from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from billing.allocation import Document, allocate

ISSUED = datetime(2025, 1, 2, tzinfo=UTC)
FIRST_DUE = date(2025, 1, 23)


def bill(total: str, month: int = 0) -> Document:
    late = timedelta(days=30 * month)
    return Document(uuid4(), Decimal(total), FIRST_DUE + late, ISSUED + late)


def note(of: Document) -> Document:
    return Document(uuid4(), -of.total, of.due_on, of.issued_at + timedelta(days=5), takes_back=of.id)


class TestAllocate:
    def test_settles_the_bill_that_is_due_first(self):
        old, new = bill("100.00"), bill("50.00", 1)

        found = allocate([new, old], Decimal("120.00"))

        assert found.open_amounts == {old.id: Decimal("0.00"), new.id: Decimal("30.00")}
        assert (found.credit, found.owed_besides) == (0, 0)

    def test_leaves_a_credit_over(self):
        only = bill("96.47")

        found = allocate([only], Decimal("100.00"))

        assert found.open_amounts == {only.id: 0}
        assert found.credit == Decimal("3.53")

    def test_lets_a_credit_note_settle_the_bill_that_it_takes_back_and_no_older_one(self):
        old, wrong = bill("100.00"), bill("50.00", 1)

        found = allocate([old, wrong, note(wrong)], Decimal("0.00"))

        assert found.open_amounts == {old.id: Decimal("100.00"), wrong.id: Decimal("0.00")}

    def test_frees_what_had_been_paid_for_a_bill_that_is_taken_back(self):
        wrong, right = bill("50.00"), bill("40.00", 1)

        found = allocate([wrong, note(wrong), right], Decimal("50.00"))

        assert found.open_amounts == {wrong.id: 0, right.id: 0}
        assert found.credit == Decimal("10.00")

    def test_takes_a_bill_below_zero_as_money(self):
        credit, due = bill("-20.00"), bill("50.00", 1)

        assert allocate([credit, due], Decimal(0)).open_amounts == {due.id: Decimal("30.00")}

    def test_charges_again_what_a_bill_below_zero_gave_once_it_is_taken_back(self):
        credit, due = bill("-20.00"), bill("50.00", 1)

        assert allocate([credit, note(credit), due], Decimal(0)).open_amounts == {due.id: Decimal("50.00")}

    def test_tells_what_was_paid_back_beyond_what_came_in(self):
        found = allocate([], Decimal("-5.00"))

        assert (found.credit, found.owed_besides) == (0, Decimal("5.00"))

    @given(st.data())
    def test_loses_and_makes_no_cent(self, data):
        cents = st.integers(-20_000, 60_000).map(lambda n: Decimal(n) / 100)
        bills = [bill(str(total), month) for month, total in enumerate(data.draw(st.lists(cents, max_size=8)))]
        notes = [note(each) for each in bills if data.draw(st.booleans())]
        paid = data.draw(cents)

        found = allocate(data.draw(st.permutations([*bills, *notes])), paid)

        owed = sum((each.total for each in (*bills, *notes)), Decimal(0)) - paid
        assert sum(found.open_amounts.values(), Decimal(0)) + found.owed_besides - found.credit == owed
        assert all(amount >= 0 for amount in found.open_amounts.values())
        assert 0 in {found.credit, found.owed_besides}
