from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accounts.roles import Scope
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.models import ChainEvent, RegisterReading, RegisterState, SupersededReading
from meters.selectors.consumption import Granularity, account_consumption, meter_consumption
from meters.selectors.quantities import QuantityRequest, metered_quantities
from tests.factories import CustomerAccountFactory, supplied_register
from tests.meters.helpers import client_of, store_reading

SGT = ZoneInfo("Asia/Singapore")
TEN = datetime(2025, 3, 3, 10, tzinfo=SGT)
HOUR = Period(TEN, TEN + 2 * HALF_HOUR)
ESTIMATED, MEASURED, CORRECTED = (datetime(2025, 3, day, 9, tzinfo=UTC) for day in (4, 5, 6))
NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def supersede(reading, value, quality, *, at, reason):
    """Put another value in a reading's place as the services that change readings do."""
    SupersededReading.objects.create(
        register_id=reading.register_id,
        time=reading.time,
        value=reading.value,
        quality=reading.quality,
        received_at=reading.received_at,
        superseded_at=at,
        reason=reason,
    )
    RegisterReading.objects.filter(register_id=reading.register_id, time=reading.time).update(
        value=value, quality=quality, received_at=at
    )
    reading.value, reading.quality, reading.received_at = Decimal(value), quality, at


@pytest.fixture
def account():
    return CustomerAccountFactory()


@pytest.fixture
def register(account):
    """100.0 at ten; at half past an estimate of 101.0, then 101.4 as measured, then 101.6 as corrected; 102.0."""
    register = supplied_register(account=account)
    for time, value in ((TEN, "100.0"), (TEN + 2 * HALF_HOUR, "102.0")):
        store_reading(register, time, value, received_at=TEN + timedelta(hours=2))
    middle = store_reading(register, TEN + HALF_HOUR, "101.0", quality=8, received_at=ESTIMATED)
    supersede(middle, "101.4", 17, at=MEASURED, reason="true_data")
    supersede(middle, "101.6", 7, at=CORRECTED, reason="correction")
    return register


def half_hours(consumption):
    return [(each.energy_kwh, each.quality) for each in consumption.series]


class TestAsOf:
    @pytest.mark.parametrize(
        ("known_at", "expected", "share"),
        [
            (ESTIMATED - timedelta(seconds=1), [(None, None), (None, None)], "0"),
            (ESTIMATED, [(Decimal("1.0"), 8), (Decimal("1.0"), 8)], "1"),
            (MEASURED - timedelta(seconds=1), [(Decimal("1.0"), 8), (Decimal("1.0"), 8)], "1"),
            (MEASURED, [(Decimal("1.4"), 17), (Decimal("0.6"), 17)], "0"),
            (CORRECTED, [(Decimal("1.6"), 7), (Decimal("0.4"), 7)], "0"),
            (None, [(Decimal("1.6"), 7), (Decimal("0.4"), 7)], "0"),
        ],
    )
    def test_answers_what_stood_then(self, register, account, known_at, expected, share):
        asked = {"period": HOUR, "granularity": Granularity.HALF_HOUR, "now": NOW, "as_of": known_at}

        answers = [meter_consumption(meter=register.meter, **asked), account_consumption(account=account, **asked)]

        for answer in answers:
            assert half_hours(answer) == expected
            assert (answer.energy_kwh, answer.estimated_share) == (Decimal(2), Decimal(share))
            assert answer.as_of == (known_at or NOW)

    def test_of_quantities_for_bills_rests_on_what_stood_then(self, register, account):
        request = QuantityRequest(account_id=account.pk, cuts=(TEN, TEN + HALF_HOUR))

        then, now = (
            metered_quantities(requests=[request], now=NOW, as_of=as_of)[account.pk][0] for as_of in (MEASURED, None)
        )

        assert (then.energy_kwh, then.reads[1].value) == (Decimal("1.4"), Decimal("101.4"))
        assert (now.energy_kwh, now.reads[1].value) == (Decimal("1.6"), Decimal("101.6"))

    def test_knows_nothing_of_what_had_not_ended(self, register, account):
        early = TEN + HALF_HOUR
        request = QuantityRequest(account_id=account.pk, cuts=(TEN, TEN + 2 * HALF_HOUR))

        consumption = meter_consumption(meter=register.meter, period=HOUR, granularity=None, now=NOW, as_of=early)
        [quantity] = metered_quantities(requests=[request], now=NOW, as_of=early)[account.pk]

        assert (consumption.period, consumption.energy_kwh) == (Period(TEN, early), None)
        assert (quantity.energy_kwh, quantity.complete) == (None, False)

    def test_counts_reads_of_events_and_new_multipliers_from_when_they_were_recorded(self, register):
        place = register.meter.installations.get().service_point
        changed = {"service_point": place, "register": register, "kind": ChainEvent.Kind.MULTIPLIER_CHANGED}
        ChainEvent.objects.create(at=TEN - timedelta(days=1), multiplier=1, **changed)
        ChainEvent.objects.create(at=TEN + HALF_HOUR, multiplier=10, value="101.5", **changed)
        ChainEvent.objects.update(recorded_at=CORRECTED)
        register.multiplier = 10
        register.save()

        before, since = (
            meter_consumption(
                meter=register.meter, period=HOUR, granularity=Granularity.HALF_HOUR, now=NOW, as_of=as_of
            )
            for as_of in (MEASURED, CORRECTED)
        )

        assert [value for value, _ in half_hours(before)] == [Decimal("1.4"), Decimal("0.6")]
        assert [value for value, _ in half_hours(since)] == [Decimal("1.5"), Decimal(5)]


