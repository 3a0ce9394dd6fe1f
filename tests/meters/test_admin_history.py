from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from meters.models import (
    ChainEvent,
    Correction,
    Quality,
    ReadingException,
    RegisterDay,
    RegisterReading,
    RegisterState,
    SupersededReading,
)
from meters.series.partitions import ensure_partitions
from meters.series.spec import SeriesSpec
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import RegisterFactory, ServicePointFactory, supplied_register

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]

HALF_HOUR = timedelta(minutes=30)


def page_url(row, page="change"):
    return reverse(f"admin:meters_{row._meta.model_name}_{page}", args=[row.pk])


def titles(answer):
    return [line.title for line in answer.context["history"].lines]


@pytest.fixture
def register(now):
    """A register that hangs, with a few hours of readings up to the last half-hour."""
    made = supplied_register()
    last = now.replace(minute=0)
    rows = [
        OfferedReading(made.meter.serial, last - HALF_HOUR * back, Decimal(1000) - Decimal(back) / 4)
        for back in range(8)
    ]
    assert receive_readings(readings=rows, actor=Actor(), now=now).stored == 8
    return made


@pytest.fixture
def place(register):
    return register.meter.installations.get().service_point


def raise_exception(register, at, code="conflict", **more):
    return ReadingException.objects.create(register=register, time=at, code=code, opened_at=at, **more)


class TestHistory:
    def test_tells_who_came_and_what_hung(self, manager_client, place, register):
        account = place.bindings.get().account

        answer = manager_client.get(page_url(place))

        assert titles(answer) == [
            f"{account} moved in",
            f"Meter {register.meter} was hung up at {place}",
        ] or titles(answer) == [f"Meter {register.meter} was hung up at {place}", f"{account} moved in"]

    def test_tells_of_a_correction_from_what_to_what_by_whom_and_why(
        self, manager_client, manager, place, register, now
    ):
        Correction.objects.create(
            register=register,
            time=now - timedelta(days=2),
            old_value=Decimal(5),
            new_value=Decimal("6.5"),
            reason="Digits were swapped.",
            made_at=now,
            made_by=manager,
        )

        line = manager_client.get(page_url(place)).context["history"].lines[0]

        assert line.title == f"Corrected: {register} 5.000 kWh → 6.500 kWh"
        assert line.details == ("15 Mar 2026 12:10 by Mona Manager: Digits were swapped.",)

    def test_marks_what_waits_and_tells_how_the_rest_was_decided(self, manager_client, manager, place, register, now):
        raise_exception(register, now - HALF_HOUR, offered_value=7, standing_value=5)
        raise_exception(
            register,
            now - HALF_HOUR * 2,
            "high",
            status="accepted",
            closed_at=now,
            closed_by=manager,
            note="A party.",
        )

        waiting, decided = manager_client.get(page_url(place)).context["history"].lines[:2]

        assert (waiting.title, waiting.waits) == (f"Conflict: {register}", True)
        assert waiting.details[0] == "Offered 7.000 kWh, 5.000 kWh stands."
        assert waiting.url.endswith("/change/")
        assert (decided.waits, decided.details[-1]) == (False, "Accepted 15 Mar 2026 12:10 by Mona Manager: A party.")

    def test_tells_of_gaps_estimates_and_what_gave_way(self, manager_client, place, register, now):
        mark = now.replace(minute=0)
        raise_exception(register, mark - timedelta(days=1), "gap", until=mark - timedelta(hours=20))
        RegisterReading.objects.filter(register=register, time__lt=mark - 5 * HALF_HOUR).update(quality=Quality.LINEAR)
        RegisterState.objects.filter(register=register).update(estimated_from=mark - timedelta(days=1))
        SupersededReading.objects.create(
            register=register,
            time=mark - timedelta(days=3),
            value=Decimal("990.25"),
            quality=Quality.LINEAR,
            received_at=mark,
            superseded_at=mark,
            reason="true_data",
        )

        assert titles(manager_client.get(page_url(place)))[:3] == [
            f"2 values of {register} stand, estimated on the line between reads",
            f"Gap: {register}",
            f"990.250 kWh of {register} gave way: true data came",
        ]

    def test_shows_one_kind_only_when_asked(self, manager_client, place, register, now):
        raise_exception(register, now - HALF_HOUR)

        answer = manager_client.get(page_url(place), {"history": "exception"})

        assert titles(answer) == [f"Conflict: {register}"]
        assert [chip.label for chip in answer.context["history"].chips if chip.chosen] == ["Exceptions"]

    def test_shows_everything_when_the_kind_is_nonsense(self, manager_client, place):
        answer = manager_client.get(page_url(place), {"history": "weather", "history_before": "yesterday"})

        assert len(titles(answer)) == 2

    def test_pages_on_within_a_kind(self, manager_client, place, register, now):
        for back in range(30):
            raise_exception(register, now - HALF_HOUR * back)
        first = manager_client.get(page_url(place), {"history": "exception"})
        history = first.context["history"]

        second = manager_client.get(f"{page_url(place)}?{history.older}")

        assert (len(history.lines), history.newest) == (25, None)
        assert (len(titles(second)), second.context["history"].older) == (5, None)
        assert second.context["history"].newest == "history=exception"

    def test_says_so_where_nothing_happened(self, manager_client):
        answer = manager_client.get(page_url(ServicePointFactory()))

        assert "Nothing of this kind has happened." in answer.text

    def test_costs_the_same_however_much_happened(self, manager_client, manager, place, register, now):
        def happen(number):
            at = now - HALF_HOUR * number
            raise_exception(register, at, closed_by=manager)
            Correction.objects.create(register=register, time=at, reason="-", made_at=at, made_by=manager)
            ChainEvent.objects.create(service_point=place, register=register, kind="moved_in", at=at, value=1)

        happen(1)
        manager_client.get(page_url(place))
        with CaptureQueriesContext(connection) as few:
            manager_client.get(page_url(place))
        for number in range(2, 6):
            happen(number)

        with CaptureQueriesContext(connection) as many:
            manager_client.get(page_url(place))

        assert len(many) == len(few)


