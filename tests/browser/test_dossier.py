"""A battery's dossier on every screen."""

from datetime import timedelta

import pytest
from django.utils import timezone

from meters.batteries.models import Battery, QuarterMark
from tests.factories import AlarmFactory, BatteryFactory
from tests.meters.batteries.test_dossier_pages import QUARTER, fill

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def battery(household) -> Battery:
    QuarterMark.objects.get_or_create(id=1)
    battery = BatteryFactory.create(
        name="Lorong Ampas", account=household.account, zone=household.account.zone, is_simulated=True
    )
    now = timezone.now()
    midnight = now.replace(hour=16, minute=0, second=0, microsecond=0) - 2 * DAY
    told = {"soh_percent": 97.4, "cell_voltage_low_v": 3.05, "cell_voltage_high_v": 3.52, "igbt_temp_high_c": 71.5}
    fill(battery, start=midnight - 20 * DAY, count=12 * 96, **told)
    warm = {"cell_temp_low_c": 24.0, "cell_temp_high_c": 36.2, "cell_voltage_diff_high_v": 0.061}
    fill(battery, start=midnight - 6 * DAY, count=6 * 96 - 10, soc_outside_seconds=30.0, **told, **warm)
    QuarterMark.objects.update(until=midnight + DAY - QUARTER)
    for kind in ("derating_igbt_temp", "cell_spread_under_load", "offline"):
        AlarmFactory.create(
            kind=kind,
            subject_kind="battery",
            subject=battery.battery_id,
            account=household.account,
            raised_at=midnight - 3 * DAY,
            state="cleared",
            cleared_at=midnight - 3 * DAY + 7 * QUARTER,
        )
    return battery


class TestDossier:
    def test_reads_well_anywhere(self, anywhere, household, battery: Battery) -> None:
        page = anywhere.page
        anywhere.log_in(household.user)

        anywhere.open(f"/batteries/{battery.battery_id}/dossier")

        assert page.get_by_role("heading", name="Dossier of Lorong Ampas").is_visible()
        assert page.get_by_text("Simulated", exact=True).is_visible()
        page.locator("summary#as-table").click()
        assert page.get_by_role("cell", name="115.2").first.is_visible()
        anywhere.expect_sound()