class TestEstimates:
    def test_inside_a_period_count_in_its_share_although_its_ends_were_read(self, register):
        RegisterReading.objects.filter(time=TEN + HALF_HOUR).update(quality=8)
        midnight = datetime(2025, 3, 3, tzinfo=SGT)
        store_reading(register, midnight, "92.0")
        store_reading(register, midnight + timedelta(days=1), "112.0")
        RegisterState.objects.update_or_create(register=register, defaults={"estimated_from": TEN + HALF_HOUR})

        day = meter_consumption(
            meter=register.meter,
            period=Period(midnight, midnight + timedelta(days=1)),
            granularity=Granularity.DAY,
            now=NOW,
        )

        assert (day.energy_kwh, day.estimated_share) == (Decimal(20), Decimal("0.1"))


class TestAsOfOfAPath:
    @pytest.mark.parametrize("path", ["/get_consumption?meter_id={0}&", "/api/v1/meters/{0}/profile?"])
    def test_says_when_it_was_known(self, register, path, time_machine):
        time_machine.move_to(NOW, tick=False)
        query = "granularity=half_hour&from=2025-03-03T10:00&to=2025-03-03T11:00&as_of=2025-03-05T17:00:00%2B08:00"

        answer = client_of(scopes=[Scope.QUERIES]).get(path.format(register.meter.serial) + query).json()

        assert answer["as_of"] == "2025-03-05T17:00:00+08:00"
        assert [each["kwh"] for each in answer["series"]] == [1.4, 0.6]

    def test_of_an_account_says_so_too(self, register, account, time_machine):
        time_machine.move_to(NOW, tick=False)
        query = f"account_id={account.number}&period=last_30_minutes&as_of=2025-03-03"

        answer = client_of(scopes=[Scope.QUERIES]).get(f"/get_consumption?{query}").json()

        assert (answer["as_of"], answer["consumption_kwh"]) == ("2025-03-03T00:00:00+08:00", None)

    def test_refuses_the_future(self, register, time_machine):
        time_machine.move_to(NOW, tick=False)
        path = f"/api/v1/meters/{register.meter.serial}/consumption?as_of=2025-03-11"

        answer = client_of(scopes=[Scope.QUERIES]).get(path)

        assert (answer.status_code, answer.json()["code"]) == (422, "as_of_in_future")


class TestKeyOfReadings:
    def test_carries_their_values_in_every_month(self, register):
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'meters_registerreading_y2025m03_pkey'")
            [(definition,)] = cursor.fetchall()

        assert definition.endswith('(register_id, "time") INCLUDE (value, quality)')
