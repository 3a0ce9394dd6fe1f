"""Payments out of banks' files: matched, queued, counted once."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL, Actor
from billing.bankfiles import Options
from billing.models import BankImport, BankLine, Payment
from billing.selectors.bank import line_counts, match_lines, possible_bill_numbers, possible_numbers, undecided
from billing.services.bank import (
    AlreadyBooked,
    BadBankFile,
    LineDecided,
    assign_line,
    book_import,
    check_file,
    ignore_line,
    request_booking,
    resume_imports,
)
from billing.services.payments import UnknownPayee, WrongCurrency
from tests.factories import CustomerAccountFactory, ManagerFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
HEADER = "Transaction ID,Date,Details,Amount\n"
SGD = Options(currency="SGD")


@pytest.fixture
def bill():
    return singapore_bill(account=CustomerAccountFactory(number="A-1001"), first_day=date(2023, 2, 1), issued_at=NOW)


def check(text: str, name="march.csv", actor=PORTAL, options=SGD) -> BankImport:
    return check_file(content=(HEADER + text).encode(), name=name, options=options, actor=actor, now=NOW)


def book(text: str, name="march.csv", actor=PORTAL, **how) -> BankImport:
    checked = check(text, name, actor)
    request_booking(import_id=checked.pk, actor=actor, now=NOW)
    return book_import(import_id=checked.pk, now=NOW, **how)


def states(bank_import: BankImport) -> list[tuple[str, str]]:
    return list(bank_import.lines.order_by("line").values_list("status", "code"))


class TestPossibleNumbers:
    @pytest.mark.parametrize("text", ["A-1001", "bill for a-1001.", "A 1001 thanks", "A1001", "(A-1001)", "/A-1001/"])
    def test_holds_an_account_as_payers_write_it(self, text):
        assert "A-1001" in possible_numbers(text)

    def test_leaves_words_without_a_digit_out(self):
        assert possible_numbers("thank you all") == set()

    @pytest.mark.parametrize("text", ["202302-000001", "Bill 202302000001", "202302 000001 thanks", "no.202302/000001"])
    def test_holds_a_bill_as_payers_write_it(self, text):
        assert possible_bill_numbers(text) == {"202302-000001"}

    def test_sees_no_bill_in_longer_numbers(self):
        assert possible_bill_numbers("1202302000001") == set()


class TestMatchLines:
    def test_finds_the_bill_before_the_account(self, bill):
        (match,) = match_lines([BankLine(reference=f"A-1001 {bill.number}", currency="SGD")])

        assert (match.account, match.bill) == (bill.account, bill)

    def test_leaves_open_what_names_two_accounts(self, bill):
        CustomerAccountFactory(number="A-2002")

        (match,) = match_lines([BankLine(reference="A-1001 and A-2002", currency="SGD")])

        assert (match.account, match.code) == (None, "several_accounts")

    def test_leaves_open_what_came_in_another_currency(self, bill):
        (match,) = match_lines([BankLine(reference="A-1001", currency="EUR")])

        assert match.code == "wrong_currency"

    def test_asks_as_often_for_many_lines_as_for_one(self, bill):
        others = [CustomerAccountFactory() for _ in range(5)]
        counts = []
        for references in (
            [bill.number, others[0].number],
            [bill.number, *(other.number for other in others), "no 77"],
        ):
            with CaptureQueriesContext(connection) as captured:
                match_lines([BankLine(reference=reference, currency="SGD") for reference in references])
            counts.append(len(captured))

        assert counts[0] == counts[1]


class TestCheckFile:
    def test_says_of_each_line_what_booking_would_do_and_books_nothing(self, bill):
        found = check(
            "1,2023-03-10,A-1001,96.47\n2,2023-03-10,hello,5.00\n3,2023-03-10,fees,-1.00\n4,soon,A-1001,1.00\n"
        )

        assert states(found) == [("read", ""), ("read", "unmatched"), ("outgoing", ""), ("unreadable", "bad_date")]
        assert found.lines.first().account == bill.account
        assert not Payment.objects.exists()
        assert not undecided(BankLine.objects.all()).exists()

    def test_reads_the_same_file_anew_with_other_options(self, bill):
        text = "1,10/03/2023,A-1001,96.47\n"
        first = check("1,04/03/2023,A-1001,96.47\n")
        again = check("1,04/03/2023,A-1001,96.47\n", options=Options(currency="SGD", date_order="dmy"))

        assert states(again) == [("read", "")]
        assert first == again != check(text)

    def test_counts_lines_by_what_became_of_them(self, bill):
        found = check("1,2023-03-10,A-1001,96.47\n2,2023-03-10,hello,5.00\n2,2023-03-10,hello,5.00\n")

        assert [(each.status, each.code, each.count) for each in line_counts(found.pk)] == [
            ("duplicate", "duplicate", 1),
            ("read", "", 1),
            ("read", "unmatched", 1),
        ]

    @pytest.mark.parametrize("content", [b"", b"hello", HEADER.encode()])
    def test_refuses_what_is_no_banks_file(self, content):
        with pytest.raises(BadBankFile):
            check_file(content=content, name="x.csv", options=SGD, actor=PORTAL, now=NOW)

    def test_refuses_a_file_that_was_booked(self, bill):
        book("1,2023-03-10,A-1001,96.47\n")

        with pytest.raises(AlreadyBooked, match=r"march\.csv"):
            check("1,2023-03-10,A-1001,96.47\n", name="again.csv")


class TestBookImport:
    def test_books_what_it_can_and_leaves_the_rest_to_wait(self, bill):
        manager = ManagerFactory()

        done = book(
            f"1,2023-03-10,{bill.number},90.00\n2,2023-03-11,hello,5.00\n3,x,A-1001,1.00\n", actor=Actor(user=manager)
        )

        assert (done.status, done.lines_done, done.lines_total) == ("done", 3, 3)
        assert states(done) == [("booked", ""), ("waiting", "unmatched"), ("unreadable", "bad_date")]
        payment = Payment.objects.get()
        assert (payment.amount, payment.account, payment.bill) == (Decimal("90.00"), bill.account, bill)
        assert (payment.received_on, payment.origin, payment.recorded_by) == (date(2023, 3, 10), "bank", manager)
        assert undecided(BankLine.objects.all()).count() == 2

    def test_counts_a_line_of_two_files_once(self, bill):
        book("1,2023-03-10,A-1001,90.00\n2,2023-03-11,hello,5.00\n")

        later = book("2,2023-03-11,hello,5.00\n1,2023-03-10,A-1001,90.00\n3,2023-03-12,A-1001,6.47\n", name="april.csv")

        assert [status for status, _ in states(later)] == ["duplicate", "duplicate", "booked"]
        assert sum(Payment.objects.values_list("amount", flat=True)) == Decimal("96.47")

    def test_keeps_two_payments_apart_that_look_alike(self, bill):
        lines = ",2023-03-10,A-1001,5.00\n" * 2

        book(lines)
        book(lines + ",2023-03-12,A-1001,5.00\n", name="more.csv")

        assert Payment.objects.count() == 3

    def test_asks_a_manager_when_the_banks_number_says_something_else_now(self, bill):
        book("1,2023-03-10,A-1001,90.00\n")

        other = book("1,2023-03-10,A-1001,91.00\n", name="other.csv")
        third = book("1,2023-03-10,A-1001,91.00\n\n", name="third.csv")

        assert states(other) == [("waiting", "conflict")]
        assert states(third) == [("duplicate", "duplicate")]
        assert Payment.objects.count() == 1

    def test_leaves_a_line_of_a_day_to_come_to_wait_and_books_the_others(self, bill):
        done = book("1,2033-03-10,A-1001,90.00\n2,2023-03-10,A-1001,6.47\n")

        assert states(done) == [("waiting", "in_future"), ("booked", "")]

    def test_goes_on_where_it_stopped(self, bill, monkeypatch):
        checked = check("".join(f"{n},2023-03-10,A-1001,1.00\n" for n in range(5)))
        request_booking(import_id=checked.pk, actor=PORTAL, now=NOW)
        with monkeypatch.context() as patch:
            patch.setattr("billing.services.bank.record_payment", crash_after(3))
            with pytest.raises(OSError, match="power"):
                book_import(import_id=checked.pk, now=NOW, chunk_lines=2)
        assert BankImport.objects.get().status == "failed"

        request_booking(import_id=checked.pk, actor=PORTAL, now=NOW)
        done = book_import(import_id=checked.pk, now=NOW, chunk_lines=2)

        assert (done.status, done.lines_done, Payment.objects.count()) == ("done", 5, 5)

    def test_is_asked_for_again_where_its_worker_died(self, bill, django_capture_on_commit_callbacks):
        checked = check("1,2023-03-10,A-1001,90.00\n")
        BankImport.objects.update(status="running")

        with django_capture_on_commit_callbacks(execute=True):
            assert resume_imports() == 1

        checked.refresh_from_db()
        assert checked.status == "done"
        assert resume_imports() == 0

    def test_does_nothing_to_what_nobody_asked_to_book(self, bill):
        checked = check("1,2023-03-10,A-1001,90.00\n")

        assert book_import(import_id=checked.pk, now=NOW).status == "checked"


class TestDeciding:
    @pytest.fixture
    def line(self, bill):
        return book("1,2023-03-10,hello,5.00\n").lines.get()

    def test_books_a_line_to_the_account_that_a_manager_names(self, bill, line):
        manager = ManagerFactory()

        assign_line(line_id=line.pk, account_number="A-1001", actor=Actor(user=manager), now=NOW)

        line.refresh_from_db()
        assert (line.status, line.decided_by, line.payment.amount) == ("booked", manager, Decimal("5.00"))

    def test_refuses_a_line_that_is_booked(self, bill, line):
        assign_line(line_id=line.pk, account_number="A-1001", actor=PORTAL, now=NOW)

        with pytest.raises(LineDecided):
            assign_line(line_id=line.pk, account_number="A-1001", actor=PORTAL, now=NOW)

    def test_refuses_an_account_that_nobody_knows(self, line):
        with pytest.raises(UnknownPayee):
            assign_line(line_id=line.pk, account_number="A-9", actor=PORTAL, now=NOW)

        line.refresh_from_db()
        assert line.status == "waiting"

    def test_refuses_an_account_in_another_currency(self, bill, line):
        BankLine.objects.update(currency="EUR")

        with pytest.raises(WrongCurrency):
            assign_line(line_id=line.pk, account_number="A-1001", actor=PORTAL, now=NOW)

    def test_can_ignore_a_line_and_think_again(self, bill, line):
        ignored = ignore_line(line_id=line.pk, note="not ours", actor=PORTAL, now=NOW)
        assert (ignored.status, ignored.note) == ("ignored", "not ours")

        assert assign_line(line_id=line.pk, bill_number=bill.number, actor=PORTAL, now=NOW).payment.bill == bill

    def test_does_not_ask_about_an_ignored_line_again(self, bill, line):
        ignore_line(line_id=line.pk, note="", actor=PORTAL, now=NOW)

        assert states(book("1,2023-03-10,hello,5.00\n\n", name="again.csv")) == [("duplicate", "duplicate")]

    def test_makes_no_payment_of_what_could_not_be_read(self, bill):
        unreadable = book("1,soon,A-1001,5.00\n", name="bad.csv").lines.get()

        with pytest.raises(LineDecided, match="by hand"):
            assign_line(line_id=unreadable.pk, account_number="A-1001", actor=PORTAL, now=NOW)
        assert ignore_line(line_id=unreadable.pk, note="", actor=PORTAL, now=NOW).status == "ignored"


def crash_after(calls: int):
    from billing.services.payments import record_payment

    made = []

    def record(**asked):
        if len(made) == calls:
            raise OSError("power")
        made.append(asked)
        return record_payment(**asked)

    return record
