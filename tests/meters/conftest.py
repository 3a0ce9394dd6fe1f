"""What tests share: a manager at the browser, a day that stands still, and a folder for files."""

from datetime import UTC, datetime

import pytest
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
