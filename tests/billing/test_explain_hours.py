from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from billing.models import Bill
from billing.selectors.bills import with_lines
from billing.selectors.explain import explained_lines
from billing.selectors.explain_hours import NoSuchDay, line_hours, read_day
from meters.models import RegisterReading, SupersededReading
from meters.services.chain import exchange_meter
from tests.billing.metered import by_hours, default_tariff, drafted, month_of, period, read_half_hours, version_of
from tests.factories import CustomerAccountFactory, MeterFactory, RegisterFactory, supplied_register

pytestmark = pytest.mark.django_db

FEBRUARY = month_of("2025-02")
NOW = datetime(2025, 4, 15, 4, tzinfo=UTC)
FLAT = ("energy", "Electricity", {"periods": [period("", (None, "0.2812"))]})
TOU = ("energy", "Electricity", by_hours(period("Off-peak", (None, "0.18")), period("On-peak", (None, "0.305"))))
STEPS = ("energy", "Steps", {"periods": [period("", ("100", "0.02"), ("200", "0.045"), (None, "0.08"))]})
BOTH = (
    "energy",
    "Electricity",
    by_hours(
        period("Off-peak", ("60.5", "0.15"), (None, "0.19")),
        period("On-peak", ("33.333", "0.29"), (None, "0.33")),
    ),
)
STEPS_A_DAY = (
    "energy",
    "Steps",
    {"periods": [period("", ("4", "0.02"), (None, "0.08"))], "tiers_per": "day"},
)
DEMAND = ("demand", "Demand", {"periods": [period("", ("0.3", "2.5"), (None, "4.1"))]})
EXPORT = ("export", "Fed in", {"periods": [period("", ("50", "0.09"), (None, "0.05"))]})
FIXED = ("fixed", "Standing charge", {"amount": "0.275", "per": "day"})


@pytest.fixture
def account():
    return CustomerAccountFactory()


@pytest.fixture
def register(account):
    return supplied_register(account=account)


def loaded(bill):
    return with_lines(Bill.objects.select_related("account")).get(pk=bill.pk)


def opened(bill):
    """Open every line that opens, and check that it adds up to its quantity."""
    bill = loaded(bill)
    found = [line_hours(bill=bill, line=each.line) for each in explained_lines(bill) if each.opens]
    for hours in found:
        assert hours.counted == hours.line.quantity, hours.line
        assert sum(day.counted for day in hours.days) == hours.counted
    return found