class TestPanels:
    def test_hatch_what_is_estimated(self, manager_client, place, register, now):
        newest = RegisterReading.objects.filter(register=register, time=now.replace(minute=0))
        newest.update(quality=Quality.REFERENCE_DAY)

        answer = manager_client.get(page_url(place))

        (profile,) = answer.context["profiles"]
        assert (profile.estimated, len(profile.hatched)) == (1, 1)
        assert "1 of them estimated, hatched." in answer.text

    def test_draw_what_was_fed_in_beside_what_came_in(self, manager_client, place, register, now):
        out = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        rows = [
            OfferedReading(register.meter.serial, now.replace(minute=0) - HALF_HOUR * back, Decimal(9 - back), out.code)
            for back in range(3)
        ]
        assert receive_readings(readings=rows, actor=Actor(), now=now).stored == 3

        came_in, went_out = manager_client.get(page_url(place)).context["profiles"]

        assert (came_in.known, came_in.title) == (7, "Last seven days")
        assert (went_out.known, went_out.quantity, went_out.title) == (2, 2, "Last seven days, fed in")

    def test_count_gas_in_its_own_unit_and_in_kwh(self, manager_client, place, register):
        type(register).objects.update(unit="m³")
        type(register.meter).objects.update(type="gas")
        type(place).objects.update(commodity="gas", calorific_value_mj_m3=Decimal(36))

        (profile,) = manager_client.get(page_url(place)).context["profiles"]

        assert (profile.unit, profile.quantity, profile.energy_kwh) == ("m³", Decimal("1.75"), Decimal("17.5"))

    def test_write_qualities_in_words(self, manager_client, register, now):
        RegisterReading.objects.filter(register=register, time=now.replace(minute=0)).update(quality=Quality.PROJECTED)

        rows = manager_client.get(page_url(register.meter)).context["pages"][0].readings

        assert [(row.quality, row.estimated) for row in rows[:2]] == [("estimated ahead", True), ("validated", False)]

    def test_tell_the_known_part_of_a_day_from_a_whole_one(self, manager_client, place, register, now):
        march = datetime(2026, 3, 1, tzinfo=UTC)
        ensure_partitions(
            SeriesSpec.of(RegisterDay, owner="register", identity=("energy",)), [march], floor=march, ceiling=march
        )
        for back, energy in ((1, None), (2, Decimal("12.5"))):
            start = datetime(2026, 3, 15, 16, tzinfo=UTC) - timedelta(days=back + 1)
            RegisterDay.objects.create(
                register=register,
                time=start,
                until=start + timedelta(days=1),
                energy=energy,
                known_energy=Decimal("12.5"),
                half_hours_known=48 if energy else 40,
                quality=17,
                computed_at=now,
            )

        answer = manager_client.get(page_url(place))

        assert [(row.day, row.energy, row.known, row.whole) for row in answer.context["days"]] == [
            ("Sat 14 Mar 2026", "12.500 kWh", "40 of 48", False),
            ("Fri 13 Mar 2026", "12.500 kWh", "48 of 48", True),
        ]
        assert "known part" in answer.text


