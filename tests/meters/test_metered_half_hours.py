"""Half-hours of accounts as arrays: however they are read the same, and what a bill's quantities add up to."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period, local_day
from meters.models import Binding, ChainEvent
from meters.selectors import half_hours
from meters.selectors.half_hours import ProfileRequest, metered_half_hours
from meters.selectors.quantities import QuantityRequest, metered_quantities
from meters.series.partitions import ensure_partitions
from meters.services.archive_runs import archive_and_prepare
from meters.services.chain import exchange_meter, install_meter
from meters.store import REGISTER_READINGS
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    MeterFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    since,
    supplied_register,
)

SGT = ZoneInfo("Asia/Singapore")
NOW = datetime(2025, 6, 15, 4, tzinfo=UTC)
START = datetime(2025, 2, 28, 16, tzinfo=UTC)
DAY = Period(START, START + timedelta(days=1))

pytestmark = pytest.mark.django_db


def fill(register, *, start=START, half_hours=48, first="100", each="0.25", missing=(), estimated=(), received_at=None):
    """Let a register show what it would from a start on, each half-hour the same."""
    end = start + half_hours * HALF_HOUR
    ensure_partitions(REGISTER_READINGS, [start, end], floor=start, ceiling=end)
    rows = [
        (register.pk, at, Decimal(first) + n * Decimal(each), 8 if n in estimated else 17, received_at or at)
        for n in range(half_hours + 1)
        if n not in missing and (at := start + n * HALF_HOUR)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO meters_registerreading (register_id, time, value, quality, received_at)"
            " VALUES (%s, %s, %s, %s, %s)",
            rows,
        )
    return register


def account_of(register):
    return Binding.objects.get(service_point__installations__meter=register.meter).account


def told(account, period=DAY, **more):
    """Return an account's profiles, which are the same however they are read, and add up to its quantities."""
    more = {"now": NOW, **more}
    found = metered_half_hours(requests=[ProfileRequest(account.pk, period)], **more).get(account.pk, [])
    along_the_chain = metered_half_hours(
        requests=[ProfileRequest(account.pk, period)], **{"as_of": more["now"], **more}
    ).get(account.pk, [])
    quantities = metered_quantities(
        requests=[QuantityRequest(account.pk, (period.start, period.end))],
        now=more["now"],
        as_of=more.get("as_of"),
    ).get(account.pk, [])
    for one, other, quantity in zip(found, along_the_chain, quantities, strict=True):
        assert one.imported.start == other.imported.start
        assert one.imported.energy_ukwh.tolist() == other.imported.energy_ukwh.tolist()
        assert one.imported.known.tolist() == other.imported.known.tolist()
        assert one.imported.estimated.tolist() == other.imported.estimated.tolist()
        assert (quantity.period, quantity.complete) == (one.period, one.imported.is_complete)
        if quantity.complete:
            assert quantity.energy_kwh == one.imported.total_kwh
    return found


@pytest.fixture
def chain_of_nobody(monkeypatch):
    """Make sure that the chain of meters is asked nothing."""

    def no_question(questions, *, as_of):
        assert not questions or as_of is not None
        return original(questions, as_of=as_of)

    original = half_hours.chains_of
    monkeypatch.setattr(half_hours, "chains_of", no_question)


@pytest.mark.usefixtures("chain_of_nobody")
class TestOneDial:
    def test_tells_every_half_hour(self):
        register = fill(supplied_register())

        (profile,) = told(account_of(register))

        assert profile.imported.energy_ukwh.tolist() == [250_000] * 48
        assert (profile.imported.start, profile.period, profile.exported) == (START, DAY, None)
        assert (profile.zone, profile.service_class) == ("Asia/Singapore", "residential")
        assert not profile.imported.estimated.any()

    def test_multiplies_and_turns_over(self):
        register = fill(supplied_register(digits=3, multiplier=40), first="997", missing=range(13, 49))
        fill(register, start=START + 13 * HALF_HOUR, half_hours=35, first="0.25")

        (profile,) = told(account_of(register))

        assert profile.imported.energy_ukwh.tolist() == [10_000_000] * 48

    def test_spreads_gaps_and_marks_estimates(self):
        register = fill(supplied_register(), each="0.333", missing={3, *range(10, 21)}, estimated={30})

        (profile,) = told(account_of(register))

        doubtful = {2, 3, *range(9, 21), 29, 30}
        assert [n for n, estimate in enumerate(profile.imported.estimated) if estimate] == sorted(doubtful)
        assert profile.imported.is_complete

    def test_knows_the_part_of_a_running_day_that_was_read(self):
        register = fill(supplied_register(), half_hours=20)

        (profile,) = told(account_of(register), now=START + 21.5 * HALF_HOUR)

        assert profile.imported.known.tolist() == [True] * 20 + [False] * 28

    @pytest.mark.parametrize(("day", "count"), [(date(2025, 3, 30), 46), (date(2024, 10, 27), 50)])
    def test_has_as_many_half_hours_as_the_day_of_a_clock_change(self, day, count):
        berlin = ZoneInfo("Europe/Berlin")
        point = ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))
        register = RegisterFactory()
        InstallationFactory(meter=register.meter, service_point=point)
        account = BindingFactory(service_point=point).account
        period = local_day(day, berlin)
        fill(register, start=period.start, half_hours=count)

        (profile,) = told(account, period)

        assert profile.imported.energy_ukwh.tolist() == [250_000] * count

    def test_follows_the_half_hours_of_its_place(self):
        nepal = ZoneInfo("Asia/Kathmandu")
        point = ServicePointFactory(premises=PremisesFactory(zone="Asia/Kathmandu"))
        register = RegisterFactory()
        InstallationFactory(meter=register.meter, service_point=point)
        account = BindingFactory(service_point=point).account
        period = local_day(date(2025, 3, 1), nepal)
        fill(register, start=period.start)

        (profile,) = told(account, period)

        assert (profile.imported.start.minute, profile.imported.total_kwh) == (15, 12)


