"""Whose series there are: places, devices, batteries, and what they add up to, each with its clock."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import MD5, Concat

from accounts.models import CustomerAccount
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.errors import NotFound
from meters.batteries.models import Battery
from meters.devices.models import Device
from meters.insights.models import Forecast, Subject
from meters.models import Binding, Installation, Region, ServicePoint
from meters.models.places import Commodity

_Rows = QuerySet[Any, Any]


class NoSuchSeries(NotFound):
    """Nothing by that name has a series, or nobody may know."""

    code = "no_such_series"


@dataclass(frozen=True)
class Series:
    """A series: of whom, on which clock, and where its half-hours are found.

    :ivar key: of its row; None of what is about everything.
    :ivar cohort: with whom its forecasts are compared.
    :ivar since: what was before belongs to somebody else; None where nobody else was there.
    """

    kind: Subject
    subject: str
    key: Any
    label: str
    zone: ZoneInfo
    cohort: str
    account_id: UUID | None = None
    region_id: UUID | None = None
    since: datetime | None = None

    @property
    def quantity(self) -> Forecast.Quantity:
        """What is forecast of it."""
        return Forecast.Quantity.SOC if self.kind is Subject.BATTERY else Forecast.Quantity.ENERGY


def find_series(*, kind: Subject, subject: str, at: datetime) -> Series:
    """Return the series of a subject as it stands at an instant.

    :raises NoSuchSeries: nothing goes by that name.
    """
    found = series_named(kind=kind, subjects=[subject], at=at)
    if not found:
        raise NoSuchSeries(f"There is no {kind.label.lower()} {subject}.")
    return found[0]


def series_named(*, kind: Subject, subjects: Iterable[str], at: datetime) -> list[Series]:
    """Return the series of the subjects that exist, in the order of their names. One query."""
    if kind is Subject.PORTAL:
        return [_portal()]
    rows, name, make = _ROWS[kind]
    return [make(row) for row in rows(at).filter(**{f"{name}__in": list(subjects)}).order_by(name)]


def series_page(*, kind: Subject, zone: str, at: datetime, after: str, limit: int) -> list[Series]:
    """Return the next series on a clock that are forecast by night, in the order of their names. One query.

    Accounts are those that are supplied at several places: of others the place says it all.

    :param after: the name of the last one before; empty for the first.
    """
    if kind is Subject.PORTAL:
        return [_portal()] if not after and zone == settings.SITE_ZONE else []
    rows, name, make = _ROWS[kind]
    page = rows(at).filter(**{f"{name}__gt": after}).order_by(name)
    match kind:
        case Subject.SERVICE_POINT:
            page = page.filter(premises__zone=zone)
        case Subject.REGION:
            page = page if zone == settings.SITE_ZONE else page.none()
        case Subject.ACCOUNT:
            page = page.filter(zone=zone, places__gt=1)
        case _:
            page = page.filter(zone__in=_names_of(zone))
    return [make(row) for row in page[:limit]]


def series_sample(*, kind: Subject, at: datetime, most: int, salt: str) -> list[Series]:
    """Return some of the series of a kind, the same ones for the same salt. One query, which looks at all names."""
    if kind is Subject.PORTAL:
        return [_portal()]
    rows, name, make = _ROWS[kind]
    return [make(row) for row in rows(at).order_by(MD5(Concat(name, Value(salt))), name)[:most]]


def zones() -> list[str]:
    """Return the names of all clocks that series go by, in order. Four queries."""
    named = {settings.SITE_ZONE}
    named.update(ServicePoint.objects.values_list("premises__zone", flat=True).order_by().distinct())
    for model in (CustomerAccount, Device, Battery):
        named.update(model.objects.values_list("zone", flat=True).order_by().distinct())
    return sorted(named - {""})


def places_of(series: Series, *, at: datetime) -> list[Series]:
    """Return the service points that an account, a region or everything adds up to. One query."""
    rows = _service_points(at).order_by("code")
    match series.kind:
        case Subject.ACCOUNT:
            rows = rows.filter(bindings__account_id=series.key, bindings__valid__contains=at)
        case Subject.REGION:
            rows = rows.filter(region_id=series.key)
    return [_of_service_point(row) for row in rows]


def _service_points(at: datetime) -> _Rows:
    bound = Binding.objects.filter(service_point=OuterRef("pk"), valid__contains=at)
    hung = Installation.objects.filter(service_point=OuterRef("pk"), valid__contains=at)
    rows: _Rows = ServicePoint.objects.filter(commodity=Commodity.ELECTRIC, status=ServicePoint.Status.ACTIVE)
    rows = rows.annotate(
        account_id=Subquery(bound.values("account_id")[:1]),
        since=Subquery(bound.values("valid__startswith")[:1]),
        region_id=Subquery(hung.values("meter__region_id")[:1]),
    )
    return rows.values("pk", "code", "service_class", "premises__zone", "account_id", "since", "region_id")


def _of_service_point(row: dict[str, Any]) -> Series:
    return Series(
        kind=Subject.SERVICE_POINT,
        subject=row["code"],
        key=row["pk"],
        label=row["code"],
        zone=zone_named(row["premises__zone"]),
        cohort=f"service_point:{row['service_class']}"[:40],
        account_id=row["account_id"],
        region_id=row["region_id"],
        since=row["since"],
    )


def _devices(_at: datetime) -> _Rows:
    rows: _Rows = Device.objects.filter(status=Device.Status.ACTIVE)
    return rows.values("pk", "device_id", "name", "zone", "account_id", "region_id")


def _batteries(_at: datetime) -> _Rows:
    rows: _Rows = Battery.objects.filter(status=Battery.Status.ACTIVE)
    return rows.values("pk", "battery_id", "name", "zone", "account_id", "region_id")


def _of_thing(kind: Subject, name: str) -> Callable[[dict[str, Any]], Series]:
    def make(row: dict[str, Any]) -> Series:
        return Series(
            kind=kind,
            subject=row[name],
            key=row["pk"],
            label=row["name"] or row[name],
            zone=zone_named(row["zone"] or settings.SITE_ZONE),
            cohort=kind.value,
            account_id=row["account_id"],
            region_id=row["region_id"],
        )

    return make


def _accounts(at: datetime) -> _Rows:
    supplied = Q(bindings__valid__contains=at, bindings__service_point__commodity=Commodity.ELECTRIC)
    rows: _Rows = CustomerAccount.objects.exclude(status=CustomerAccount.Status.CLOSED)
    rows = rows.annotate(places=Count("bindings", filter=supplied))
    return rows.values("pk", "number", "owner_name", "zone")


def _of_account(row: dict[str, Any]) -> Series:
    return Series(
        kind=Subject.ACCOUNT,
        subject=row["number"],
        key=row["pk"],
        label=f"{row['number']} {row['owner_name']}"[:150],
        zone=zone_named(row["zone"]),
        cohort=Subject.ACCOUNT.value,
        account_id=row["pk"],
    )


def _regions(_at: datetime) -> _Rows:
    rows: _Rows = Region.objects.filter(status=Region.Status.ACTIVE)
    return rows.values("pk", "name")


def _of_region(row: dict[str, Any]) -> Series:
    return Series(
        kind=Subject.REGION,
        subject=row["name"][:64],
        key=row["pk"],
        label=row["name"],
        zone=zone_named(settings.SITE_ZONE),
        cohort=Subject.REGION.value,
        region_id=row["pk"],
    )


def _portal() -> Series:
    return Series(
        kind=Subject.PORTAL,
        subject="",
        key=None,
        label="Everything",
        zone=zone_named(settings.SITE_ZONE),
        cohort=Subject.PORTAL.value,
    )


def _names_of(zone: str) -> Sequence[str]:
    return ("", zone) if zone == settings.SITE_ZONE else (zone,)


# By kind: its rows as they stand at an instant, the field that names them, and what makes a series of a row.
_ROWS: dict[Subject, tuple[Callable[[datetime], _Rows], str, Callable[[dict[str, Any]], Series]]] = {
    Subject.SERVICE_POINT: (_service_points, "code", _of_service_point),
    Subject.DEVICE: (_devices, "device_id", _of_thing(Subject.DEVICE, "device_id")),
    Subject.BATTERY: (_batteries, "battery_id", _of_thing(Subject.BATTERY, "battery_id")),
    Subject.ACCOUNT: (_accounts, "number", _of_account),
    Subject.REGION: (_regions, "name", _of_region),
}