class TestHalfHoursOfALine:
    @pytest.mark.parametrize(
        ("components", "lines"),
        [
            ([FLAT], 1),
            ([TOU], 2),
            ([STEPS], 3),
            ([BOTH], 4),
            ([STEPS_A_DAY], 2),
            ([FLAT, STEPS, DEMAND, FIXED], 6),
        ],
        ids=["flat", "by hours", "steps", "steps by hours", "steps a day", "together"],
    )
    def test_add_up_to_its_quantity(self, account, register, components, lines):
        default_tariff(*components)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)

        found = opened(drafted(account, "2025-02", now=NOW))

        assert len(found) == lines

    def test_add_up_to_what_went_out(self, account, register):
        default_tariff(FLAT, EXPORT)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
        outward = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        read_half_hours(outward, start=FEBRUARY.start, end=FEBRUARY.end, energy=lambda n: Decimal(n % 9) / 50)

        found = opened(drafted(account, "2025-02", now=NOW))

        assert [hours.line.kind for hours in found] == ["energy", "export", "export"]
        assert found[1].counted == 50

    def test_count_steps_on_over_versions(self, account, register):
        tariff = default_tariff(BOTH)
        tariff.versions.update(effective=DateRange(date(2020, 1, 1), date(2025, 2, 11)))
        version_of(tariff, "second", date(2025, 2, 11), None, BOTH)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)

        found = opened(drafted(account, "2025-02", now=NOW))

        assert len({hours.line.tariff_version_id for hours in found}) == 2
        assert found[-1].days[0].day >= date(2025, 2, 11)

    @pytest.mark.parametrize(("month", "day", "half_hours"), [("2025-03", 30, 46), ("2024-10", 27, 50)])
    def test_are_those_of_the_clock_on_the_day_that_it_changes(self, month, day, half_hours):
        berlin = CustomerAccountFactory(zone="Europe/Berlin")
        register = supplied_register(account=berlin)
        place = register.meter.installations.get().service_point
        place.premises.zone = "Europe/Berlin"
        place.premises.save()
        default_tariff(TOU)
        days = month_of(month, "Europe/Berlin")
        read_half_hours(register, start=days.start, end=days.end)

        off_peak, _ = opened(drafted(berlin, month, now=NOW))

        # A Sunday: all of its half-hours are off-peak.
        assert len(off_peak.day(date.fromisoformat(f"{month}-{day}")).half_hours) == half_hours

    def test_go_through_an_exchange_of_the_meter(self, account, register, time_machine):
        # What was noted of the exchange is known since then.
        time_machine.move_to(NOW - timedelta(days=1), tick=False)
        default_tariff(TOU, STEPS)
        at = datetime(2025, 2, 12, 6, 17, tzinfo=UTC)
        before, after = at.replace(minute=0), at.replace(minute=30)
        shown = read_half_hours(register, start=FEBRUARY.start, end=before)
        successor = RegisterFactory(meter=MeterFactory(serial="SG-NEW"))
        exchange_meter(
            service_point=register.meter.installations.get().service_point,
            new_meter=successor.meter,
            at=at,
            last_reads={register.pk: shown + Decimal("0.3")},
            first_reads={successor.pk: Decimal(12)},
            actor=PORTAL,
            now=NOW - timedelta(days=1),
        )
        read_half_hours(successor, start=after, end=FEBRUARY.end, shown="12.1")
        bill = drafted(account, "2025-02", now=NOW)

        on_peak = opened(bill)[1]

        day = on_peak.day(date(2025, 2, 12))
        read = {each.share.start: each for each in read_day(bill=loaded(bill), line=on_peak.line, day=day)}
        exchanged = read[before]
        assert exchanged.share.energy_kwh == Decimal("0.4")
        assert [(used.serial, used.role) for used in exchanged.reads] == [
            (register.meter.serial, "boundary"),
            (register.meter.serial, "removed"),
            ("SG-NEW", "installed"),
            ("SG-NEW", "boundary"),
        ]

    def test_mark_what_was_spread_over_a_gap(self, account, register):
        default_tariff(FLAT)
        gap = datetime(2025, 2, 5, 2, tzinfo=UTC)
        read_half_hours(
            register,
            start=FEBRUARY.start,
            end=FEBRUARY.end,
            keep=lambda mark: not timedelta(0) <= mark - gap < timedelta(hours=5),
        )
        bill = drafted(account, "2025-02", now=NOW)

        (flat,) = opened(bill)

        day = flat.day(date(2025, 2, 5))
        estimated = [each for each in read_day(bill=loaded(bill), line=flat.line, day=day) if each.share.estimated]
        assert len(estimated) == 11
        assert day.estimated_kwh == sum(each.share.energy_kwh for each in estimated) > 0
        assert len({tuple(each.reads) for each in estimated}) == 1
        assert {each.quality_words for each in estimated} == {"estimated: spread evenly between the reads around it"}

    def test_stay_those_that_were_known_when_the_bill_was_made(self, account, register):
        default_tariff(FLAT)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
        bill = drafted(account, "2025-02", now=NOW)
        reading = RegisterReading.objects.filter(register=register).order_by("time")[100]
        SupersededReading.objects.create(
            register_id=register.pk,
            time=reading.time,
            value=reading.value,
            quality=reading.quality,
            received_at=reading.received_at,
            superseded_at=NOW + timedelta(hours=1),
            reason="correction",
        )
        RegisterReading.objects.filter(register_id=register.pk, time=reading.time).update(
            value=reading.value + Decimal("0.05"), received_at=NOW + timedelta(hours=1)
        )

        (flat,) = opened(bill)

        day = flat.day((reading.time + timedelta(hours=8)).date())
        read = read_day(bill=loaded(bill), line=flat.line, day=day)
        (ended,) = [each for each in read if each.share.end == reading.time]
        assert ended.reads[-1].value == reading.value

    def test_do_not_exist_on_other_days(self, account, register):
        default_tariff(FLAT)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
        (flat,) = opened(drafted(account, "2025-02", now=NOW))

        with pytest.raises(NoSuchDay):
            flat.day(date(2025, 3, 1))

    def test_ask_no_more_of_the_database_for_more_lines_and_days(self, account, register):
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
        counted = []
        for components in ([STEPS], [BOTH, STEPS, DEMAND]):
            default_tariff(*components)
            bill = loaded(drafted(account, "2025-02", now=NOW))
            line = explained_lines(bill)[1].line
            with CaptureQueriesContext(connection) as captured:
                line_hours(bill=bill, line=line)
            counted.append(len(captured))

        assert counted[0] == counted[1]
