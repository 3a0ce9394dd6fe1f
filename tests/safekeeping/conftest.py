"""A home with a bill, its readings and a photo, and a backup of them."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from energy_portal.management.safekeeping import command as commands
from meters import store
from meters.models import RegisterReading, RegisterState
from meters.series.partitions import ensure_partitions
from tests.factories import CustomerAccountFactory, RegisterFactory, singapore_bill
from tests.safekeeping.acts import FEBRUARY, ISSUED_AT, PHOTO, run


@pytest.fixture(autouse=True)
def folders(settings, tmp_path, monkeypatch):
    # The suite's server runs; a home of one's own would start another.
    for services in ("services_at_hand", "services_alone"):
        monkeypatch.setattr(commands, services, nullcontext)
    settings.PORTAL_HOME = tmp_path / "home"
    settings.UPLOAD_DIR = tmp_path / "home" / "media"
    settings.ARCHIVE_DIR = tmp_path / "home" / "archive"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret-key").write_text("old key")


@pytest.fixture
def media(settings):
    photo = settings.UPLOAD_DIR / "photos" / "dial.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(PHOTO)
    return settings.UPLOAD_DIR


@pytest.fixture
def bill():
    times = [datetime(2025, 2, 27, tzinfo=UTC) + timedelta(hours=12 * n) for n in range(8)]
    ensure_partitions(store.REGISTER_READINGS, times, floor=times[0], ceiling=times[-1])
    register = RegisterFactory()
    RegisterReading.objects.bulk_create(
        RegisterReading(register=register, time=time, value=Decimal(1000 + n)) for n, time in enumerate(times)
    )
    RegisterState.objects.create(register=register, last_time=times[-1], last_value=Decimal(1007))
    return singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY, issued_at=ISSUED_AT)


@pytest.fixture
def backup(bill, media, tmp_path):
    run("backup", tmp_path / "backup")
    return tmp_path / "backup"
