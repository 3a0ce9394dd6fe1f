from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from energy_portal.shared.errors import Invalid
from meters.devices.models import Device, DeviceSample
from meters.devices.services import registry
from meters.devices.services.commands import RetiredDevice
from meters.devices.services.state import note_status, refresh_states
from tests.factories import (
    CustomerAccountFactory,
    DeviceFactory,
    DeviceGroupFactory,
    ManagerFactory,
    ProductFactory,
    RegionFactory,
)
from tests.meters.devices.helpers import state_of, store_sample

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)


def create(device_id="plug-1", **details) -> Device:
    return registry.create_device(device_id=device_id, details=details, actor=PORTAL, now=NOW)


def retire(device: Device) -> Device:
    return registry.retire_device(pk=device.pk, actor=PORTAL, now=NOW)


def replace(device: Device, by: str) -> Device:
    return registry.replace_device(pk=device.pk, new_device_id=by, actor=PORTAL, now=NOW)


class TestCreate:
    def test_enters_a_device_that_is_offline_until_it_is_heard(self):
        manager = ManagerFactory()

        device = registry.create_device(
            device_id="plug-1", details={"name": "Fridge"}, actor=Actor(user=manager), now=NOW
        )

        assert (device.status, state_of(device).is_online, state_of(device).heard_at) == ("active", False, None)
        assert AuditEntry.objects.get(action="device.created").user == manager
        assert device.history.get().history_user == manager

    def test_takes_a_name_once_only(self):
        retire(create())

        with pytest.raises(registry.DeviceExists):
            create()

    @pytest.mark.parametrize("name", ["", "a b", "a/b", "plug+", "#", "é", "x" * 65, "a%2F"])
    def test_takes_no_name_that_topics_and_paths_cannot_carry(self, name):
        with pytest.raises(Invalid, match="calls itself"):
            create(name)

    @pytest.mark.parametrize("details", [{"zone": "Mars/Base"}, {"rated_power_w": -1.0}, {"status": "retired"}])
    def test_takes_no_value_that_breaks_a_rule(self, details):
        with pytest.raises(Invalid):
            create(**details)


class TestChange:
    def test_changes_what_is_named_and_tells_who(self):
        device, group = create(name="Fridge", rated_power_w=90.0), DeviceGroupFactory()

        registry.change_device(pk=device.pk, changes={"group": group, "name": "Fridge"}, actor=PORTAL, now=NOW)

        device.refresh_from_db()
        assert (device.group, device.name, device.rated_power_w) == (group, "Fridge", 90.0)
        assert AuditEntry.objects.get(action="device.changed").detail == {"fields": ["group"]}

    def test_leaves_no_trace_of_what_is_so_already(self):
        device = create(name="Fridge")

        registry.change_device(pk=device.pk, changes={"name": "Fridge"}, actor=PORTAL, now=NOW)

        assert not AuditEntry.objects.filter(action="device.changed").exists()

    def test_leaves_a_retired_device_as_it_was(self):
        device = retire(create())

        with pytest.raises(RetiredDevice):
            registry.change_device(pk=device.pk, changes={"name": "x"}, actor=PORTAL, now=NOW)


class TestRetire:
    def test_takes_it_offline_and_keeps_what_it_told(self):
        device = create()
        store_sample(device, NOW - timedelta(seconds=9), power_w=5.0)
        refresh_states(now=NOW)

        retire(device)
        refresh_states(now=NOW + timedelta(seconds=1))

        device.refresh_from_db()
        assert (device.status, device.retired_at) == ("retired", NOW)
        assert (state_of(device).is_online, state_of(device).power_w) == (False, 5.0)
        assert DeviceSample.objects.filter(device=device).count() == 1

    def test_is_told_once_however_often_it_is_asked(self):
        device = create()

        retire(device)
        registry.retire_device(pk=device.pk, actor=PORTAL, now=NOW + timedelta(days=1))

        device.refresh_from_db()
        assert device.retired_at == NOW
        assert AuditEntry.objects.filter(action="device.retired").count() == 1


class TestReplace:
    def test_hands_the_place_over_and_leaves_history_with_the_old_one(self):
        place = {
            "name": "Fridge",
            "group": DeviceGroupFactory(),
            "region": RegionFactory(),
            "account": CustomerAccountFactory(),
            "is_critical": True,
            "zone": "Asia/Tokyo",
        }
        product = ProductFactory()
        old = create(product=product, **place)
        store_sample(old, NOW, power_w=5.0)
        note_status(device_id=old.device_id, online=True, now=NOW)

        new = replace(old, "plug-2")

        old.refresh_from_db()
        assert {name: getattr(new, name) for name in place} == place
        assert (new.product, new.replaces, new.status) == (product, old, "active")
        assert (old.status, old.account, state_of(old).is_online) == ("retired", place["account"], False)
        assert DeviceSample.objects.get().device_id == old.pk

    def test_takes_one_that_came_in_by_itself(self):
        old, product = create(name="Fridge"), ProductFactory()
        DeviceFactory(device_id="plug-2", product=product)

        new = replace(old, "plug-2")

        assert (new.name, new.product, new.replaces) == ("Fridge", product, old)

    def test_works_for_one_that_is_retired_already(self):
        old = retire(create(name="Fridge"))

        assert replace(old, "plug-2").name == "Fridge"

    def test_happens_once(self):
        old = create()
        replace(old, "plug-2")

        with pytest.raises(registry.AlreadyReplaced, match="plug-2"):
            replace(old, "plug-3")

    def test_takes_nobody_who_has_a_place(self):
        old = create()
        DeviceFactory(device_id="theirs", account=CustomerAccountFactory())
        DeviceFactory(device_id="gone", status="retired", retired_at=NOW)

        for taken in ("theirs", "gone", "plug-1"):
            with pytest.raises(registry.NotFree):
                replace(old, taken)
        old.refresh_from_db()
        assert old.status == "active"
