import pytest

from meters.batteries.models import QuarterMark
from meters.batteries.services import live, terms
from meters.batteries.services.telling import teller
from meters.devices.services.keys import key_ring
from meters.devices.services.limits import limits


def forget_all():
    key_ring.forget()
    limits.forget()
    terms.forget_terms()
    teller.forget()


@pytest.fixture
def fresh(transactional_db):
    """Nothing in memory of a database that other tests emptied, before and after; no writer left behind."""
    QuarterMark.objects.get_or_create(pk=1)
    forget_all()
    live.writer.cache_clear()
    yield
    live.writer().drain(10)
    live.writer.cache_clear()
    forget_all()


@pytest.fixture
def open_streams(monkeypatch):
    """Keep the test's transaction, which Channels would end with its connection."""
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)
