from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.models import (
    ReadingException,
    ReadingWork,
    Register,
    RegisterReading,
    RegisterState,
    SupersededReading,
    ValidationRule,
)
from meters.selectors.consumption import meter_consumption
from meters.services.chain import exchange_meter, install_meter
from meters.services.estimating import NothingToEstimate, estimate_pending, estimate_stretch
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import ManagerFactory, MeterFactory, RegisterFactory, ServicePointFactory, supplied_register

SGT = ZoneInfo("Asia/Singapore")
# A Wednesday.
TODAY = datetime(2025, 3, 12, tzinfo=SGT)
NOON = TODAY - timedelta(days=1) + timedelta(hours=12)
NOW = TODAY + timedelta(hours=15, minutes=10)

pytestmark = pytest.mark.django_db


def after(hours):
    return NOON + timedelta(hours=hours)


def offer(register, *rows, now=NOW, **more):
    offered = [OfferedReading(register.meter.serial, stamp, value, register.code, **more) for stamp, value in rows]
    return receive_readings(readings=offered, actor=PORTAL, now=now)


def read_steadily(register, start, end, *, first=Decimal(1000), kwh=Decimal("0.5"), now=NOW):
    rows, value = [], first
    mark = start
    while mark <= end:
        rows.append((mark, value))
        mark, value = mark + HALF_HOUR, value + kwh
    assert offer(register, *rows, now=now).stored == len(rows)


def standing(register, start=None, end=None):
    rows = RegisterReading.objects.filter(register=register).order_by("time")
    if start is not None:
        rows = rows.filter(time__range=(start, end))
    return list(rows.values_list("time", "value", "quality"))


def by_hand(register, start, end, now=NOW, actor=PORTAL):
    return estimate_stretch(register=register, start=start, end=end, actor=actor, now=now)


class TestGap:
    def test_of_two_hours_is_estimated_on_a_line(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))

        assert estimate_pending(now=NOW) == 3
        assert standing(register) == [
            (after(0), 100, 17),
            (after(0.5), 101, 9),
            (after(1), 102, 9),
            (after(1.5), 103, 9),
            (after(2), 104, 17),
        ]
        assert RegisterState.objects.get().estimated_from == after(0.5)

    def test_of_more_is_estimated_like_the_days_before(self):
        register = supplied_register()
        before = NOON - timedelta(days=1, hours=12)
        read_steadily(register, before, after(0), first=Decimal(100))
        shown = Decimal(100) + 72 * Decimal("0.5")
        offer(register, (after(5), shown + 10))

        estimate_pending(now=NOW)

        estimates = standing(register, after(0.5), after(4.5))
        assert [(value, quality) for _, value, quality in estimates] == [(shown + number, 8) for number in range(1, 10)]

    def test_is_left_alone_where_nothing_is_missing(self):
        register = supplied_register()
        read_steadily(register, after(0), after(4))

        assert estimate_pending(now=NOW) == 0
        assert not ReadingWork.objects.filter(purpose="estimation").exists()

    def test_is_estimated_once(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))
        estimate_pending(now=NOW)

        assert estimate_pending(now=NOW) == 0
        assert not ReadingWork.objects.filter(purpose="estimation").exists()

    def test_is_estimated_anew_around_what_came_late(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))
        estimate_pending(now=NOW)

        offer(register, (after(1), "103"))
        estimate_pending(now=NOW)

        assert [(value, quality) for _, value, quality in standing(register)] == [
            (100, 17),
            (Decimal("101.5"), 9),
            (103, 17),
            (Decimal("103.5"), 9),
            (104, 17),
        ]
        assert SupersededReading.objects.filter(reason="true_data").count() == 3

    def test_is_complete_and_marked_in_what_was_used(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2.5), 105))
        period = Period(after(0.5), after(2))
        before = meter_consumption(meter=register.meter, period=period, granularity=None, now=NOW)

        estimate_pending(now=NOW)

        used = meter_consumption(meter=register.meter, period=period, granularity=None, now=NOW)
        assert (before.complete, used.complete, used.estimated_share) == (False, True, 1)

    def test_ends_where_the_meter_was_exchanged(self):
        point = ServicePointFactory()
        old, new = (RegisterFactory(meter=MeterFactory()) for _ in range(2))
        install_meter(
            meter=old.meter, service_point=point, at=after(0), first_reads={old.pk: Decimal(50)}, actor=PORTAL, now=NOW
        )
        exchange_meter(
            service_point=point,
            last_reads={old.pk: Decimal(52)},
            new_meter=new.meter,
            first_reads={new.pk: Decimal(7)},
            at=after(1.25),
            actor=PORTAL,
            now=NOW,
        )
        offer(new, (after(2), "8.2"))

        estimate_pending(now=NOW)

        assert standing(old) == [(after(0.5), Decimal("50.8"), 9), (after(1), Decimal("51.6"), 9)]
        assert standing(new) == [(after(1.5), Decimal("7.4"), 9), (after(2), Decimal("8.2"), 17)]

    def test_goes_on_past_a_roll_over(self):
        register = supplied_register(digits=5, decimals=1)
        offer(register, (after(0), "99998.0"), (after(2), "2.0"))

        estimate_pending(now=NOW)

        assert [value for _, value, _ in standing(register)] == [99998, 99999, 0, 1, 2]

    def test_is_not_anchored_on_a_value_that_is_questionable(self):
        register = supplied_register()
        offer(register, (after(-0.5), 100), (after(1), 103))
        offer(register, (after(0), "102.8"), quality=10)

        estimate_pending(now=NOW)

        assert standing(register, after(0.5), after(0.5)) == [(after(0.5), Decimal("102.8"), 9)]

    def test_is_not_anchored_on_a_value_under_an_exception_that_holds_it(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))
        ReadingException.objects.create(
            register=register, time=after(2), code="spike", severity="quarantine", opened_at=NOW
        )

        assert estimate_pending(now=NOW) == 0
        report = by_hand(register, after(0), after(2))

        assert [each.refusal.code for each in report.gaps] == ["failed_neighbours"]

    def test_is_left_to_people_where_the_rule_is_switched_off(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))
        ValidationRule.objects.filter(code="gap").update(enabled=False)

        assert estimate_pending(now=NOW) == 0
        assert by_hand(register, after(0), after(2)).entered == 3

    def test_is_anchored_on_what_stands_where_another_value_was_refused(self):
        register = supplied_register()
        offer(register, (after(-1), 90), (after(0), 80), (after(0), 100), (after(2), 104))

        estimate_pending(now=NOW)

        assert register.exceptions.get(code="regression").status == "open"
        assert [value for _, value, _ in standing(register, after(0), after(2))] == [100, 101, 102, 103, 104]

    def test_takes_as_many_queries_for_many_as_for_few(self):
        def queries(count):
            for _ in range(count):
                offer(supplied_register(), (after(0), 100), (after(2), 104))
            with CaptureQueriesContext(connection) as captured:
                assert estimate_pending(now=after(3), rounds=1) == 3 * count
            ReadingWork.objects.all().delete()
            return len(captured)

        assert queries(2) == queries(5)


