import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import datetime

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from energy_portal.embedded.home import Home
from energy_portal.embedded.postgres import Postgres
from energy_portal.embedded.processes import pids_working_in, program_of
from energy_portal.shared.clock import Period
from meters.models import Meter, ReadingException, RegisterReading, RegisterState, SupersededReading
from meters.selectors.consumption import meter_consumption
from tests.embedded.running import new_home
from tests.meters import sender

ALL = sender.METERS * sender.MARKS


def start_sender(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.meters.sender", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def reports_of(process: subprocess.Popen[str]) -> list[dict[str, int]]:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.django_db(transaction=True)
class TestTwoProcesses:
    def test_leave_one_truth_however_they_shuffle_and_repeat(self):
        sender.hang_meters()
        name = connection.settings_dict["NAME"]

        processes = [start_sender("send", str(seed), "3", "500", SENDER_DATABASE=name) for seed in (1, 2)]
        reports = [report for process in processes for report in reports_of(process)]

        assert RegisterReading.objects.count() == ALL
        assert sum(report["stored"] for report in reports) == ALL
        assert sum(report["duplicates"] for report in reports) == 5 * ALL
        assert not any(report["conflicts"] or report["rejected"] for report in reports)
        stored = RegisterReading.objects.values_list("register__meter__serial", "time", "value")
        assert sorted(stored) == sorted(sender.all_readings())
        assert not ReadingException.objects.filter(status="open").exists()
        self.check_what_follows()

    def test_leave_nothing_but_the_truth_when_one_sends_it_and_one_only_estimates(self):
        sender.hang_meters()
        name = connection.settings_dict["NAME"]

        processes = [
            start_sender("send", "1", "1", "500", SENDER_DATABASE=name),
            start_sender("send", "2", "1", "500", "9", SENDER_DATABASE=name),
        ]
        true, estimated = (reports_of(process) for process in processes)

        assert sum(report["stored"] for report in true) == ALL
        stored = RegisterReading.objects.values_list("register__meter__serial", "time", "value")
        assert sorted(stored) == sorted(sender.all_readings())
        assert not RegisterReading.objects.filter(quality=9).exists()
        assert not RegisterState.objects.filter(estimated_from__isnull=False).exists()
        replaced = sum(report["estimates_replaced"] for report in (*true, *estimated))
        assert SupersededReading.objects.count() == sum(report["stored"] for report in estimated) == replaced
        self.check_what_follows()

    def check_what_follows(self):
        last = max(time for _, time, _ in sender.all_readings())
        assert set(RegisterState.objects.values_list("last_time", flat=True)) == {last}
        for meter in Meter.objects.all():
            consumption = meter_consumption(
                meter=meter, period=Period(sender.FIRST_MARK, last), granularity=None, now=sender.NOW
            )
            assert (consumption.energy_kwh, consumption.complete) == ((sender.MARKS - 1) * sender.STEP, True)


@pytest.mark.long
class TestLostPower:
    @pytest.fixture
    def server(self):
        """A durable server of its own."""
        with new_home(prepared=True) as home, home.locked():
            postgres = Postgres(home)
            postgres.start()
            yield postgres, home
            postgres.stop()

    def test_loses_no_reading_that_was_acknowledged(self, server):
        postgres, home = server
        url = home.endpoints.database_url
        assert start_sender("prepare", DATABASE_URL=url).wait(timeout=300) == 0
        process = start_sender("send", "1", "1", "25", DATABASE_URL=url)
        assert process.stdout is not None
        acknowledged = [json.loads(process.stdout.readline()) for _ in range(40)]

        kill_at_once(postgres, home)
        acknowledged += [json.loads(line) for line in process.stdout if line.endswith("}\n")]
        process.wait(timeout=300)
        postgres.stop()
        postgres.start()

        keys = {(serial, datetime.fromisoformat(time)) for report in acknowledged for serial, time in report["keys"]}
        with psycopg.connect(url) as database:
            stored = set(
                database.execute(
                    "SELECT serial, time FROM meters_registerreading AS reading"
                    " JOIN meters_register AS register ON register.id = reading.register_id"
                    " JOIN meters_meter AS meter ON meter.id = register.meter_id"
                ).fetchall()
            )
        assert process.returncode != 0
        assert len(keys) == sum(report["stored"] for report in acknowledged) < ALL
        assert keys <= stored


def kill_at_once(postgres: Postgres, home: Home) -> None:
    """End the server and all its backends as lost power would: nobody gets to write another byte."""
    assert postgres.process is not None
    data = (home.path / "postgres").resolve() / "data"
    backends = [pid for pid in pids_working_in(data) if program_of(pid) == "postgres"]
    for pid in {postgres.process.pid, *backends}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
