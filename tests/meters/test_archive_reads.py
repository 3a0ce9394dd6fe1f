"""Every question is answered the same, whether the readings lie in the database, in the archive, or in both."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from accounts.actors import PORTAL
from energy_portal.shared.clock import Period
from meters.formats.writing import ExportFormat
from meters.models import ReadingException, ReadingWork, RegisterReading, RegisterState, SupersededReading
from meters.selectors.consumption import Granularity, meter_consumption
from meters.selectors.desk import newest_readings
from meters.selectors.exports import export
from meters.selectors.intake import readings_received
from meters.selectors.profiles import Look, profile_groups
from meters.selectors.reading_lists import ReadingList
from meters.series.errors import ArchiveDamaged
from meters.series.partitions import ensure_partitions
from meters.services.archive_runs import archive_and_prepare
from meters.services.entering import Change, replace_readings
from meters.services.flagging import flag_pending
from meters.services.worklog import log_work
from meters.store import REGISTER_READINGS, Window
from meters.store.gaps import readings_to_neighbours
from tests.factories import (
    AccountAccessFactory,
    AdminFactory,
    BindingFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    InstallationFactory,
    RegisterFactory,
    UserFactory,
    since,
)
from tests.meters.helpers import client_of, every_reading

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
START = datetime(2025, 1, 20, tzinfo=UTC)
MARKS = 30 * 48
WHOLE = Period(START, START + timedelta(days=30))


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.ARCHIVE_DIR = tmp_path / "archive"
    return settings.ARCHIVE_DIR


@pytest.fixture
def register():
    """Make a register that counts 0.25 kWh each half-hour across two months, each read by a source."""
    register = RegisterFactory()
    installation = InstallationFactory(meter=register.meter)
    register.place = installation.service_point
    source = DataSourceFactory()
    times = [START + mark * timedelta(minutes=30) for mark in range(MARKS + 1)]
    ensure_partitions(REGISTER_READINGS, times, floor=times[0], ceiling=times[-1])
    RegisterReading.objects.bulk_create(
        RegisterReading(
            register=register,
            time=time,
            value=Decimal("0.25") * mark,
            source=source,
            raw_stamp=f"mark {mark}" if mark % 7 == 0 else None,
            received_at=time + timedelta(minutes=1),
        )
        for mark, time in enumerate(times)
    )
    return register


def archive(until=date(2025, 2, 1)):
    archive_and_prepare(actor=PORTAL, now=NOW, until=until, wait_seconds=0)


@pytest.fixture(params=[date(2025, 2, 1), date(2025, 3, 1)], ids=["one month", "all"])
def archived(request):
    """Return how to archive some or all of the months."""
    return lambda: archive(request.param)


def consumption(register, granularity, **options):
    return meter_consumption(meter=register.meter, period=WHOLE, granularity=granularity, now=NOW, **options)


def fields(readings):
    return [(each.time, each.value, each.quality, each.source, each.raw_stamp, each.received_at) for each in readings]


class TestConsumption:
    @pytest.mark.parametrize("granularity", [None, Granularity.HALF_HOUR, Granularity.DAY, Granularity.MONTH])
    def test_is_the_same(self, granularity, register, archived):
        before = consumption(register, granularity)

        archived()

        assert consumption(register, granularity) == before
        assert before.energy_kwh == Decimal("0.25") * MARKS

    def test_of_a_stretch_that_begins_in_the_archive_is_the_same(self, register, archived):
        stretch = Period(START + timedelta(days=11, hours=3, minutes=10), START + timedelta(days=13))

        def asked():
            return meter_consumption(meter=register.meter, period=stretch, granularity=None, now=NOW)

        before = asked()
        archived()

        assert asked() == before

    def test_as_it_was_known_is_the_same(self, register, archived):
        """Know half of it at an instant, and another value that was superseded since."""
        then = START + timedelta(days=9)
        corrected = START + timedelta(days=8)
        standing = RegisterReading.objects.filter(time=corrected)
        SupersededReading.objects.create(
            register=register,
            time=corrected,
            value=standing.get().value + 1,
            quality=17,
            received_at=corrected,
            superseded_at=NOW,
            reason="correction",
        )
        standing.update(received_at=NOW)
        before = consumption(register, Granularity.DAY, as_of=then)

        archived()

        assert consumption(register, Granularity.DAY, as_of=then) == before
        assert before != consumption(register, Granularity.DAY)


class TestReadingList:
    def test_yields_the_same_readings(self, register, archived):
        before = fields(every_reading(ReadingList(register), at_once=400))

        archived()

        assert fields(every_reading(ReadingList(register), at_once=400)) == before
        assert len(before) == MARKS + 1

    def test_keeps_to_its_spans(self, register, archived):
        days = [Period(START + timedelta(days=day), START + timedelta(days=day + 1)) for day in (3, 20)]
        wanted = ReadingList(register).within(days).during(START + timedelta(days=3, hours=12))
        before = fields(every_reading(wanted, at_once=10))

        archived()

        assert fields(every_reading(wanted, at_once=10)) == before
        assert len(before) == 25 + 49

    def test_of_no_period_is_empty(self, register):
        archive()

        assert ReadingList(register).within([]).page(limit=5) == []

    def test_pages_back_from_the_newest(self, register, archived):
        archived()
        found, before = [], None
        while True:
            page = newest_readings(register=register, before=before, limit=500)
            found += page.readings
            before = page.older_than
            if before is None:
                break

        assert [each.value for each in found] == [Decimal("0.25") * mark for mark in range(MARKS, -1, -1)]


class TestOverHttp:
    def test_a_meters_readings_page_through_both(self, register, archived):
        client = client_of(AdminFactory())
        url = f"/api/v1/meters/{register.meter.serial}/readings?page_size=450"

        def walk(link, direction):
            found = []
            while link:
                page = client.get(link).json()
                found.append(page["results"])
                link, last = page[direction], link
            return found, last

        before, _ = walk(url, "next")
        archived()
        after, last = walk(url, "next")
        back, _ = walk(last, "previous")

        assert after == before
        assert back == before[::-1]

    def test_a_person_sees_only_their_own_times(self, register, archived):
        account = CustomerAccountFactory()
        BindingFactory(
            account=account,
            service_point=register.place,
            valid=since(START + timedelta(days=5), START + timedelta(days=15)),
        )
        person = AccountAccessFactory(account=account, user=UserFactory()).user
        url = f"/api/v1/meters/{register.meter.serial}/readings?page_size=500"
        before = client_of(person).get(url).json()

        archived()

        assert client_of(person).get(url).json() == before
        assert len(before["results"]) == 10 * 48 + 1

    def test_a_cursor_beyond_the_calendar_is_an_empty_page(self, register):
        from energy_portal.shared.api.pagination import _Cursor

        cursor = _Cursor(ReadingList.ordering, ("0001-01-01T00:00:00+00:00", register.pk), backwards=False).encode()

        answer = client_of(AdminFactory()).get(f"/api/v1/meters/{register.meter.serial}/readings?cursor={cursor}")

        assert (answer.status_code, answer.json()["results"]) == (200, [])


class TestExport:
    @pytest.mark.parametrize("file_format", list(ExportFormat))
    def test_is_the_same_file(self, file_format, register, archived):
        def exported():
            return b"".join(export(meter=register.meter, period=WHOLE, file_format=file_format, now=NOW))

        before = exported()
        archived()

        assert exported() == before


class TestNeighbours:
    @pytest.mark.parametrize("reach_in", [timedelta(days=1), timedelta(days=20)])
    def test_of_a_window_are_found_in_the_archive(self, reach_in, register, archived):
        """Look between two readings that are far apart, in the archived month or on its edge."""
        low = START + reach_in
        RegisterReading.objects.filter(time__gt=low, time__lt=low + timedelta(days=9)).delete()
        RegisterReading.objects.filter(time=low - timedelta(minutes=30)).update(quality=9)
        window = Window(register.pk, low + timedelta(hours=5), low + timedelta(hours=6))
        before = readings_to_neighbours([window])

        archived()

        assert readings_to_neighbours([window]) == before
        assert [row[1] for row in before] == [low, low + timedelta(days=9)]


class TestIntake:
    def test_counts_what_is_archived(self, register, archived):
        then = START + timedelta(days=14, hours=3)
        before = readings_received(now=then)

        archived()

        assert readings_received(now=then) == before
        assert before[0].received == 48


class TestProfiles:
    def test_hold_what_is_archived(self, register, archived):
        look = Look(START + timedelta(days=11), START + timedelta(days=13), before=48)
        (before,) = profile_groups([register.pk], look)

        archived()

        (after,) = profile_groups([register.pk], look)
        assert np.array_equal(after.profiles.energy, before.profiles.energy, equal_nan=True)
        assert np.nansum(before.profiles.energy) == 0.25 * (before.profiles.energy.size - 1)


class TestRules:
    """Of the four weeks before the last half-hour two lie in the first month, and a rule needs three of them."""

    @pytest.fixture
    def jump(self, register):
        time = WHOLE.end + timedelta(minutes=30)
        shown = Decimal("0.25") * MARKS + 4
        RegisterReading.objects.create(register=register, time=time, value=shown, received_at=time)
        log_work(register_ids=[register.pk], low=time, high=time, now=NOW)
        return time

    def test_compare_with_weeks_that_are_archived(self, register, jump):
        archive()

        flag_pending(now=NOW)

        found = ReadingException.objects.get(code="high")
        assert (found.time, found.detail) == (jump, "4 kWh in the half-hour; the median of past weeks is 0.25 kWh.")

    def test_wait_for_a_file_that_is_missing(self, register, jump, folder):
        archive()
        for file in folder.rglob("*.parquet"):
            file.unlink()

        with pytest.raises(ArchiveDamaged):
            flag_pending(now=NOW)

        assert ReadingWork.objects.filter(purpose=ReadingWork.Purpose.VALIDATION).exists()


class TestStates:
    def test_fall_back_on_the_archive_when_newer_readings_are_withdrawn(self, register):
        archive()
        newest = RegisterReading.objects.order_by("time").values_list("time", "quality")
        RegisterState.objects.create(register=register, last_time=WHOLE.end, last_value=360)
        withdrawn = [Change(register.pk, time, None, quality) for time, quality in newest]

        replace_readings(changes=withdrawn, reason="withdrawn", actor=PORTAL, now=NOW)

        state = RegisterState.objects.get()
        assert (state.last_time, state.last_value) == (datetime(2025, 1, 31, 23, 30, tzinfo=UTC), Decimal("143.75"))
