"""What tests share: a manager at the browser, a day that stands still, a folder for files, a process to be killed."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.conf import settings as portal_settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.factories import ManagerFactory


@pytest.fixture
def manager():
    return ManagerFactory(name="Mona Manager")


@pytest.fixture
def manager_client(manager):
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def now(time_machine):
    """Ten past the hour, so that no act falls on the mark of a reading."""
    time_machine.move_to(datetime(2026, 3, 15, 4, 10, tzinfo=UTC), tick=False)
    return timezone.now()


@pytest.fixture
def uploads(settings, tmp_path):
    """Where files that people hand over lie."""
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return settings.UPLOAD_DIR


@pytest.fixture(scope="session")
def archiver():
    """Return a process that forks others, so that Django is loaded once for all of them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.meters.archiver"],
        cwd=portal_settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait(timeout=60)


@pytest.fixture
def killed(archiver, settings):
    """Return how to have an act killed at a step."""

    def kill(act, step):
        place = {"database": connection.settings_dict["NAME"], "folder": str(settings.ARCHIVE_DIR)}
        order = {"act": act, "step": step, **place}
        archiver.stdin.write(json.dumps(order) + "\n")
        archiver.stdin.flush()
        assert archiver.stdout.readline() == "-9\n"

    return kill
