"""What the door keeps of meters that it has looked up, and when it looks again."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from django.db import connection, transaction

from accounts.models import Premises
from meters.models import Meter, Register, RegistryChange, ServicePoint
from meters.services import directory
from meters.services.directory import directory_of
from meters.services.registry import registry_of
from meters.store.door import UNKNOWN_TIME
from tests.factories import MeterFactory, RegisterFactory, supplied_register

NOW = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.mark.django_db
class TestADirectory:
    def test_looks_a_meter_up_once(self, django_assert_num_queries):
        serial = supplied_register().meter.serial
        registry_of([serial], now=NOW)

        with django_assert_num_queries(2):
            registry = registry_of([serial, serial], now=NOW)

        assert registry.find(serial, "1.8.0").status == Meter.Status.ACTIVE

    def test_looks_only_new_meters_up_and_keeps_the_others_numbers(self, django_assert_num_queries):
        first, second = supplied_register(), supplied_register(code="2.8.0")
        before = registry_of([first.meter.serial], now=NOW).target(0)

        with django_assert_num_queries(3):
            registry = registry_of([first.meter.serial, second.meter.serial], now=NOW)

        assert registry.target(0) == before
        assert registry.find(second.meter.serial, "2.8.0").register_id == second.pk

    @pytest.mark.parametrize(
        "change",
        [
            lambda register: Meter.objects.filter(pk=register.meter_id).update(status=Meter.Status.INACTIVE),
            lambda register: Register.objects.filter(pk=register.pk).update(digits=4),
            lambda register: register.meter.installations.update(valid=("2020-01-01", "2024-01-01")),
            lambda register: ServicePoint.objects.update(greatest_rate_per_hour=1),
            lambda register: Premises.objects.update(zone="Europe/Berlin"),
        ],
    )
    def test_forgets_what_it_knew_when_anything_changes(self, change):
        register = supplied_register()
        before = registry_of([register.meter.serial], now=NOW).find(register.meter.serial, "1.8.0")

        change(register)

        assert registry_of([register.meter.serial], now=NOW).find(register.meter.serial, "1.8.0") != before

    def test_tells_when_a_meter_was_taken_down(self):
        register = supplied_register()
        register.meter.installations.update(valid=(NOW - timedelta(days=9), NOW))

        registry = registry_of([register.meter.serial], now=NOW)

        assert registry.find(register.meter.serial, "1.8.0").removed_at == NOW
        assert registry.removed.tolist() != [UNKNOWN_TIME]

    def test_knows_the_only_code_of_a_meter_until_a_second_one_comes(self):
        meter = MeterFactory()
        RegisterFactory(meter=meter, code="1.8.0")
        assert registry_of([meter.serial], now=NOW).lone_codes() == {meter.serial: "1.8.0"}

        RegisterFactory(meter=meter, code="2.8.0")

        assert registry_of([meter.serial], now=NOW).lone_codes() == {}

    def test_starts_anew_when_it_holds_too_many(self, monkeypatch):
        monkeypatch.setattr(directory, "_MOST_REGISTERS", 1)
        serials = [supplied_register().meter.serial for _ in range(3)]
        directory_of(serials)

        directory_of(serials[:1])

        assert set(directory_of(serials[:1]).first) == set(serials[:1])

    def test_is_not_taken_back_by_a_rollback(self):
        register = supplied_register()
        with transaction.atomic():
            Meter.objects.filter(pk=register.meter_id).update(status=Meter.Status.INACTIVE)
            inside = registry_of([register.meter.serial], now=NOW).find(register.meter.serial, "1.8.0")
            transaction.set_rollback(True)

        after = registry_of([register.meter.serial], now=NOW).find(register.meter.serial, "1.8.0")

        assert (inside.status, after.status) == (Meter.Status.INACTIVE, Meter.Status.ACTIVE)

    def test_keeps_the_newest_change_when_the_log_is_shortened(self):
        supplied_register()
        newest = RegistryChange.objects.latest("id").pk

        directory.forget_changes(now=datetime.now(UTC) + timedelta(days=2))

        assert list(RegistryChange.objects.values_list("pk", flat=True)) == [newest]


@pytest.mark.django_db(transaction=True)
class TestDirectoriesOfSeveralThreads:
    def test_hold_what_each_of_them_looks_up(self):
        serials = [supplied_register().meter.serial for _ in range(40)]
        found: list[list[int]] = []

        def look(own: list[str]) -> None:
            try:
                found.append([registry_of([serial], now=NOW).find(serial, "1.8.0").register_id for serial in own])
            finally:
                connection.close()

        threads = [Thread(target=look, args=(serials[start::2] + serials[:10],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        known = dict(Register.objects.values_list("meter__serial", "pk"))
        assert len(found) == 4
        assert {number for each in found for number in each} == set(known.values())
