"""Values that come for a month which lies in the archive: known again, or kept until it takes them in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from meters.models import ArchivedMonth, ReadingException, RegisterReading, Severity
from meters.selectors.archive import ARCHIVED, InArchive
from meters.selectors.reading_lists import ReadingList
from meters.series.partitions import list_partitions
from meters.services.archive_runs import archive_and_prepare, plan_archive, restore_months
from meters.services.corrections import correct_reading, withdraw_readings
from meters.services.entering import Change, Estimate, enter_estimates, replace_readings
from meters.services.readings import OfferedReading, receive_readings
from meters.store import REGISTER_READINGS
from tests.factories import DataSourceFactory, supplied_register
from tests.meters.helpers import every_reading

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
START = datetime(2025, 1, 20, tzinfo=UTC)
DAYS = 30
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"


@pytest.fixture
def register():
    """Make a register that was read each midnight of thirty days, whose January is archived."""
    register = supplied_register()
    report = send(register, *((START + timedelta(days=day), day * 12) for day in range(DAYS)))
    assert report.stored == DAYS
    run()
    return register


def send(register, *readings, actor=PORTAL, **more):
    serial = register.meter.serial
    return receive_readings(
        readings=[OfferedReading(serial, time, Decimal(value), **more) for time, value in readings],
        actor=actor,
        now=NOW,
    )


def run():
    return archive_and_prepare(actor=PORTAL, now=NOW, until=date(2025, 2, 1), wait_seconds=0)


def shown(register):
    return {each.time: each.value for each in every_reading(ReadingList(register))}


def waiting():
    return ReadingException.objects.filter(code=ARCHIVED, status="open")


class TestALateValue:
    def test_waits_for_the_archive(self, register):
        late = START + HALF_HOUR

        report = send(register, (late, "0.25"))

        assert [(each.index, each.code) for each in report.quarantined] == [(0, "archived")]
        assert (report.stored, report.duplicates) == (0, 0)
        exception = waiting().get()
        assert (exception.time, exception.offered_value, exception.severity) == (
            late,
            Decimal("0.25"),
            Severity.QUARANTINE,
        )
        assert late not in shown(register)

    def test_waits_once_however_often_it_is_sent(self, register):
        for _ in range(2):
            send(register, (START + HALF_HOUR, "0.25"), (START + HALF_HOUR, "0.25"))

        assert waiting().count() == 1

    def test_makes_no_partition_beside_the_archive(self, register):
        before = list_partitions(REGISTER_READINGS)

        send(register, (START + HALF_HOUR, "0.25"))

        assert list_partitions(REGISTER_READINGS) == before

    def test_is_a_duplicate_where_the_archive_holds_it(self, register):
        report = send(register, (START, 0), (START + timedelta(days=3), 36))

        assert (report.duplicates, report.quarantined) == (2, ())
        assert not waiting().exists()

    def test_that_differs_from_what_the_archive_holds_waits_and_says_so(self, register):
        report = send(register, (START + timedelta(days=3), 37))

        assert "where 36 stands" in report.quarantined[0].detail

    def test_does_not_keep_others_of_its_batch(self, register):
        report = send(register, (START + HALF_HOUR, "0.25"), (START + timedelta(days=DAYS), DAYS * 12))

        assert (report.stored, len(report.quarantined)) == (1, 1)

    def test_that_is_an_estimate_is_not_taken_for_a_true_one(self, register):
        report = send(register, (START + timedelta(days=3), 37), quality=9)

        assert [each.code for each in report.rejected] == ["estimate_not_taken"]
        assert send(register, (START + timedelta(days=3), 36), quality=9).duplicates == 1


class TestTheNextRun:
    def test_takes_late_values_into_another_revision(self, register):
        send(register, (START + HALF_HOUR, "0.25"), (START + 2 * HALF_HOUR, "0.5"))
        assert plan_archive(now=NOW, until=date(2025, 2, 1)).late_values == 2

        report = run()

        assert report.late_values == 2
        assert [(month.part, month.rows, month.revision) for month in report.archived] == [("2025-01", 14, 2)]
        assert shown(register)[START + HALF_HOUR] == Decimal("0.25")
        assert not waiting().exists()
        assert ReadingException.objects.get(time=START + HALF_HOUR).note == "The archive took it in."
        assert run().idle

    def test_judges_late_values_like_any_other(self, register):
        send(register, (START + timedelta(days=3), 37), (START + HALF_HOUR, "99999"))

        run()

        assert shown(register)[START + timedelta(days=3)] == 36
        assert START + HALF_HOUR not in shown(register)
        assert ReadingException.objects.filter(code="conflict", status="open").count() == 1
        assert ReadingException.objects.get(code=ARCHIVED, offered_value=99999).status == "rejected"

    def test_reads_what_a_source_wrote_by_its_own_labels_again(self, register):
        source = DataSourceFactory(label_convention="period_start", zone="Asia/Singapore")
        send(register, ("2025-01-21T10:00:00", "15"), actor=Actor(source=source))
        (late,) = waiting().values_list("time", flat=True)

        run()

        assert late == datetime(2025, 1, 21, 2, 30, tzinfo=UTC)
        reading = next(each for each in every_reading(ReadingList(register)) if each.time == late)
        assert (reading.value, reading.source, reading.raw_stamp) == (15, source, "2025-01-21T10:00:00")

    def test_archives_the_month_anew_although_it_is_within_the_retention(self, register):
        send(register, (START + HALF_HOUR, "0.25"))

        archive_and_prepare(actor=PORTAL, now=NOW, wait_seconds=0)

        assert ArchivedMonth.objects.get().revision == 2

    def test_leaves_what_was_decided_by_somebody(self, register):
        send(register, (START + HALF_HOUR, "0.25"))
        waiting().update(status="rejected")

        assert run().idle


class TestRestore:
    def test_takes_late_values_in(self, register):
        send(register, (START + HALF_HOUR, "0.25"))

        restore_months(month="2025-01", actor=PORTAL, now=NOW)

        assert RegisterReading.objects.get(time=START + HALF_HOUR).value == Decimal("0.25")
        assert not waiting().exists()

    def test_keeps_the_quality_and_the_instant_of_a_read_by_hand(self, register):
        at = START + timedelta(minutes=7)
        receive_readings(
            readings=[OfferedReading(register.meter.serial, at, "0.1", quality=19)],
            actor=PORTAL,
            now=NOW,
            overrides=frozenset({"off_mark"}),
        )

        restore_months(month="2025-01", actor=PORTAL, now=NOW)

        reading = RegisterReading.objects.get(time=at)
        assert (reading.value, reading.quality) == (Decimal("0.1"), 19)


class TestNeighbours:
    def test_of_a_new_value_are_found_in_the_archive(self, register):
        """Offer values between the last that is archived (132 on the 31st) and the first that is not (144)."""
        between = datetime(2025, 2, 1, tzinfo=UTC)
        RegisterReading.objects.filter(time=between).delete()

        low, fitting = send(register, (between, 100)), send(register, (between + HALF_HOUR, 144))

        assert [each.code for each in low.rejected] == ["regression"]
        assert fitting.stored == 1


class TestChanges:
    def test_of_what_is_archived_are_refused(self, register):
        change = Change(register.pk, START, Decimal(1), 17)

        with pytest.raises(InArchive, match="2025-01"):
            replace_readings(changes=[change], reason="correction", actor=PORTAL, now=NOW)

    def test_by_estimates_leave_the_archive_alone(self, register):
        between = datetime(2025, 2, 1, 12, tzinfo=UTC)
        estimates = [
            Estimate(register.pk, time, Decimal(value), 9) for time, value in ((START + HALF_HOUR, 1), (between, 150))
        ]

        assert enter_estimates(estimates=estimates, actor=PORTAL, now=NOW) == 1
        assert START + HALF_HOUR not in shown(register)

    def test_by_corrections_and_withdrawals_are_refused(self, register):
        with pytest.raises(InArchive):
            correct_reading(register=register, time=START, value=Decimal(1), reason="misread", actor=PORTAL, now=NOW)
        with pytest.raises(InArchive):
            withdraw_readings(register=register, times=[START], reason="misread", actor=PORTAL, now=NOW)
