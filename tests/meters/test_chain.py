from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from energy_portal.shared.clock import Period
from meters.models import ChainEvent, DomainEvent, ReadingWork, Register, RegisterState, ServicePoint
from meters.selectors.consumption import Granularity, account_consumption, meter_consumption
from meters.services import chain
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    CustomerAccountFactory,
    InstallationFactory,
    ManagerFactory,
    MeterFactory,
    RegisterFactory,
    ServicePointFactory,
    since,
    supplied_register,
)

NOW = datetime(2025, 3, 15, tzinfo=UTC)
START = datetime(2025, 3, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def at(hours):
    return START + timedelta(hours=hours)


def offer(register, *rows):
    offered = [OfferedReading(register.meter.serial, at(hours), value) for hours, value in rows]
    return receive_readings(readings=offered, actor=PORTAL, now=NOW)


def codes(report):
    return [each.code for each in report.rejected]


@pytest.fixture
def register():
    return RegisterFactory()


@pytest.fixture
def point():
    return ServicePointFactory()


def install(register, point, hours=0, reads=None, actor=PORTAL):
    return chain.install_meter(
        meter=register.meter, service_point=point, at=at(hours), first_reads=reads or {}, actor=actor, now=NOW
    )


def remove(register, hours, reads=None):
    return chain.remove_meter(meter=register.meter, at=at(hours), last_reads=reads or {}, actor=PORTAL, now=NOW)


class TestInstallMeter:
    def test_notes_the_first_read_and_who_did_it(self, register, point):
        manager = ManagerFactory()

        install(register, point, reads={register.pk: Decimal(12)}, actor=Actor(user=manager))

        event = ChainEvent.objects.get()
        assert (event.kind, event.value, event.at) == ("installed", Decimal(12), at(0))
        assert RegisterState.objects.get().last_value == Decimal(12)
        assert AuditEntry.objects.get(action="meter.installed").user == manager

    def test_makes_the_first_read_a_neighbour(self, register, point):
        install(register, point, reads={register.pk: Decimal(12)})

        assert codes(offer(register, (0.5, "11.9"))) == ["regression"]
        assert offer(register, (0.5, "12.1")).stored == 1

    def test_is_refused_where_a_meter_hangs(self, register, point):
        install(RegisterFactory(), point)

        with pytest.raises(chain.PlaceTaken):
            install(register, point, hours=1)

    def test_is_refused_for_a_meter_that_hangs_elsewhere(self, register, point):
        install(register, ServicePointFactory())

        with pytest.raises(chain.MeterInUse):
            install(register, point, hours=1)

    @pytest.mark.parametrize("value", [Decimal(-1), Decimal(10**6)])
    def test_is_refused_with_a_read_that_cannot_be(self, register, point, value):
        with pytest.raises(chain.BadEvent):
            install(register, point, reads={register.pk: value})

    def test_is_refused_with_a_read_of_another_meter(self, register, point):
        with pytest.raises(chain.BadEvent):
            install(register, point, reads={RegisterFactory().pk: Decimal(1)})

    def test_is_refused_in_the_future(self, register, point):
        with pytest.raises(chain.BadEvent):
            install(register, point, hours=24 * 30)


class TestRemoveMeter:
    def test_refuses_later_readings_and_takes_late_ones(self, register, point):
        install(register, point, reads={register.pk: Decimal(12)})
        remove(register, 2.25, {register.pk: Decimal(15)})

        assert codes(offer(register, (2.5, 16))) == ["not_installed"]
        assert offer(register, (2, "14.9")).stored == 1
        assert codes(offer(register, (1.5, "15.1"))) == ["regression"]

    def test_lets_the_meter_start_anew_elsewhere(self, register, point):
        install(register, point, reads={register.pk: Decimal(500)})
        remove(register, 2, {register.pk: Decimal(510)})
        install(register, ServicePointFactory(), hours=5, reads={register.pk: Decimal(3)})

        assert offer(register, (5.5, 4)).stored == 1
        whole = meter_consumption(
            meter=register.meter, period=Period(at(0), at(5.5)), granularity=Granularity.HALF_HOUR, now=NOW
        )
        assert (whole.energy_kwh, whole.series[-1].energy_kwh) == (11, 1)

    def test_is_refused_for_a_meter_that_hangs_nowhere(self, register):
        with pytest.raises(chain.NotInstalled):
            remove(register, 1)

    def test_is_refused_before_it_was_hung_up(self, register, point):
        install(register, point, hours=5)

        with pytest.raises(chain.BadEvent):
            remove(register, 4)

    def test_is_refused_with_a_read_below_the_readings(self, register, point):
        install(register, point)
        offer(register, (1, 100))

        with pytest.raises(chain.BadEvent):
            remove(register, 2, {register.pk: Decimal(99)})


class TestExchangeMeter:
    def test_changes_nothing_when_the_new_meter_cannot_hang(self, register, point):
        install(register, point)
        busy = RegisterFactory()
        install(busy, ServicePointFactory())

        with pytest.raises(chain.MeterInUse):
            chain.exchange_meter(
                service_point=point,
                last_reads={},
                new_meter=busy.meter,
                first_reads={},
                at=at(1),
                actor=PORTAL,
                now=NOW,
            )

        assert point.installations.get().valid.upper_inf

    def test_needs_a_meter_that_hangs(self, register, point):
        with pytest.raises(chain.NotInstalled):
            chain.exchange_meter(
                service_point=point,
                last_reads={},
                new_meter=register.meter,
                first_reads={},
                at=at(1),
                actor=PORTAL,
                now=NOW,
            )


class TestMoves:
    @pytest.fixture
    def account(self):
        return CustomerAccountFactory()

    def move(self, service, account, point, hours, reads=None):
        return service(account=account, service_point=point, at=at(hours), reads=reads, actor=PORTAL, now=NOW)

    def test_divide_a_day_between_two_accounts_at_the_read_of_the_move(self, register, point, account):
        install(register, point, reads={register.pk: Decimal(0)})
        follower = CustomerAccountFactory()
        self.move(chain.move_in, account, point, 0)
        offer(register, (2, 10), (3, 20))
        self.move(chain.move_out, account, point, 2.25, {register.pk: Decimal(11)})
        self.move(chain.move_in, follower, point, 2.25)

        parts = [
            account_consumption(account=each, period=Period(at(0), at(3)), granularity=None, now=NOW)
            for each in (account, follower)
        ]

        assert [(part.energy_kwh, part.complete, part.estimated_share) for part in parts] == [
            (11, True, 0),
            (9, True, 0),
        ]

    def test_are_refused_where_somebody_is_supplied(self, point, account):
        self.move(chain.move_in, CustomerAccountFactory(), point, 0)

        with pytest.raises(chain.PlaceTaken):
            self.move(chain.move_in, account, point, 1)

    def test_out_needs_a_move_in(self, point, account):
        with pytest.raises(chain.NotBound):
            self.move(chain.move_out, account, point, 1)


class TestChangeMultiplier:
    def change(self, register, hours, multiplier=40, value=12):
        return chain.change_multiplier(
            register=register,
            multiplier=Decimal(multiplier),
            value=Decimal(value),
            at=at(hours),
            actor=PORTAL,
            now=NOW,
        )

    def test_counts_from_its_instant_on(self, register, point):
        ServicePoint.objects.filter(pk=point.pk).update(greatest_rate_per_hour=1000)
        install(register, point, reads={register.pk: Decimal(10)})
        self.change(register, 1)
        offer(register, (2, 15))

        series = meter_consumption(
            meter=register.meter, period=Period(at(0), at(2)), granularity=Granularity.DAY, now=NOW
        )
        assert series.energy_kwh == 2 + 120
        assert Register.objects.get().multiplier == 40

    def test_is_refused_before_an_earlier_change(self, register, point):
        install(register, point, reads={register.pk: Decimal(10)})
        self.change(register, 2)

        with pytest.raises(chain.BadEvent):
            self.change(register, 1)

    def test_is_refused_at_zero(self, register, point):
        install(register, point)

        with pytest.raises(chain.BadEvent):
            self.change(register, 1, multiplier=0)

    def test_is_refused_where_the_meter_hangs_nowhere(self, register):
        with pytest.raises(chain.NotInstalled):
            self.change(register, 1)


class TestReadingsOfAMeterWithoutAPlace:
    def test_are_taken_since_an_exchange_may_be_recorded_later(self, register):
        assert offer(register, (1, 5)).stored == 1

    def test_count_once_it_hangs(self, register, point):
        offer(register, (1, 5), (2, 8))
        install(register, point, hours=0.5, reads={register.pk: Decimal(4)})

        consumption = meter_consumption(meter=register.meter, period=Period(at(0.5), at(2)), granularity=None, now=NOW)

        assert (consumption.energy_kwh, consumption.complete) == (4, True)


class TestRemovedMeterOfAnotherTime:
    def test_keeps_its_past_readable(self):
        register = supplied_register()
        installation = register.meter.installations.get()
        installation.valid = since(installation.valid.lower, at(3))
        installation.save()
        InstallationFactory(service_point=installation.service_point, meter=MeterFactory(), valid=since(at(3)))

        assert offer(register, (1, 5), (2, 8)).stored == 2


class TestWhatAChangeLeavesBehind:
    def acts(self):
        events = DomainEvent.objects.filter(kind="chain_changed").order_by("pk")
        return [(event.data["act"], event.start) for event in events]

    def test_is_an_event_an_act(self, register, point):
        install(register, point)
        account = CustomerAccountFactory()
        chain.move_in(account=account, service_point=point, at=at(1), actor=PORTAL, now=NOW)
        chain.change_multiplier(
            register=register, multiplier=Decimal(2), value=Decimal(5), at=at(2), actor=PORTAL, now=NOW
        )
        chain.move_out(account=account, service_point=point, at=at(3), actor=PORTAL, now=NOW)
        remove(register, 4)

        assert self.acts() == [
            ("meter.installed", at(0)),
            ("account.moved_in", at(1)),
            ("register.multiplier_changed", at(2)),
            ("account.moved_out", at(3)),
            ("meter.removed", at(4)),
        ]
        assert set(DomainEvent.objects.values_list("service_point", flat=True)) == {point.pk}
        moved = DomainEvent.objects.filter(data__account_id=str(account.pk))
        assert moved.count() == 2

    def test_is_energy_to_be_summed_anew_of_every_register_that_hung_there(self, register, point):
        install(register, point)
        ReadingWork.objects.all().delete()

        remove(register, 4)

        work = ReadingWork.objects.get(purpose="rollup")
        assert (work.register_ids, work.low, work.high) == ([register.pk], at(4), NOW)

    def test_is_nothing_where_the_act_was_refused(self, register, point):
        install(register, point)
        DomainEvent.objects.all().delete()

        with pytest.raises(chain.PlaceTaken):
            install(RegisterFactory(), point)

        assert self.acts() == []
