"""What the door keeps in memory: keys, names, limits, counts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import OperationalError

from accounts.actors import PORTAL
from accounts.models import SourceKey
from accounts.roles import Scope
from accounts.services.sources import change_source, create_source, revoke_key
from energy_portal.shared.rates import Rate
from meters.devices import store
from meters.devices.models import UnknownCode
from meters.devices.services import unknown_codes
from meters.devices.services.directory import Directory
from meters.devices.services.keys import KeyRing
from meters.devices.services.limits import MessageLimits
from meters.devices.services.mappings import held_mappings, mappings
from tests.factories import DeviceFactory

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
PER_MINUTE = Rate(10, 60)


@pytest.mark.django_db
class TestKeyRing:
    @pytest.fixture
    def source_and_key(self):
        source, text = create_source(name="gateway", scopes=[Scope.DEVICES], actor=PORTAL, now=NOW)
        return source, text.encode()

    def test_asks_the_database_once_a_key(self, source_and_key, django_assert_num_queries):
        source, text = source_and_key
        ring = KeyRing()
        assert ring.held(text) is None
        granted = ring.look_up(text, now=NOW)

        with django_assert_num_queries(0):
            assert ring.held(text) == (granted,)
        assert (granted.source_id, granted.scopes, granted.creator) == (source.pk, {Scope.DEVICES}, None)
        assert SourceKey.objects.get().last_used_at == NOW

    def test_learns_that_a_key_was_revoked_or_its_source_changed(self, source_and_key):
        source, text = source_and_key
        ring = KeyRing()
        ring.look_up(text, now=NOW)
        changes = {"may_create_devices": True, "messages_per_minute": 60}
        change_source(source_id=source.public_id, changes=changes, actor=PORTAL, now=NOW)

        ring.look_again(now=NOW)
        (changed,) = ring.held(text)
        revoke_key(source_id=source.public_id, key_id=SourceKey.objects.get().pk, actor=PORTAL, now=NOW)
        ring.look_again(now=NOW)

        assert (changed.creator, changed.rate) == (source.pk, Rate(60, 60))
        assert ring.held(text) == (None,)

    def test_remembers_wrong_keys_only_until_it_looks_again_and_others_while_they_are_shown(self, source_and_key):
        _, text = source_and_key
        ring = KeyRing()
        assert ring.look_up(b"ep_x_y", now=NOW) is None
        ring.look_up(text, now=NOW)
        assert ring.held(b"ep_x_y") == (None,)

        ring.look_again(now=NOW)
        assert ring.held(b"ep_x_y") is None
        ring.look_again(now=NOW)
        assert ring.held(text) is None

    def test_looks_at_many_keys_in_one_query(self, django_assert_num_queries):
        ring = KeyRing()
        for number in range(5):
            ring.look_up(
                create_source(name=f"{number}", scopes=[Scope.DEVICES], actor=PORTAL, now=NOW)[1].encode(), now=NOW
            )

        with django_assert_num_queries(1):
            ring.look_again(now=NOW)


@pytest.mark.django_db
class TestDirectory:
    """Asks as if it was asked outside a transaction, where it may keep what it reads."""

    @pytest.fixture(autouse=True)
    def _outside(self, monkeypatch):
        monkeypatch.setattr(
            "meters.devices.services.directory.connection", type("Outside", (), {"in_atomic_block": False})
        )

    def test_asks_once_for_active_devices_and_again_for_others(self, django_assert_num_queries):
        active, gone = DeviceFactory(device_id="a"), DeviceFactory(device_id="b", status="retired", retired_at=NOW)
        directory = Directory(10)

        with django_assert_num_queries(2):
            assert directory.keys_of(["a", "b", "c", "a"], now=NOW).tolist() == [active.pk, -gone.pk, 0, active.pk]
        with django_assert_num_queries(0):
            assert directory.keys_of(["a"], now=NOW).tolist() == [active.pk]
        with django_assert_num_queries(1):
            assert directory.keys_of(["b", "c"], now=NOW).tolist() == [-gone.pk, 0]

    def test_forgets_the_half_that_came_first_when_it_is_full(self, monkeypatch):
        devices = {name: DeviceFactory(device_id=name).pk for name in "abcde"}
        directory = Directory(4)
        for name in "abcd":
            directory.keys_of([name], now=NOW)
        asked = []
        find = store.find_devices
        monkeypatch.setattr(store, "find_devices", lambda names: asked.extend(names) or find(names))

        directory.keys_of(["e"], now=NOW)
        assert directory.keys_of(list("cdea"), now=NOW).tolist() == [devices[name] for name in "cdea"]
        assert asked == ["e", "a"]

    def test_is_filled_ahead_with_active_devices_as_far_as_there_is_room(self, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr("meters.devices.services.directory._AT_ONCE", 2)
        keys = [DeviceFactory(device_id=name).pk for name in "abcde"]
        DeviceFactory(device_id="gone", status="retired", retired_at=NOW)

        assert list(Directory(4).fill()) == [2, 2]
        directory = Directory(100)
        assert sum(directory.fill()) == 5
        with django_assert_num_queries(0):
            assert directory.keys_of(list("abcde"), now=NOW).tolist() == keys

    def test_still_holds_what_it_was_filled_with_after_its_next_look(self, django_assert_num_queries):
        device = DeviceFactory(device_id="a")
        directory = Directory(10_000)
        assert sum(directory.fill()) == 1
        directory._asked_at = 0.0

        with django_assert_num_queries(2):
            assert directory.keys_of(["a"], now=NOW).tolist() == [device.pk]

    def test_learns_of_a_retirement_however_long_nobody_asked(self):
        device = DeviceFactory(device_id="a")
        directory = Directory(10)
        directory.keys_of(["a"], now=NOW)
        type(device).objects.filter(pk=device.pk).update(status="retired", retired_at=NOW)
        directory._asked_at -= 3_600

        assert directory.keys_of(["a"], now=NOW + timedelta(hours=1)).tolist() == [-device.pk]


class TestMessageLimits:
    @pytest.fixture(autouse=True)
    def _empty(self):
        cache.clear()

    def test_lets_pass_as_many_messages_as_the_rate_says(self):
        limits = MessageLimits()

        assert [limits.take(1, PER_MINUTE, cost, now=600) for cost in (6, 5, 4, 1)] == [0, 60, 0, 60]
        assert limits.take(2, PER_MINUTE, 10, now=600) == 0

    def test_counts_the_window_before_by_the_share_that_is_still_in_sight(self):
        limits = MessageLimits()
        limits.take(1, PER_MINUTE, 10, now=659)

        assert limits.take(1, PER_MINUTE, 5, now=680) == 40
        assert limits.take(1, PER_MINUTE, 5, now=690) == 0
        assert limits.take(1, PER_MINUTE, 10, now=1_000) == 0

    def test_lets_an_array_pass_that_is_larger_than_the_rate_on_an_idle_account(self):
        assert MessageLimits().take(1, PER_MINUTE, 500, now=600) == 0

    def test_learns_what_other_processes_let_pass(self):
        one, other = MessageLimits(), MessageLimits()
        one.take(1, PER_MINUTE, 6, now=600)
        other.take(1, PER_MINUTE, 1, now=600)

        for each in (one, other, one):
            each.settle()

        assert other.take(1, PER_MINUTE, 4, now=601) == 59
        assert other.take(1, PER_MINUTE, 3, now=601) == 0

    def test_starts_anew_when_the_rate_is_another(self):
        limits = MessageLimits()
        limits.take(1, PER_MINUTE, 10, now=600)

        assert limits.take(1, Rate(10, 1), 10, now=600) == 0

    def test_counts_alone_when_the_cache_is_silent(self, monkeypatch):
        limits = MessageLimits()
        monkeypatch.setattr(cache, "incr", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        limits.take(1, PER_MINUTE, 10, now=600)

        limits.settle()

        assert limits.take(1, PER_MINUTE, 1, now=600) == 60


@pytest.mark.django_db
class TestNoteUnknown:
    def counts(self):
        return {(row.product_id, row.code): row.count for row in UnknownCode.objects.all()}

    def test_adds_up_by_product_and_code(self):
        unknown_codes.note_unknown([("p", "x"), ("p", "x"), ("q", "x")])
        unknown_codes.note_unknown([("p", "x"), ("p", "nul\0" + "y" * 99)])

        assert self.counts() == {("p", "x"): 3, ("q", "x"): 1, ("p", "nul\N{REPLACEMENT CHARACTER}" + "y" * 60): 1}

    def test_counts_as_one_what_there_are_too_many_of(self, monkeypatch):
        monkeypatch.setattr(unknown_codes, "_MOST_ROWS", 2)
        unknown_codes.note_unknown([("p", "a"), ("p", "b")])

        unknown_codes.note_unknown([("p", "a"), ("p", "c"), ("p", "d")])

        assert self.counts() == {("p", "a"): 2, ("p", "b"): 1, unknown_codes.OTHERS: 2}

    def test_counts_on_what_could_not_be_written(self, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(store, "add_counts", lambda *_, **__: (_ for _ in ()).throw(OperationalError("gone")))
            unknown_codes.note_unknown([("p", "a")])

        unknown_codes.flush_unknown(now=NOW)

        assert self.counts() == {("p", "a"): 1}


@pytest.mark.django_db
class TestMappings:
    def test_are_not_kept_from_a_transaction_that_may_be_rolled_back(self, fresh_mappings):
        assert mappings().of("any")["cur_power"].factor == 0.1
        assert held_mappings() is None

    @pytest.fixture
    def fresh_mappings(self):
        from meters.devices.services.mappings import forget_mappings

        forget_mappings()