class TestIntervalRegister:
    def test_is_filled_up_to_what_the_dial_beside_it_counted(self):
        dial = supplied_register()
        interval = RegisterFactory(meter=dial.meter, code="1.8.0-I", kind=Register.Kind.INTERVAL)
        offer(dial, (after(0), 100), (after(1), 103))
        offer(interval, (after(0), "0.8"), (after(1.5), "0.8"))

        estimate_pending(now=NOW)

        assert standing(interval, after(0.5), after(1)) == [
            (after(0.5), Decimal("1.5"), 9),
            (after(1), Decimal("1.5"), 9),
        ]


class TestSilentRegister:
    def silent(self):
        """Nothing came since yesterday noon; the week before knew a steady half kWh."""
        register = supplied_register()
        read_steadily(register, NOON - timedelta(days=4), NOON)
        return register

    def test_is_projected_to_the_end_of_the_last_day(self):
        register = self.silent()

        assert estimate_pending(now=NOW) == 24
        estimates = standing(register, after(0.1), NOW)
        assert estimates[0] == (after(0.5), Decimal("1096.5"), 12)
        assert estimates[-1] == (TODAY, Decimal(1108), 12)
        assert RegisterState.objects.get().last_time == NOON

    def test_goes_on_the_next_day(self):
        register = self.silent()
        estimate_pending(now=NOW)

        assert estimate_pending(now=NOW + timedelta(hours=2)) == 0
        assert estimate_pending(now=NOW + timedelta(days=1)) == 48
        assert standing(register, TODAY, TODAY + timedelta(days=2))[-1][:2] == (TODAY + timedelta(days=1), 1132)

    def test_is_waited_for_as_long_as_the_rule_says(self):
        register = supplied_register()
        read_steadily(register, NOON - timedelta(days=4), TODAY - timedelta(hours=1))

        assert estimate_pending(now=NOW) == 0
        assert standing(register)[-1][2] == 17

    def test_is_not_invented_without_a_day_like_those_missing(self):
        register = supplied_register()
        offer(register, (NOON, 100))

        assert estimate_pending(now=NOW) == 0
        assert [each.refusal.code for each in by_hand(register, NOON, NOW).gaps] == ["no_like_day"]

    def test_is_left_alone_while_its_meter_is_out_of_service(self):
        register = self.silent()
        register.meter.status = "out_of_service"
        register.meter.save()

        assert estimate_pending(now=NOW) == 0

    def test_gives_way_to_true_data(self):
        register = self.silent()
        estimate_pending(now=NOW)

        offer(register, (TODAY, 1120))
        estimate_pending(now=NOW)

        rows = standing(register, after(0.5), TODAY)
        assert rows[-1] == (TODAY, 1120, 17)
        assert {quality for _, _, quality in rows[:-1]} == {8}
        assert [value for _, value, _ in rows] == [1096 + number for number in range(1, 25)]


class TestByHand:
    def test_estimates_today_up_to_the_last_half_hour(self):
        register = supplied_register()
        read_steadily(register, NOON - timedelta(days=4), TODAY)

        report = by_hand(register, TODAY, TODAY + timedelta(days=1))

        assert report.entered == 30
        assert standing(register)[-1][0] == TODAY + timedelta(hours=15)

    def test_keeps_to_its_stretch(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))

        report = by_hand(register, after(1), after(1.5))

        assert report.entered == 2
        assert [time for time, _, quality in standing(register) if quality == 9] == [after(1), after(1.5)]

    def test_is_audited_under_who_asked(self):
        register = supplied_register()
        offer(register, (after(0), 100), (after(2), 104))
        manager = ManagerFactory()

        by_hand(register, after(0), after(2), actor=Actor(user=manager))

        entry = AuditEntry.objects.get(action="register.estimated")
        assert (entry.user, entry.detail["entered"]) == (manager, 3)

    @pytest.mark.parametrize(("start", "end"), [(1, 0), (48, 49)])
    def test_is_refused_for_what_cannot_be(self, start, end):
        with pytest.raises(NothingToEstimate):
            by_hand(supplied_register(), after(start), after(end))

    def test_touches_nothing_true(self):
        register = supplied_register()
        read_steadily(register, after(0), after(4))
        before = standing(register)

        assert by_hand(register, after(0), after(4)).entered == 0
        assert standing(register) == before
