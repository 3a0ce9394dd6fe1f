import pytest

from meters.devices.models import PropertyMapping, RollupMark
from meters.devices.services import mappings, messages, unknown_codes
from meters.devices.services.directory import directory
from meters.devices.services.keys import key_ring
from meters.devices.services.limits import limits


def forget_all():
    directory.forget()
    key_ring.forget()
    limits.forget()
    mappings.forget_mappings()


@pytest.fixture
def fresh(transactional_db):
    """Nothing in memory of a database that other tests emptied, before and after; no writer left behind.

    What migrations had put there, and devices need, is there again.
    """
    for code, quantity in (("instant_power", "power_w"), ("switch", "switch")):
        PropertyMapping.objects.get_or_create(code=code, product=None, defaults={"quantity": quantity})
    RollupMark.objects.get_or_create(pk=1)
    forget_all()
    messages.writer.cache_clear()
    yield
    messages.writer().drain(10)
    messages.writer.cache_clear()
    for timer in unknown_codes._timer:
        timer.cancel()
    unknown_codes._timer.clear()
    unknown_codes._counts.clear()
    forget_all()