class TestActs:
    def test_change_a_multiplier_from_the_place(self, manager_client, place, register, now):
        form = {
            "at": timezone.localtime(now).strftime("%Y-%m-%dT%H:%M"),
            "register": register.pk,
            "value": "1000.5",
            "multiplier": "40",
        }

        answer = manager_client.post(page_url(place).replace("/change/", "/multiplier/"), form)

        assert answer.status_code == 302
        register.refresh_from_db()
        assert register.multiplier == 40
        assert titles(manager_client.get(page_url(place)))[0] == f"{register} counts 40.0000 times from here on"

    def test_refuse_a_register_that_hangs_elsewhere(self, manager_client, place, now):
        other = supplied_register()

        answer = manager_client.post(
            page_url(place).replace("/change/", "/multiplier/"),
            {"at": "2026-03-15T12:00", "register": other.pk, "value": "1", "multiplier": "40"},
        )

        assert answer.status_code == 200
        assert "Select a valid choice" in answer.text


class TestCorrections:
    def correct_url(self, register):
        return reverse("admin:meters_register_correct_reading", args=[register.pk])

    def test_start_from_the_reading_that_is_wrong(self, manager_client, register, now):
        page = manager_client.get(page_url(register.meter))
        wrong = now.replace(minute=0)

        answer = manager_client.get(self.correct_url(register), {"time": wrong.isoformat()})

        assert f"{self.correct_url(register)}?time=" in page.text
        assert 'value="2026-03-15T12:00"' in answer.text
        assert "1000.000 kWh stands." in answer.text

    def test_let_another_value_stand_and_show_it_in_the_history(self, manager_client, manager, register, now):
        form = {"at": "2026-03-15T12:00", "value": "1000.125", "note": "Misread."}

        answer = manager_client.post(self.correct_url(register), form)

        assert answer["Location"] == page_url(register.meter)
        assert RegisterReading.objects.get(register=register, time=now.replace(minute=0)).value == Decimal("1000.125")
        assert Correction.objects.get().made_by == manager
        assert f"Corrected: {register} 1000.000 kWh → 1000.125 kWh" in titles(
            manager_client.get(page_url(register.meter))
        )

    def test_withdraw_what_stands(self, manager_client, register, now):
        manager_client.post(
            self.correct_url(register), {"at": "2026-03-15T12:00", "withdraw": "on", "note": "Another meter's."}
        )

        assert not RegisterReading.objects.filter(register=register, time=now.replace(minute=0)).exists()

    @pytest.mark.parametrize("form", [{}, {"value": "1", "withdraw": "on"}])
    def test_want_a_value_or_none(self, manager_client, register, form):
        answer = manager_client.post(self.correct_url(register), {"at": "2026-03-15T12:00", "note": "So.", **form})

        assert "Enter a value, or withdraw what stands." in answer.text
        assert not Correction.objects.exists()

    def test_say_what_cannot_be(self, manager_client, register):
        answer = manager_client.post(
            self.correct_url(register), {"at": "2026-03-15T12:00", "value": "5", "note": "So."}
        )

        assert answer.context["form"].non_field_errors()
        assert not Correction.objects.exists()