class TestAnythingElse:
    def test_adds_what_both_meters_counted_in_the_half_hour_of_an_exchange(self):
        point = ServicePointFactory()
        account = BindingFactory(service_point=point).account
        old, new = (RegisterFactory(meter=MeterFactory()) for _ in range(2))
        install_meter(
            meter=old.meter,
            service_point=point,
            at=datetime(2025, 1, 1, tzinfo=SGT),
            first_reads={old.pk: Decimal(45000)},
            actor=PORTAL,
            now=NOW,
        )
        fill(old, start=datetime(2025, 3, 1, 14, tzinfo=SGT), half_hours=0, first="45210.0")
        exchange_meter(
            service_point=point,
            last_reads={old.pk: Decimal("45210.3")},
            new_meter=new.meter,
            first_reads={new.pk: Decimal("12.0")},
            at=datetime(2025, 3, 1, 14, 17, tzinfo=SGT),
            actor=PORTAL,
            now=NOW,
        )
        fill(new, start=datetime(2025, 3, 1, 14, 30, tzinfo=SGT), half_hours=2, first="12.1", each="0.7")
        two = datetime(2025, 3, 1, 14, tzinfo=SGT)

        (profile,) = told(account, Period(two, two + 3 * HALF_HOUR), now=datetime.now(UTC))

        assert profile.imported.energy_ukwh.tolist() == [400_000, 700_000, 700_000]
        assert not profile.imported.estimated.any()

    def test_cuts_the_half_hour_in_which_a_supply_begins(self):
        point = ServicePointFactory()
        register = RegisterFactory()
        InstallationFactory(meter=register.meter, service_point=point)
        account = BindingFactory(service_point=point, valid=since(START + timedelta(minutes=75))).account
        fill(register)

        (profile,) = told(account)

        assert (profile.period.start, profile.imported.start) == (START + timedelta(minutes=75), START + 2 * HALF_HOUR)
        assert profile.imported.energy_ukwh.tolist()[:2] == [125_000, 250_000]
        assert profile.imported.estimated.tolist()[:2] == [True, False]

    def test_changes_the_multiplier_where_it_changed(self):
        register = fill(supplied_register())
        point = register.meter.installations.get().service_point
        for at, value, factor in ((START - timedelta(days=9), None, 1), (START + 24 * HALF_HOUR, 106, 40)):
            ChainEvent.objects.create(
                service_point=point, register=register, kind="multiplier_changed", at=at, value=value, multiplier=factor
            )

        (profile,) = told(account_of(register), now=datetime.now(UTC))

        assert profile.imported.energy_ukwh.tolist() == [250_000] * 24 + [10_000_000] * 24

    def test_sums_several_dials(self):
        register = fill(supplied_register(code="1.8.1"))
        fill(RegisterFactory(meter=register.meter, code="1.8.2"), each="0.5")

        (profile,) = told(account_of(register))

        assert profile.imported.energy_ukwh.tolist() == [750_000] * 48

    def test_reads_half_hours_where_they_are_told_themselves(self):
        register = fill(supplied_register(kind="interval", code="1.29.0"), first="0.25", each="0")

        (profile,) = told(account_of(register))

        assert profile.imported.energy_ukwh.tolist() == [250_000] * 48

    def test_does_not_know_the_half_hours_before_the_first_read(self):
        register = fill(supplied_register(), missing=range(6))

        (profile,) = told(account_of(register))

        assert profile.imported.known.tolist() == [False] * 6 + [True] * 42

    def test_knows_nothing_where_no_meter_hung(self):
        account = BindingFactory().account

        (profile,) = told(account)

        assert not profile.imported.known.any()

    def test_leaves_out_an_account_that_is_not_supplied(self):
        assert told(CustomerAccountFactory()) == []

    def test_tells_what_was_known_at_an_instant(self):
        late = datetime(2025, 6, 14, tzinfo=UTC)
        early = late - timedelta(days=1)
        register = fill(supplied_register(), received_at=late)

        (then,), (later,) = (told(account_of(register), as_of=at) for at in (early, late))

        assert (then.imported.known.any(), later.imported.is_complete) == (False, True)

    def test_reads_what_lies_in_the_archive(self, settings, tmp_path):
        settings.ARCHIVE_DIR = tmp_path / "archive"
        register = fill(supplied_register())
        archive_and_prepare(now=NOW, until=date(2025, 3, 1), actor=PORTAL)

        (profile,) = told(account_of(register))

        assert profile.imported.energy_ukwh.tolist() == [250_000] * 48


class TestExports:
    def test_are_told_where_they_are_counted(self):
        register = fill(supplied_register())
        fill(RegisterFactory(meter=register.meter, code="2.8.0", direction="export"), each="0.125")

        (profile,) = told(account_of(register), exports=True)

        assert profile.exported.energy_ukwh.tolist() == [125_000] * 48

    def test_are_none_where_nothing_counts_them(self):
        (profile,) = told(account_of(fill(supplied_register())), exports=True)

        assert profile.exported is None


class TestManyAccounts:
    def test_cost_no_more_queries_than_one(self):
        registers = [fill(supplied_register()) for _ in range(3)]
        requests = [ProfileRequest(account_of(register).pk, DAY) for register in registers]

        with CaptureQueriesContext(connection) as one:
            metered_half_hours(requests=requests[:1], now=NOW)
        with CaptureQueriesContext(connection) as many:
            found = metered_half_hours(requests=requests, now=NOW)

        assert len(found) == 3
        assert len(many) == len(one)
