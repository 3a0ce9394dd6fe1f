"""Readings judged after they entered, many registers at a time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meters.models import ReadingException, ReadingWork, Register, RegisterReading, ServicePoint, Severity
from meters.selectors.rules import rule_book
from meters.series.partitions import ensure_partitions
from meters.services.flagging import blocking_findings, flag_pending
from meters.services.screening import Candidate
from meters.services.worklog import log_work
from meters.store import REGISTER_READINGS
from tests.factories import InstallationFactory, RegisterFactory, ValidationRuleFactory, supplied_register

pytestmark = pytest.mark.django_db

HALF_HOUR = timedelta(minutes=30)
START = datetime(2025, 3, 3, tzinfo=UTC)
NOW = datetime(2025, 6, 1, tzinfo=UTC)


def write(register, energies, *, start=START, received_early=timedelta(0), log=True):
    """Let a register count so much in each half-hour from ``start`` on; None leaves its mark out."""
    rows, shown = [(start, Decimal(1000))], Decimal(1000)
    if register.kind == Register.Kind.INTERVAL:
        rows = []
    for place, energy in enumerate(energies, 1):
        if energy is None:
            continue
        shown += Decimal(str(energy))
        value = Decimal(str(energy)) if register.kind == Register.Kind.INTERVAL else shown
        rows.append((start + place * HALF_HOUR, value))
    times = [time for time, _ in rows]
    ensure_partitions(REGISTER_READINGS, times, floor=min(times), ceiling=max(times))
    RegisterReading.objects.bulk_create(
        RegisterReading(register=register, time=time, value=value, quality=17, received_at=time - received_early)
        for time, value in rows
    )
    if log:
        log_work(register_ids=[register.pk], low=min(times), high=max(times), now=NOW)


def opened(code=None):
    rows = ReadingException.objects.order_by("time", "code")
    return [(row.code, row.time) for row in rows if code in {None, row.code}]


class TestFlagPending:
    def test_opens_an_exception_for_a_spike(self):
        write(supplied_register(), [1.0, 1.1, 3.6])

        flag_pending(now=NOW)

        exception = ReadingException.objects.get()
        assert (exception.code, exception.time, exception.until) == ("spike", START + 3 * HALF_HOUR, None)
        assert (exception.severity, exception.status, exception.opened_at) == ("flag", "open", NOW)
        assert exception.detail == "3.6 kWh is 260 % above the third highest half-hour within 24 h."

    def test_leaves_what_is_ordinary(self):
        write(supplied_register(), [1.0, 1.1, 2.7])

        assert flag_pending(now=NOW) == 1
        assert opened() == []

    def test_does_its_work_once(self):
        write(supplied_register(), [1.0, 1.1, 3.6])

        assert [flag_pending(now=NOW), flag_pending(now=NOW)] == [1, 0]
        assert not ReadingWork.objects.filter(purpose="validation").exists()
        assert ReadingWork.objects.filter(purpose="rollup").exists()

    def test_opens_each_once_and_never_again_once_it_is_closed(self):
        register = supplied_register()
        write(register, [1.0, 1.1, 3.6])
        flag_pending(now=NOW)
        ReadingException.objects.update(status="accepted", closed_at=NOW)
        log_work(register_ids=[register.pk], low=START, high=START + 3 * HALF_HOUR, now=NOW)

        flag_pending(now=NOW)

        assert ReadingException.objects.get().status == "accepted"

    def test_compares_with_the_past_of_each_register(self):
        register = supplied_register()
        write(register, [0.5] * 336 * 4, log=False)
        last = START + 336 * 4 * HALF_HOUR
        shown = RegisterReading.objects.get(register=register, time=last).value
        RegisterReading.objects.bulk_create(
            RegisterReading(register=register, time=last + n * HALF_HOUR, value=shown + 4 * n, received_at=NOW)
            for n in (1, 2)
        )
        log_work(register_ids=[register.pk], low=last + HALF_HOUR, high=last + 2 * HALF_HOUR, now=NOW)

        flag_pending(now=NOW)

        assert opened("high") == [("high", last + HALF_HOUR)]

    def test_tells_the_stretch_of_what_lasts(self):
        register = supplied_register()
        write(register, [0.5, *[0] * 200])

        flag_pending(now=NOW)

        exception = ReadingException.objects.get(code="zero_use")
        assert (exception.time, exception.until) == (START + HALF_HOUR, START + 193 * HALF_HOUR)
        assert exception.detail == "Nothing was used for 96 h."

    def test_finds_use_where_nobody_is_supplied(self):
        register = RegisterFactory()
        InstallationFactory(meter=register.meter)
        write(register, [0.9] * 8)

        flag_pending(now=NOW)

        assert opened("inactive_use") == [("inactive_use", START + 4 * HALF_HOUR - 24 * timedelta(hours=1))]

    def test_finds_use_at_an_inactive_place(self):
        register = supplied_register()
        ServicePoint.objects.update(status=ServicePoint.Status.INACTIVE)
        write(register, [0.9] * 8)

        flag_pending(now=NOW)

        assert len(opened("inactive_use")) == 1

    @pytest.mark.parametrize(("last", "expected"), [("24.0", 0), ("27.0", 1)])
    def test_holds_intervals_against_the_dial_of_the_meter_whichever_comes_later(self, last, expected):
        dial = supplied_register()
        intervals = RegisterFactory(meter=dial.meter, code="1.29.0", kind=Register.Kind.INTERVAL)
        midnight = datetime(2025, 3, 2, 16, tzinfo=UTC)  # in Singapore
        write(intervals, [0.5] * 48, start=midnight)
        flag_pending(now=NOW)
        write(dial, [None] * 47 + [last], start=midnight)

        flag_pending(now=NOW)

        assert len(opened("sum_check")) == expected

    def test_finds_a_clock_that_is_ahead(self):
        write(supplied_register(), [0.5] * 4, received_early=timedelta(minutes=2))

        flag_pending(now=NOW)

        assert len(opened("clock_drift")) == 1

    def test_follows_the_rule_of_the_place(self):
        ValidationRuleFactory(code="spike", service_class="industrial", thresholds={"percent": 1000})
        write(supplied_register(), [1.0, 1.1, 3.6])
        industrial = supplied_register()
        ServicePoint.objects.filter(installations__meter=industrial.meter).update(service_class="industrial")
        write(industrial, [1.0, 1.1, 3.6])

        flag_pending(now=NOW)

        assert ReadingException.objects.get().register_id != industrial.pk

    @pytest.mark.parametrize("change", [{"enabled": False}, {"severity": Severity.INFO}])
    def test_opens_nothing_for_a_rule_that_is_off_or_only_counts(self, change):
        ValidationRuleFactory(code="spike", **change)
        write(supplied_register(), [1.0, 1.1, 3.6])

        flag_pending(now=NOW)

        assert opened() == []

    def test_never_subtracts_across_an_exchange(self):
        register = supplied_register()
        place = ServicePoint.objects.get()
        register.meter.installations.update(valid=(START, START + 2 * HALF_HOUR))
        other = RegisterFactory()
        InstallationFactory(meter=other.meter, service_point=place, valid=(START + 2 * HALF_HOUR, None))
        write(register, [0.2, 0.2])
        write(other, [0.2, 0.2, 0.2], start=START + 2 * HALF_HOUR)

        flag_pending(now=NOW)

        assert opened() == []

    def test_asks_as_often_for_many_readings_of_many_registers_as_for_one(self):
        write(supplied_register(), [0.5])
        with CaptureQueriesContext(connection) as few:
            flag_pending(now=NOW)
        for _ in range(4):
            write(supplied_register(), [1.0, 1.1, 3.6] * 16)
        with CaptureQueriesContext(connection) as many:
            flag_pending(now=NOW)

        assert len(many) <= len(few) + 1
        assert len(few) <= 13


class TestBlockingFindings:
    def test_judges_candidates_as_if_all_stood(self):
        ValidationRuleFactory(code="spike", severity=Severity.QUARANTINE)
        register = supplied_register()
        write(register, [1.0, 1.1], log=False)
        shown = Decimal("1002.1")
        candidates = [
            Candidate(7, register.pk, START + 3 * HALF_HOUR, shown + Decimal("3.6"), 17, None),
            Candidate(8, register.pk, START + 4 * HALF_HOUR, shown + Decimal("4.6"), 17, None),
        ]

        findings = blocking_findings(candidates=candidates, book=rule_book())

        assert [(each.place, each.code, each.severity) for each in findings] == [(7, "spike", "quarantine")]

    def test_find_nothing_while_rules_only_flag(self):
        ValidationRuleFactory(code="spike")
        register = supplied_register()
        write(register, [1.0, 1.1], log=False)
        candidate = Candidate(0, register.pk, START + 3 * HALF_HOUR, Decimal("1005.7"), 17, None)

        assert blocking_findings(candidates=[candidate], book=rule_book()) == []
