from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from meters.models import DomainEvent, ReadingException, ValidationRule
from meters.services.estimating import estimate_pending
from meters.services.gaps import open_gaps
from meters.tasks import watch_gaps
from tests.factories import RegisterFactory, supplied_register
from tests.meters.test_estimating import NOON, NOW, TODAY, after, offer, read_steadily, standing

pytestmark = pytest.mark.django_db


def events():
    rows = DomainEvent.objects.exclude(kind="reading_superseded").order_by("pk")
    return [(event.kind, event.start, event.end) for event in rows]


def exceptions(code="gap"):
    rows = ReadingException.objects.filter(code=code).order_by("register", "time")
    return [(each.time, each.until, each.status) for each in rows]


def silent_register():
    register = supplied_register()
    read_steadily(register, NOON - timedelta(days=4), NOON)
    return register


class TestSilentRegister:
    def test_opens_an_exception_and_an_event_once(self):
        register = silent_register()

        noted = [open_gaps(now=NOW).opened for _ in range(2)]

        assert noted == [1, 0]
        assert exceptions() == [(NOON, TODAY + timedelta(hours=15), "open")]
        assert events() == [("gap_opened", NOON, TODAY + timedelta(hours=15))]
        point = register.meter.installations.get().service_point
        assert DomainEvent.objects.get(kind="gap_opened").service_point == point

    def test_extends_what_stands_open(self):
        silent_register()
        open_gaps(now=NOW)

        open_gaps(now=NOW + timedelta(hours=3))

        assert exceptions() == [(NOON, TODAY + timedelta(hours=18), "open")]
        assert len(events()) == 1

    def test_is_waited_for_as_long_as_the_rule_of_its_place_says(self):
        silent_register()
        ValidationRule.objects.filter(code="gap").update(thresholds={"hours": 30})

        assert open_gaps(now=NOW).opened == 0
        assert open_gaps(now=NOON + timedelta(hours=30)).opened == 1

    @pytest.mark.parametrize("change", [{"enabled": False}, {"severity": "info"}])
    def test_is_nobody_s_concern_where_the_rule_says_so(self, change):
        silent_register()
        ValidationRule.objects.filter(code="gap").update(**change)

        assert open_gaps(now=NOW).opened == 0

    def test_is_left_alone_where_it_does_not_hang_or_is_not_active(self):
        offer(RegisterFactory(), (NOON, 1))
        resting = silent_register()
        resting.meter.status = "maintenance"
        resting.meter.save()

        assert open_gaps(now=NOW).opened == 0

    def test_closes_by_itself_when_data_come(self):
        register = silent_register()
        open_gaps(now=NOW)
        read_steadily(register, after(0.5), NOW, first=Decimal("1096.5"))

        noted = open_gaps(now=NOW)

        exception = ReadingException.objects.get(code="gap")
        assert noted.closed == 1
        assert (exception.status, exception.closed_by, exception.note) == ("accepted", None, "Readings came.")
        assert events()[1:] == [("gap_closed", NOON, TODAY + timedelta(hours=15))]
        assert AuditEntry.objects.filter(action="reading_exception.closed").count() == 1

    def test_stays_open_where_data_go_on_but_leave_a_gap(self):
        register = silent_register()
        open_gaps(now=NOW)
        offer(register, (after(26), 1200))

        assert open_gaps(now=NOW).closed == 0
        assert exceptions() == [(NOON, after(26), "open")]

    def test_is_parted_by_what_comes_in_its_middle(self):
        register = silent_register()
        open_gaps(now=NOON + timedelta(hours=60))
        offer(register, (after(30), 1200), (after(56), 1201), now=NOON + timedelta(hours=60))

        open_gaps(now=NOON + timedelta(hours=60))

        assert exceptions() == [(NOON, after(30), "open"), (after(30), after(56), "open")]
        assert [kind for kind, _, _ in events()] == ["gap_opened", "gap_opened"]

    def test_stays_as_somebody_decided(self):
        silent_register()
        open_gaps(now=NOW)
        ReadingException.objects.update(status="rejected", note="A holiday home.")

        open_gaps(now=NOW + timedelta(hours=1))

        assert exceptions() == [(NOON, TODAY + timedelta(hours=15), "rejected")]
        assert len(events()) == 1

    def test_takes_as_many_queries_for_many_as_for_few(self):
        def queries(count):
            for _ in range(count):
                offer(supplied_register(), (NOON, 1))
            ReadingException.objects.all().delete()
            with CaptureQueriesContext(connection) as captured:
                open_gaps(now=NOW)
            return ReadingException.objects.count(), len(captured)

        (few, queries_for_few), (many, queries_for_many) = queries(1), queries(4)

        assert (few, many) == (1, 5)
        assert queries_for_few == queries_for_many


class TestHole:
    def test_opens_an_exception_when_it_is_estimated(self):
        register = supplied_register()
        offer(register, (after(-24), 100), (after(1), 125))

        estimate_pending(now=NOON + timedelta(hours=2))

        assert exceptions() == [(after(-24), after(1), "open")]
        assert len(standing(register)) == 51

    def test_is_no_exception_below_the_rule_s_threshold(self):
        offer(supplied_register(), (after(0), 100), (after(20), 125))

        estimate_pending(now=NOW)

        assert exceptions() == []

    def test_opens_again_when_what_closed_it_was_withdrawn(self):
        register = silent_register()
        open_gaps(now=NOW)
        ReadingException.objects.update(status="accepted", closed_at=NOW, note="Readings came.")

        assert open_gaps(now=NOW).opened == 1
        assert exceptions()[0][2] == "open"
        assert register.exceptions.get().closed_at is None


class TestProlongedEstimation:
    def test_opens_an_exception_and_an_event_once(self):
        silent_register()
        for day in range(9):
            estimate_pending(now=NOW + timedelta(days=day))
        open_gaps(now=NOW + timedelta(days=8))

        (since, until, status), *more = exceptions("prolonged_estimation")
        assert (since, status, more) == (NOON, "open", [])
        assert until == TODAY + timedelta(days=8)
        assert [kind for kind, _, _ in events()].count("estimation_prolonged") == 1

    def test_closes_when_true_data_come(self):
        register = silent_register()
        for day in range(9):
            estimate_pending(now=NOW + timedelta(days=day))
        open_gaps(now=NOW + timedelta(days=8))
        read_steadily(
            register, after(0.5), NOW + timedelta(days=8), first=Decimal("1096.5"), now=NOW + timedelta(days=8)
        )

        open_gaps(now=NOW + timedelta(days=9))

        assert [status for _, _, status in exceptions("prolonged_estimation")] == ["accepted"]


class TestWatchGaps:
    def test_opens_and_estimates(self, time_machine):
        silent_register()
        time_machine.move_to(NOW, tick=False)

        watch_gaps()

        assert timezone.now() == NOW
        assert len(exceptions()) == 1
        assert DomainEvent.objects.filter(kind="gap_opened").exists()
