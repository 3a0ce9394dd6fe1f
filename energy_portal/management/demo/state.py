"""Are demo data there, and are they whole: the database itself remembers."""

from datetime import datetime
from enum import StrEnum

from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Model

from accounts.actors import PORTAL
from accounts.models import AuditEntry, CustomerAccount, DataSource
from accounts.services import audit
from billing.models import Tariff, TariffComponent, TariffVersion, Tax, TaxVersion
from energy_portal.dashboard import CACHE_KEYS
from energy_portal.management.demo import store
from meters.batteries.models import QuarterMark
from meters.devices.models import Product, PropertyMapping, RollupMark, StateMark
from meters.devices.services.directory import directory
from meters.models import AlarmRule, ValidationRule

SOURCE_NAME = "demo-head-end"
DEMO_VERSION_SUFFIX = " (demo)"
DEMO_TARIFF = "demo-day-and-night"
_LOADED = "demo.loaded"
_KEPT: frozenset[type[Model]] = frozenset(
    {
        Tariff,
        TariffComponent,
        TariffVersion,
        Tax,
        TaxVersion,
        ValidationRule,
        AlarmRule,
        Product,
        PropertyMapping,
        RollupMark,
        StateMark,
        QuarterMark,
    }
)


class Stage(StrEnum):
    """How far the demo data are in a database."""

    EMPTY = "no accounts"
    STARTED = "demo data that were not loaded to the end"
    LOADED = "demo data"
    FOREIGN = "accounts that are not the demo's"


def stage() -> Stage:
    """Tell how far the demo data are: the first thing that a load makes is its source, the last its mark."""
    if not DataSource.objects.filter(name=SOURCE_NAME).exists():
        return Stage.FOREIGN if CustomerAccount.objects.exists() else Stage.EMPTY
    return Stage.LOADED if AuditEntry.objects.filter(action=_LOADED).exists() else Stage.STARTED


def mark_loaded(*, source: DataSource, now: datetime, **figures: int) -> None:
    """Note that the demo data are whole."""
    audit.record(action=_LOADED, obj=source, actor=PORTAL, now=now, **figures)


@transaction.atomic
def wipe() -> None:
    """Empty everything that a load fills, logins and audit included; what was published or came with the portal stays.

    That is tariffs and taxes, rules, and the mappings of every product.
    """
    models: set[type[Model]] = {Session}
    for label in ("accounts", "meters", "devices", "batteries", "insights", "billing", "field_ops"):
        models.update(apps.get_app_config(label).get_models(include_auto_created=True))
    store.truncate(model._meta.db_table for model in models - _KEPT if model._meta.managed)
    TariffVersion.objects.filter(name__endswith=DEMO_VERSION_SUFFIX).delete()
    Tariff.objects.filter(code=DEMO_TARIFF, versions=None).delete()
    # Past their history, which would tell of a deed of nobody.
    PropertyMapping.objects.exclude(product=None)._raw_delete(DEFAULT_DB_ALIAS)
    Product.objects.all()._raw_delete(DEFAULT_DB_ALIAS)
    RollupMark.objects.update(until=None)
    StateMark.objects.update(until=None, late_until=None)
    QuarterMark.objects.update(until=None)
    directory.forget()
    cache.delete_many(CACHE_KEYS)
